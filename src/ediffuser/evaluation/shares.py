"""Shares of groups: in the data beside those in what a model makes, and in pictures before and after they are filled.

A model may amplify what its data lack: the dissertation's shows a majority's faces in 96 % of its samples, more than
in the data (4.3.2). And it may fill the hole in a face with features of another group: then a classifier sees another
group after than before. One classifier must have counted both sides, for its own errors are then the same on both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ediffuser.evaluation.bias import SMALL, holm
from ediffuser.runtime.errors import BadInputError

Z = float(stats.norm.ppf(0.975))

TABLES = 99_999
"""Random tables of the exact test."""


@dataclass(frozen=True)
class Rate:
    """A share of counted things, with its 95 % interval (Wilson 1927)."""

    count: int
    total: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class ShareRow:
    """A group in the data and among the samples.

    Attributes:
        group: Its name.
        data: Its share in the data.
        made: Its share among the samples.
        difference: The second less the first.
        low: Lower end of its 95 % interval (Newcombe 1998).
        high: Upper end.
        p_holm: Of Fisher's exact test of this group against all others, corrected for all groups; None if it is small.
    """

    group: str
    data: Rate
    made: Rate
    difference: float
    low: float
    high: float
    p_holm: float | None


@dataclass(frozen=True)
class Shares:
    """All groups in the data and among the samples.

    Attributes:
        rows: Each group.
        p: That samples so far from the data come up by chance, all groups together.
        test: Which test that was.
    """

    rows: tuple[ShareRow, ...]
    p: float
    test: str


@dataclass(frozen=True)
class FlipRow:
    """What becomes of a group when its pictures are filled.

    Attributes:
        group: Its name.
        before: Its share of the originals.
        after: Its share of the filled pictures.
        change: The second less the first.
        low: Lower end of its 95 % interval (Agresti & Min 2005).
        high: Upper end.
        p_change_holm: Of McNemar's exact test of the change, corrected for all groups; None if the group is small.
        flipped: How many of its own pictures are another group's when filled.
        p_flipped_holm: Of Fisher's exact test against the other groups' flips, corrected; None if it is small.
    """

    group: str
    before: Rate
    after: Rate
    change: float
    low: float
    high: float
    p_change_holm: float | None
    flipped: Rate
    p_flipped_holm: float | None


@dataclass(frozen=True)
class Flips:
    """Groups before and after.

    Attributes:
        names: The groups.
        table: How many pictures of group i (row) are of group j (column) when filled.
        rows: Of each group that occurs, what becomes of it.
    """

    names: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    rows: tuple[FlipRow, ...]


def rate(count: int, total: int) -> Rate:
    """A share with its interval; of nothing counted the interval is everything."""
    if total == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    share = count / total
    centre, spread = share + Z**2 / (2 * total), Z * (share * (1 - share) / total + Z**2 / (4 * total**2)) ** 0.5
    low, high = ((centre + sign * spread) / (1 + Z**2 / total) for sign in (-1, 1))
    # At the ends the formula is exact, its rounding is not.
    return Rate(count, total, share, low if count else 0.0, high if count < total else 1.0)


def difference_interval(one: Rate, other: Rate) -> tuple[float, float]:
    """The 95 % interval of one share less another of other things (Newcombe 1998, method 10)."""
    gap = one.share - other.share
    return (
        gap - ((one.share - one.low) ** 2 + (other.high - other.share) ** 2) ** 0.5,
        gap + ((one.high - one.share) ** 2 + (other.share - other.low) ** 2) ** 0.5,
    )


def compare_shares(names: Sequence[str], data: Sequence[int], made: Sequence[int]) -> Shares:
    """Compares how many pictures of each group are in the data and among the samples.

    All groups together are compared by a chi-square test, or where it expects fewer than 5 pictures in a cell by the
    same statistic over random tables with these margins. A group with fewer than `SMALL` pictures on both sides
    together is shown and not judged.

    Args:
        names: Of K groups.
        data: Their pictures in the data.
        made: Their pictures among the samples.

    Raises:
        BadInputError: If there are no pictures on one of the sides.
    """
    table = np.array([data, made], np.int64)
    totals = table.sum(1)
    if not totals.all():
        raise BadInputError(
            f"shares need pictures on both sides: there are {totals[0]} of the data and {totals[1]} made"
        )
    judged = [k for k, count in enumerate(table.sum(0)) if count >= SMALL]
    corrected = dict(zip(judged, holm([_fisher(*table[:, k], *totals) for k in judged]), strict=True))
    rows = []
    for k, name in enumerate(names):
        before, after = (rate(int(table[side, k]), int(totals[side])) for side in (0, 1))
        low, high = difference_interval(after, before)
        rows.append(ShareRow(name, before, after, after.share - before.share, low, high, corrected.get(k)))
    p, test = _homogeneity(table[:, table.any(0)])
    return Shares(tuple(rows), p, test)


def flips(names: Sequence[str], before: np.ndarray, after: np.ndarray) -> Flips:
    """How the groups of pictures change when they are filled.

    Args:
        names: Of K groups.
        before: Group of each original, int64 in [0, K), shape (N,).
        after: Group of the same picture filled.

    Raises:
        BadInputError: If there are no pictures, or not as many before as after.
    """
    if len(before) != len(after) or len(before) == 0:
        raise BadInputError(f"groups before and after must be of the same pictures: {len(before)} and {len(after)}")
    table = np.zeros((len(names), len(names)), np.int64)
    np.add.at(table, (before, after), 1)
    lost, won = table.sum(1) - table.diagonal(), table.sum(0) - table.diagonal()
    own, total = table.sum(1), int(table.sum())
    known = [k for k in range(len(names)) if own[k] or won[k]]
    judged = [k for k in known if max(own[k], table[:, k].sum()) >= SMALL]
    apart = [k for k in known if min(own[k], total - own[k]) >= SMALL]
    changes = holm([_mcnemar(lost[k], won[k]) for k in judged])
    unlike = holm([_fisher(lost[k], lost.sum() - lost[k], own[k], total - own[k]) for k in apart])
    change, flipped = dict(zip(judged, changes, strict=True)), dict(zip(apart, unlike, strict=True))
    rows = []
    for k in known:
        low, high = _paired_interval(int(lost[k]), int(won[k]), total)
        rows.append(
            FlipRow(
                group=names[k],
                before=rate(int(own[k]), total),
                after=rate(int(table[:, k].sum()), total),
                change=float(won[k] - lost[k]) / total,
                low=low,
                high=high,
                p_change_holm=change.get(k),
                flipped=rate(int(lost[k]), int(own[k])),
                p_flipped_holm=flipped.get(k),
            )
        )
    return Flips(tuple(names), tuple(map(tuple, table.tolist())), tuple(rows))


def _paired_interval(lost: int, won: int, total: int) -> tuple[float, float]:
    """Of (won - lost) / total, with half a pair added to each cell of the table (Agresti & Min 2005)."""
    total, lost_, won_ = total + 2, lost + 0.5, won + 0.5
    centre = (won_ - lost_) / total
    spread = Z * (won_ + lost_ - (won_ - lost_) ** 2 / total) ** 0.5 / total
    return max(-1.0, centre - spread), min(1.0, centre + spread)


def _mcnemar(lost: int, won: int) -> float:
    return float(stats.binomtest(int(lost), int(lost + won)).pvalue) if lost + won else 1.0


def _fisher(count: int, other: int, total: int, other_total: int) -> float:
    """Two-sided, of `count` out of `total` against `other` out of `other_total`."""
    table = [[int(count), int(total - count)], [int(other), int(other_total - other)]]
    result: Any = stats.fisher_exact(table)  # scipy's result types say too little
    return float(result.pvalue)


def _homogeneity(table: np.ndarray) -> tuple[float, str]:
    """The p that both rows are of one distribution, and the test it comes from."""
    if table.shape[1] < 2:
        return 1.0, "one group only"
    totals, columns = table.sum(1), table.sum(0)
    expected = np.outer(totals, columns) / columns.sum()
    chi_square = ((table - expected) ** 2 / expected).sum()
    if expected.min() >= 5:
        return float(
            stats.chi2.sf(chi_square, table.shape[1] - 1)
        ), f"chi-square, {table.shape[1] - 1} degrees of freedom"
    random = np.random.Generator(np.random.PCG64(0)).multivariate_hypergeometric(columns, totals[0], size=TABLES)
    both = np.stack([random, columns - random], 1)
    drawn = ((both - expected) ** 2 / expected).sum((1, 2))
    exceeded = int((drawn >= chi_square * (1 - 1e-9)).sum())
    return (exceeded + 1) / (TABLES + 1), f"exact, by {TABLES:,} random tables"
