"""Numerical analysis of dy/dt = f(t, y) for a batch of independent rows; nothing here knows of diffusion."""
