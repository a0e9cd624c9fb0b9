"""Denoising diffusion models for images: train, generate, inpaint, colorize, evaluate, edit."""

from ediffuser.generate import colorize, generate, inpaint, load
from ediffuser.model import Model
from ediffuser.samplers import Ancestral, Ddim

__all__ = ["Ancestral", "Ddim", "Model", "colorize", "generate", "inpaint", "load"]
