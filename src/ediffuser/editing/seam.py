"""Colours without a step at the hole's border, at the model's resolution.

A model may paint a hole a shade too bright or too warm. It is asked to paint one cell more than the hole on every
side: on that ring its picture can be compared with the truth. The difference, carried smoothly into the hole, is added
to what the model painted. This keeps the model's detail and meets the known picture: gradient-domain compositing
(Pérez et al., Poisson image editing, 2003) with pull-push in the place of a Poisson solver.
"""

import torch
from torch import Tensor
from torch.nn import functional


def with_ring(holes: Tensor) -> Tensor:
    """The holes grown by one cell in all eight directions.

    Args:
        holes: 1 where to paint, else 0, shape (B, 1, r, r).

    Returns:
        The same shape and values.
    """
    return functional.max_pool2d(holes, kernel_size=3, stride=1, padding=1)


def match(painted: Tensor, known: Tensor, holes: Tensor) -> Tensor:
    """What was painted, with its colours moved so that they meet the known picture.

    Args:
        painted: What the model painted in `with_ring(holes)`, in [-1, 1], shape (B, 3, r, r).
        known: The picture, true outside the holes, in [-1, 1], the same shape.
        holes: 1 in the hole, 0 where known, shape (B, 1, r, r).

    Returns:
        The known picture outside the holes, the moved colours inside, clamped to [-1, 1], shape (B, 3, r, r).
    """
    ring = with_ring(holes) - holes
    moved = painted + _carried((known - painted) * ring, ring)
    return torch.where(holes > 0, moved.clamp(-1, 1), known)


def _carried(values: Tensor, weight: Tensor) -> Tensor:
    """Smooth values everywhere from values known in some cells (pull-push: Gortler et al. 1996).

    Args:
        values: The known values times their weight, shape (B, C, H, W).
        weight: How much is known of each cell, in [0, 1], shape (B, 1, H, W). Zero everywhere gives zeros.

    Returns:
        The mean value at a cell that is wholly known, elsewhere mixed with that of coarser and coarser surroundings.
    """
    mean = values / weight.clamp(min=1e-6)
    height, width = weight.shape[-2:]
    if height == 1 and width == 1:
        return mean
    # Pull: a coarse cell counts as known once a quarter of it is. Push: what is missing comes from there.
    pooled_weight = functional.avg_pool2d(weight, 2, ceil_mode=True, count_include_pad=False)
    pooled_values = functional.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
    fullness = (4 * pooled_weight).clamp(max=1) / pooled_weight.clamp(min=1e-6)
    coarse = _carried(pooled_values * fullness, pooled_weight * fullness)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return torch.lerp(smooth, mean, weight)
