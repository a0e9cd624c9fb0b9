"""How much several pictures of one observation differ: means over all pairs of them.

The dissertation's proposal, section 4: several fills of one hole, compared with each other by LPIPS and SSIM. A model
that paints one answer has distance 0 and similarity 1.
"""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from ediffuser.evaluation.similarity import Distance, ssim
from ediffuser.runtime.errors import BadInputError


def diversity(fills: Tensor, distance: Distance) -> Tensor:
    """The mean distance of two fills; the network sees each fill once.

    Args:
        fills: uint8, shape (B, V, 3, H, W), V at least 2.
        distance: The perceptual distance.

    Returns:
        float32, shape (B,), at least 0.

    Raises:
        BadInputError: If there is one fill only.
    """
    features = [distance.features(pictures) for pictures in _variations(fills)]
    return torch.stack([distance.between(one, other) for one, other in combinations(features, 2)]).mean(dim=0)


def ssim_of_fills(fills: Tensor, holes: Tensor | None = None) -> Tensor:
    """The mean SSIM of two fills, over the whole picture or, with holes (B, 1, H, W), over the hole; shape (B,)."""
    pairs = combinations(_variations(fills), 2)
    return torch.stack([ssim(one, other, holes) for one, other in pairs]).mean(dim=0)


def _variations(fills: Tensor) -> Iterator[Tensor]:
    if fills.ndim != 5 or fills.shape[1] < 2:
        raise BadInputError(f"diversity needs at least 2 fills of each hole, (B, V, C, H, W); got {tuple(fills.shape)}")
    return iter(fills.unbind(dim=1))
