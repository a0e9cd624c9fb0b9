"""Fine detail given back to a painted picture.

A network that guesses x_0 in few calls returns means, in which the finest detail is weaker than in real pictures. What
is there is amplified: an unsharp mask, x + amount (x - G x) with G a Gaussian blur. No detail is invented, and a flat
place stays flat. How much is right is a property of a trained model, to be measured (`scripts/sharpening.py`).

Beside known pixels little has to be guessed, so there is no lack, and what is amplified is a seam: the border is left
as it is.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ediffuser.runtime.component import component

BORDER_PX = 2
"""Width of the border of a hole that stays as it is. The editor's own ring of one pixel is a part of it."""


@component
class Sharpening:
    """An unsharp mask.

    Attributes:
        amount: How much of the finest detail is added once more.
        sigma_px: Standard deviation of the blur that tells it apart, in pixels.
    """

    amount: float = Field(default=0.9, gt=0)
    sigma_px: float = Field(default=0.7, gt=0, le=8)

    def __call__(self, x: Tensor) -> Tensor:
        """Pictures with more detail, shape (B, C, H, W); they may leave the range of x a little."""
        reach = min(int(4 * self.sigma_px) + 1, *(side - 1 for side in x.shape[2:]))
        distance = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
        bell = torch.exp(-(distance**2) / (2 * self.sigma_px**2))
        rows = (bell / bell.sum()).expand(x.shape[1], 1, 1, -1)
        padded = functional.pad(x, (reach,) * 4, mode="reflect")
        blurred = functional.conv2d(padded, rows, groups=x.shape[1])
        blurred = functional.conv2d(blurred, rows.transpose(2, 3), groups=x.shape[1])
        return x + self.amount * (x - blurred)

    def within(self, x: Tensor, hole: Tensor) -> Tensor:
        """x sharpened inside holes, by half three pixels from the border, wholly from the fourth on.

        Args:
            x: Pictures, known pixels included, shape (B, C, H, W).
            hole: 1 where painted, else 0, shape (B, 1, H, W).

        Returns:
            Shape (B, C, H, W); the known pixels and the two next to them are those of x.
        """
        inside = (_eroded(hole, BORDER_PX) + _eroded(hole, BORDER_PX + 1)) / 2
        return x + inside * (self(x) - x)


def _eroded(hole: Tensor, px: int) -> Tensor:
    """The hole without its outermost pixels; the picture's edge is no border of it."""
    return -functional.max_pool2d(-hole, kernel_size=2 * px + 1, stride=1, padding=px)
