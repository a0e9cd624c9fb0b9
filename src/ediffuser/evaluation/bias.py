"""Whether a method is worse for one group of pictures than for the others (dissertation 4.3.2).

Each group is compared with all other pictures, by a permutation test of Welch's t. Permuting the plain difference of
means instead would take a group that only varies more for one that differs (Janssen 1997; Chung & Romano 2013). All
tests of one call are corrected together by Holm's method, so that where no group differs, the chance to name one at all
is at most 5 %. Groups of fewer than `SMALL` pictures are shown and never judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ediffuser.data.groups import Groups
from ediffuser.evaluation.figures import bootstrap
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import derived_seed

SMALL = 30
"""Groups of fewer pictures are not judged."""

LEVEL = 0.05

PERMUTATIONS = 9_999

_AT_ONCE = 1_000_000  # random numbers in memory


@dataclass(frozen=True)
class Measure:
    """A number for each of N pictures, such as the distance of what was painted from the original.

    Attributes:
        name: What it is called.
        better: Whether low or high is better.
        values: Shape (N,).
        unit: Its unit.
    """

    name: str
    better: Literal["low", "high"]
    values: Tensor
    unit: str = ""


@dataclass(frozen=True)
class GroupMean:
    """The mean over a group's pictures, with its 95 % interval; none for a group of one picture."""

    group: str
    count: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Gap:
    """A group's mean less that of all other pictures.

    Attributes:
        group: Which group.
        gap: The difference.
        low: Lower end of its 95 % interval (Welch), of this gap alone.
        high: Upper end.
        p: Of the permutation test, not corrected.
        p_holm: Corrected for all gaps that were tested together.
    """

    group: str
    gap: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """The groups by one measure.

    Attributes:
        name: Of the measure.
        better: Whether low or high is better.
        unit: Of the measure.
        means: Of every group.
        gaps: Of every group that is judged; of two groups the first, for the other's is the same with another sign.
        worst: The group that is worse than the others by most, significantly; "" if none is.
    """

    name: str
    better: Literal["low", "high"]
    unit: str
    means: tuple[GroupMean, ...]
    gaps: tuple[Gap, ...]
    worst: str


def compare(
    measures: Sequence[Measure], groups: Groups, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> list[Comparison]:
    """Compares the groups by each measure; the p of all are corrected together.

    Args:
        measures: Of the same N pictures.
        groups: Of the pictures.
        seed: Of the permutations.
        permutations: How many; no p is below 1 / (permutations + 1).

    Raises:
        BadInputError: If a measure is of another number of pictures, or not finite.
    """
    for measure in measures:
        if measure.values.shape != groups.labels.shape or not measure.values.isfinite().all():
            raise BadInputError(
                f"'{measure.name}' has values of shape {tuple(measure.values.shape)}; each of the {len(groups.labels)} "
                "pictures whose groups are known needs a finite one"
            )
    judged = judged_groups(groups)
    values = torch.stack([measure.values.double() for measure in measures], 1)
    p = _permutation_p(values, groups, judged, seed, permutations)
    corrected = np.reshape(holm(p.ravel()), p.shape)
    return [_comparison(measure, groups, judged, p[:, k], corrected[:, k]) for k, measure in enumerate(measures)]


def judged_groups(groups: Groups) -> list[int]:
    """The groups that are compared with all others: both are large enough, and of two groups the first alone."""
    counts = groups.counts
    large = [k for k, count in enumerate(counts) if min(count, counts.sum() - count) >= SMALL]
    return large[:1] if len(counts) == 2 else large


def holm(p: Sequence[float] | np.ndarray) -> list[float]:
    """Probabilities corrected for their number (Holm 1979); the k-th least is multiplied by n - k, from k = 0 on."""
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()


def _comparison(
    measure: Measure, groups: Groups, judged: Sequence[int], p: np.ndarray, corrected: np.ndarray
) -> Comparison:
    values = measure.values.double().cpu()
    members = [torch.from_numpy(groups.labels == k) for k in range(len(groups.names))]
    means = tuple(_mean(name, values[rows]) for name, rows in zip(groups.names, members, strict=True))
    gaps = tuple(
        _gap(groups.names[k], values[members[k]], values[~members[k]], raw, holms)
        for k, raw, holms in zip(judged, p.tolist(), corrected.tolist(), strict=True)
    )
    return Comparison(measure.name, measure.better, measure.unit, means, gaps, _worst(measure, groups, gaps))


def _mean(group: str, values: Tensor) -> GroupMean:
    low, high = bootstrap(values) if len(values) > 1 else (None, None)
    return GroupMean(group, len(values), values.mean().item(), low, high)


def _gap(group: str, own: Tensor, others: Tensor, p: float, p_holm: float) -> Gap:
    gap = (own.mean() - others.mean()).item()
    if own.var() + others.var() == 0:
        return Gap(group, gap, gap, gap, p, p_holm)
    interval = stats.ttest_ind(own.numpy(), others.numpy(), equal_var=False).confidence_interval(0.95)
    return Gap(group, gap, float(interval.low), float(interval.high), p, p_holm)


def _worst(measure: Measure, groups: Groups, gaps: Sequence[Gap]) -> str:
    sign = 1 if measure.better == "low" else -1
    worse = {gap.group: sign * gap.gap for gap in gaps if gap.p_holm < LEVEL}
    if len(groups.names) == 2 and worse:  # the gap of the second is that of the first, negated
        first, second = groups.names
        worse[second] = -worse[first]
    return max(worse, key=worse.__getitem__) if worse and max(worse.values()) > 0 else ""


def _permutation_p(values: Tensor, groups: Groups, judged: Sequence[int], seed: int, count: int) -> np.ndarray:
    """Two-sided p of each judged group (rows) by each measure (columns), from the same permutations."""
    values = values - values.mean(0)
    scale = values.std(0, correction=0)
    values = values / torch.where(scale > 0, scale, 1)
    labels = torch.from_numpy(groups.labels)
    seen = _welch(labels[None], values, judged)[0].abs()
    generator = torch.Generator().manual_seed(derived_seed("permutations", seed))
    exceeded, left = torch.zeros_like(seen), count
    while left:
        some = min(left, max(1, _AT_ONCE // len(labels)))
        shuffled = labels[torch.rand(some, len(labels), generator=generator).argsort(1)]
        exceeded += (_welch(shuffled, values, judged).abs() >= seen * (1 - 1e-9)).sum(0)
        left -= some
    return ((exceeded + 1) / (count + 1)).numpy()


def _welch(labels: Tensor, values: Tensor, judged: Sequence[int]) -> Tensor:
    """Welch's t of each judged group against the rest.

    Args:
        labels: Some assignments to groups, int64, shape (P, N).
        values: Of mean 0 and variance 1, shape (N, M).
        judged: G groups.

    Returns:
        Shape (P, G, M); 0 where no value differs from another.
    """
    both, total = torch.cat([values, values**2], 1), torch.cat([values, values**2], 1).sum(0)
    found = []
    for group in judged:
        own = labels == group
        n, rest = own.sum(1, keepdim=True).double(), (~own).sum(1, keepdim=True).double()
        sums = own.double() @ both
        (m, m_square), (o, o_square) = (sums / n).chunk(2, 1), ((total - sums) / rest).chunk(2, 1)
        variance = (m_square - m**2).clamp(min=0) / (n - 1) + (o_square - o**2).clamp(min=0) / (rest - 1)
        found.append((m - o) / (variance.sqrt() + 1e-12))
    return torch.stack(found, 1) if found else torch.empty(len(labels), 0, values.shape[1], dtype=torch.float64)
