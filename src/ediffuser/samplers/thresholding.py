"""Thresholding: what keeps an expected x_0 in the range of pictures."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Thresholding = Literal["none", "clip", "dynamic"]


@dataclass(frozen=True)
class Threshold:
    """Keeps x_0 as it is, clips it to [-1, 1], or clips it to its own range and scales that to [-1, 1].

    Attributes:
        kind: Which of the three; "dynamic" is that of Saharia et al. 2022, section 2.3.
        quantile: Of the absolute values of one picture: the range that "dynamic" clips to, if it is more than 1.
        limit: The largest such range; None is none, and 1 makes "dynamic" a plain clip.
    """

    kind: Thresholding = "none"
    quantile: float = 0.995
    limit: float | None = None

    def __call__(self, x0: Tensor) -> Tensor:
        """The thresholded x_0, shape (B, C, H, W); each row by itself."""
        if self.kind == "none":
            return x0
        if self.kind == "clip":
            return x0.clamp(-1, 1)
        # Row by row: torch.quantile takes no more than 2^24 values.
        ranges = torch.stack([torch.quantile(row.abs().flatten(), self.quantile) for row in x0])
        ranges = ranges.clamp(1, self.limit).reshape(-1, *(1,) * (x0.ndim - 1))
        return torch.clamp(x0, -ranges, ranges) / ranges
