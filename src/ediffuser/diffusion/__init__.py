"""The mathematics of diffusion: the forward process, what a denoiser believes, and what it is trained on."""
