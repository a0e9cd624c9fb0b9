"""The kernel distance of two sets of pictures: the squared maximum mean discrepancy of their features.

Bińkowski et al., "Demystifying MMD GANs", 2018, Eq. 4, with the cubic kernel (x.y / D + 1)^3. Unlike a Fréchet distance
it is unbiased at every N, so it is the one to report for few pictures; it may come out slightly below 0. It is called
KID under the Inception network of 2015-12-05 alone. The arithmetic is torch-fidelity's.
"""

from functools import partial

import numpy as np
from torch import Tensor

from ediffuser.evaluation.optional import optional
from ediffuser.runtime.errors import BadInputError

Z = 1.959964
"""The 97.5 % quantile of the standard normal distribution."""


def kernel_distance(x: Tensor, y: Tensor, subsets: int = 100, size: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Mean and deviation of the squared MMD over random subsets.

    Args:
        x: Features of one set, shape (N, D), any type; computed in float64.
        y: Those of the other, shape (M, D).
        subsets: How many subsets are drawn.
        size: Pictures in each; fewer where the sets are small, see `subset_size`.
        seed: Of the draws.

    Returns:
        The mean, and the standard deviation over subsets. That deviation is no error of the mean, for which there is
        `kernel_interval`.

    Raises:
        BadInputError: If a set has fewer than 4 pictures, the features differ in length, or torch-fidelity is missing.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise BadInputError(f"features of shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared")
    metric = optional("torch_fidelity.metric_kid", "torch-fidelity")
    found = metric.kid_features_to_metric(
        x.double(),
        y.double(),
        kid_subsets=subsets,
        kid_subset_size=subset_size(len(x), len(y), size),
        rng_seed=seed,
        verbose=False,
    )
    return found[metric.KEY_METRIC_KID_MEAN], found[metric.KEY_METRIC_KID_STD]


def kernel_difference(
    real: Tensor, one: Tensor, other: Tensor, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """How much nearer `other` is to `real` than `one`, over the subsets that `kernel_distance` draws of each.

    Rows of `one` and `other` that belong together, results of one original, are drawn together, and both meet the same
    rows of `real`: what they share cancels, so the deviation is that of the difference alone.

    Args:
        real: Features of the reference, shape (N, D).
        one: Of some results, shape (M, D).
        other: Of others of the same originals in the same order, shape (M, D).
        subsets: As of `kernel_distance`.
        size: Likewise.
        seed: Likewise.

    Returns:
        The mean, which is `kernel_distance(real, one)` less `kernel_distance(real, other)`, and the deviation.

    Raises:
        BadInputError: If the shapes do not fit, a set has fewer than 4 pictures, or torch-fidelity is missing.
    """
    if one.shape != other.shape or real.shape[1:] != one.shape[1:]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (real, one, other))
        raise BadInputError(f"features of shapes {shapes} cannot be compared")
    metric = optional("torch_fidelity.metric_kid", "torch-fidelity")
    distance = partial(metric.kernel_mmd, verbose=False)
    x, a, b = (each.double().cpu().numpy() for each in (real, one, other))
    m, random = subset_size(len(x), len(a), size), np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        rows, places = random.choice(len(x), m, replace=False), random.choice(len(a), m, replace=False)
        found.append(distance(x[rows], a[places]) - distance(x[rows], b[places]))
    return float(np.mean(found)), float(np.std(found))


def subset_size(count: int, other: int, size: int = 1000) -> int:
    """How many pictures a subset has: at most half of the smaller set, or all subsets would be nearly the same.

    Raises:
        BadInputError: If a set has fewer than 4 pictures.
    """
    if min(count, other) < 4:
        raise BadInputError(f"a kernel distance needs at least 4 pictures on each side, got {count} and {other}")
    return min(size, min(count, other) // 2)


def kernel_interval(
    mean: float, deviation: float, count: int, other: int, subsets: int = 100, size: int = 1000
) -> tuple[float, float]:
    """The 95 % interval of a kernel distance, from its spread over subsets.

    Subsets of m out of n pictures spread sqrt((n - m) / m) times as much as the figure of all n would from one draw of
    the n to the next (the delete-d jackknife, Shao & Wu 1989); to that comes the error of a mean of so many subsets.
    Where the two sets have one distribution, the spread falls faster with n than that, and the interval is too wide
    rather than too narrow.

    Args:
        mean: As of `kernel_distance`.
        deviation: Likewise.
        count: Pictures of one set.
        other: Pictures of the other.
        subsets: As given to `kernel_distance`.
        size: Likewise.
    """
    m, n = subset_size(count, other, size), min(count, other)
    half = Z * deviation * (m / (n - m) + 1 / subsets) ** 0.5
    return mean - half, mean + half
