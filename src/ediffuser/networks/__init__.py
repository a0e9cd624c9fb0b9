"""Networks: they know nothing of diffusion."""

from ediffuser.networks.unet import UNet, UNetConfig

Network = UNetConfig
"""The union of all network configurations; a checkpoint's JSON and the command line read it."""

__all__ = ["Network", "UNet", "UNetConfig"]
