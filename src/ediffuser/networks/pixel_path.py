"""A way for pixels around the cells of a UNet with `patch` > 1.

Such a network squeezes patch x patch pixels into the channels of one cell, so an edge that ends at a hole, or the noise
of a single pixel, has to fit through them. This path sees the input at full resolution, is told by the cells what is
there, and adds what they could not carry. Its last layer starts at 0: a network trained without it is the same network
with it, and can be trained further.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.networks.blocks import zeroed


class PixelPath(nn.Module):
    """Three convolutions at full resolution, scaled and shifted by the time."""

    def __init__(
        self, in_channels: int, out_channels: int, cell_channels: int, width: int, time_width: int, patch: int
    ) -> None:
        super().__init__()
        self.patch = patch
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        self.expand = nn.Conv2d(cell_channels, width * patch**2, 1)
        self.time = nn.Linear(time_width, 4 * width)
        self.conv = nn.Conv2d(2 * width, width, 3, padding=1)
        self.conv_out = zeroed(nn.Conv2d(width, out_channels, 3, padding=1))

    def forward(self, x: Tensor, cells: Tensor, time: Tensor) -> Tensor:
        """The input x (B, in, H, W), the cells' last activations and the activated time to (B, out, H, W)."""
        told = F.pixel_shuffle(self.expand(cells), self.patch)
        h = torch.cat([self.conv_in(x), told], dim=1).contiguous(memory_format=torch.channels_last)
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        return self.conv_out(F.silu(self.conv(F.silu(h * (1 + scale) + shift))))
