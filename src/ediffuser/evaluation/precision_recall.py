"""What share of the made pictures look real, and what share of the real ones could have been made.

Each set is replaced by balls around its features that reach to the k-th nearest neighbour. Precision and recall are
those of Kynkäänniemi et al., "Improved precision and recall metric", 2019, Eq. 1-2; density and coverage, which one
outlier does not spoil, those of Naeem et al., "Reliable fidelity and diversity metrics", 2020, Eq. 5-6. All four need
the same balls, so they are computed together, in one pass over the distances.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ediffuser.runtime.errors import BadInputError

ROWS = 1000
"""Rows of a matrix of distances that are in memory at once: 80 MB for 10,000 pictures."""


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1], higher is better; the density alone may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """The four shares.

    Args:
        real: Features of real pictures, shape (N, D); computed in float64.
        fake: Features of made pictures, shape (M, D). Compare models at equal N and M only.
        k: Which neighbour a ball reaches to, not counting the picture itself.

    Raises:
        BadInputError: If a set has no k-th neighbour, or the features differ in length.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise BadInputError(f"features of shapes {tuple(real.shape)} and {tuple(fake.shape)} cannot be compared")
    if not 1 <= k < min(len(real), len(fake)):
        raise BadInputError(f"balls to neighbour {k} need more than {k} pictures, got {len(real)} and {len(fake)}")
    real, fake = real.double(), fake.double()
    around_real, around_fake = _radii(real, k), _radii(fake, k)
    in_real_balls = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)
    covered, recalled = 0, 0
    for start in range(0, len(real), ROWS):
        rows = slice(start, start + ROWS)
        distances = torch.cdist(real[rows], fake)
        inside = distances <= around_real[rows, None]
        in_real_balls += inside.sum(dim=0)
        covered += int(inside.any(dim=1).sum())
        recalled += int((distances <= around_fake).any(dim=1).sum())
    return PrecisionRecall(
        precision=(in_real_balls > 0).double().mean().item(),
        recall=recalled / len(real),
        density=in_real_balls.sum().item() / (k * len(fake)),
        coverage=covered / len(real),
    )


def _radii(features: Tensor, k: int) -> Tensor:
    """The distance from each vector to its k-th nearest neighbour, shape (N,); the vector itself is the 0-th."""
    return torch.cat([torch.cdist(rows, features).kthvalue(k + 1).values for rows in features.split(ROWS)])
