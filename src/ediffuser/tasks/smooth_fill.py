"""What is known of a picture, spread into where nothing is (pull-push: Gortler et al. 1996, "The lumigraph")."""

import torch
from torch import Tensor
from torch.nn import functional


def smooth_fill(known: Tensor, hole: Tensor) -> Tensor:
    """The known pixels, and in the hole the colours around it, the more blurred the farther away.

    Args:
        known: Pictures that are 0 in the hole, shape (B, C, H, W).
        hole: 1 where nothing is known, else 0, shape (B, 1, H, W).

    Returns:
        Shape (B, C, H, W); the known pixels unchanged, and 0 where nothing at all is known.
    """
    return known + hole * spread(known, 1 - hole)


def spread(values: Tensor, weight: Tensor) -> Tensor:
    """Smooth values everywhere from values known in some cells.

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
    coarse = spread(pooled_values * fullness, pooled_weight * fullness)
    smooth = functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return torch.lerp(smooth, mean, weight)
