"""What every part stands on: devices, noise, files, checkpoints. Knows nothing of diffusion."""
