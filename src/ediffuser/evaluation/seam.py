"""Whether the border of a hole can be seen: the step across it, beside that of the picture nobody touched.

A fill that fits has about the steps that the picture has there; one that is too bright, or soft where the picture has
grain, has larger or smaller ones. Where the picture is smooth a seam is seen first, hence the holes named `SMOOTH`.
"""

import math

import torch
from torch import Tensor

from ediffuser.evaluation.figures import Figure, bootstrap
from ediffuser.runtime.errors import BadInputError

SEAM = "step across the border"
"""The name of the figure."""


def border_steps(pictures: Tensor, holes: Tensor) -> Tensor:
    """The mean step from a pixel of the hole to a neighbour outside it, right, left, above or below.

    Args:
        pictures: uint8, shape (B, C, H, W).
        holes: 1 in the hole, shape (B, 1, H, W).

    Returns:
        Grey levels, the mean over channels and pairs, float64, shape (B,).

    Raises:
        BadInputError: If a hole is empty or covers its picture, so that it has no border.
    """
    x, inside = pictures.cpu().double(), holes.cpu() > 0
    total, pairs = torch.zeros(len(x), dtype=torch.float64), torch.zeros(len(x), dtype=torch.float64)
    for dim in (2, 3):
        crosses = inside.diff(dim=dim)
        total += (x.diff(dim=dim).abs().mean(dim=1, keepdim=True) * crosses).sum(dim=(1, 2, 3))
        pairs += crosses.sum(dim=(1, 2, 3))
    if not pairs.all():
        raise BadInputError("a hole without a border, empty or as large as the picture, has no step across it")
    return total / pairs


def seam_figure(steps: Tensor, untouched: Tensor, *, group: str, method: str) -> Figure:
    """The mean step across the border over that of the untouched pictures: 1 for them, more where a seam is seen.

    Args:
        steps: `border_steps` of the results, shape (N,).
        untouched: Those of the originals, shape (N,), not all 0.
        group: The kind of hole.
        method: Who filled it.
    """
    both = torch.stack([steps, untouched], dim=1)
    value, ends = _ratio(both[None]).item(), bootstrap(both, statistic=_ratio)
    # Where nearly all untouched steps are 0, a draw of pictures may have no other: then there is no interval.
    low, high = ends if all(map(math.isfinite, ends)) else (None, None)
    return Figure(SEAM, value, low, high, "one", "x", len(both), "", "", group, method)


def _ratio(both: Tensor) -> Tensor:
    steps, untouched = both.mean(dim=1).unbind(dim=1)
    return steps / untouched
