"""The luma is known, the colours are to be found."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.tasks.observation import Observation

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""ITU-R 601-2."""


def luma(x: Tensor) -> Tensor:
    """The luma of RGB images (B, 3, H, W) in [-1, 1], shape (B, 1, H, W), same range."""
    return (x * _weights(x)).sum(dim=1, keepdim=True)


@component
class Colorization:
    """P is the orthogonal projection of each pixel on the luma direction; the network is given the luma thrice.

    Source: the dissertation's Algorithm 3, with its erratum (all three channels are the luma).
    """

    condition_channels: ClassVar[int] = 3
    kind: Literal["colorization"] = "colorization"

    def observe(self, x0: Tensor, noise: Noise, hole: Tensor | None = None) -> Observation:
        """The luma of x0, everywhere; a hole plays no part."""
        return Observation(known=_project(x0), project=_project, condition=luma(x0).expand_as(x0))


def _project(x: Tensor) -> Tensor:
    weights = _weights(x)
    return weights / (weights**2).sum() * luma(x)


def _weights(x: Tensor) -> Tensor:
    return torch.tensor(LUMA_WEIGHTS, dtype=x.dtype, device=x.device).reshape(1, 3, 1, 1)
