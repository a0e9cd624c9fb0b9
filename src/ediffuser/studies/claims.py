"""What is claimed of figures, and whether they bear it out: holds, does not hold, or not significant.

Figures that were measured differently, under other features or against other pictures, are not compared at all.

A comparison is decided by the 95 % interval of a difference. Where both sides made something of the same originals, or
as many pictures from nothing that are compared with the same ones, its half width h over pictures is that of paired
differences. Elsewhere the figures' own half widths h_a and h_b are taken as independent, and h = sqrt(h_a^2 + h_b^2).
With n > 1 training
seeds the difference is the mean of theirs, and its half width sqrt(t^2 s^2 / n + h^2): s is the standard deviation of
the seeds' differences, t Student's with n - 1 degrees of freedom, and h the mean of the seeds' half widths over
pictures, since all seeds are judged on the same ones. That the latter are also part of s makes it too wide rather than
too narrow. Intervals are not corrected for how many there are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Literal

from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.paired import paired_half_width
from ediffuser.evaluation.plan import TaskName
from ediffuser.studies.results import Result, half_width

Verdict = Literal["holds", "does not hold", "not significant", "not comparable", "missing"]

Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of cells: those that are said to be better, and those that are said to be worse."""

JUDGED_BY: Mapping[TaskName, tuple[tuple[str, ...], ...]] = {
    "generation": (("KID", "KD"),),
    "colorization": (("KID", "KD"), ("PD",)),
    "inpainting": (("KID", "KD"), ("LPIPS", "ST-LPIPS")),
}
"""By what models are compared: as sets of pictures, and where there are originals, picture by picture as well."""


@dataclass(frozen=True)
class Comparison:
    """That one cell is better than another.

    Attributes:
        label: Where they are compared, such as "25 steps".
        pairs: One for each training seed. Of several cells on a side the one whose calls are nearest to `nfe` counts.
        figure: Names of the figure they are compared by; whichever there is.
        nfe: Calls of the network near which solvers that choose their steps themselves are compared, each where it
            comes nearest, however far that is.
    """

    label: str
    pairs: tuple[Pair, ...]
    figure: tuple[str, ...] = ("KID", "KD")
    nfe: float = 0.0


@dataclass(frozen=True)
class Claim:
    """A conclusion, as comparisons that must all hold.

    Attributes:
        text: One sentence.
        source: Where the dissertation draws it.
        comparisons: What would have to be so.
    """

    text: str
    source: str
    comparisons: tuple[Comparison, ...]

    def judged(self, task: TaskName) -> tuple["Claim", ...]:
        """The same by each of the figures that tell of a task, `JUDGED_BY`: one may bear it out and another not."""
        return tuple(
            replace(
                self,
                text=f"{self.text}, by {' or '.join(figure)}",
                comparisons=tuple(replace(each, figure=figure) for each in self.comparisons),
            )
            for figure in JUDGED_BY[task]
        )

    def on(self, renamed: Mapping[str, str]) -> "Claim":
        """The same of cells by other names."""

        def names(side: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(renamed[name] for name in side)

        return replace(
            self,
            comparisons=tuple(
                replace(each, pairs=tuple((names(better), names(worse)) for better, worse in each.pairs))
                for each in self.comparisons
            ),
        )


@dataclass(frozen=True)
class Outcome:
    """What came of a comparison.

    Attributes:
        comparison: Which.
        verdict: Whether it holds.
        better: The seeds' figures of the side that is said to be better.
        worse: Those of the other.
        advantage: By how much the former is better, on average over seeds.
        half_width: Of the 95 % interval of the advantage.
        calls: Calls of the network of either side.
        counts: Pictures of either side.
        figure: Name of the figure that they were compared by.
    """

    comparison: Comparison
    verdict: Verdict
    better: tuple[float, ...] = ()
    worse: tuple[float, ...] = ()
    advantage: float = math.nan
    half_width: float = math.nan
    calls: tuple[float, float] = (math.nan, math.nan)
    counts: tuple[int, int] = (0, 0)
    figure: str = ""


def decide(comparison: Comparison, results: Mapping[str, Result]) -> Outcome:
    """Compares what there is.

    "missing" if a cell of any seed has no such figure or it has no interval; "not comparable" if figures are of
    different names or features, or as many pictures were compared with others.
    """
    found = [[_nearest(side, comparison, results) for side in pair] for pair in comparison.pairs]
    if not found or any(result is None for sides in found for result in sides):
        return Outcome(comparison, "missing")
    sides = [[result for result in column if result is not None] for column in zip(*found, strict=True)]
    figures = [[result.figure(*comparison.figure) for result in side] for side in sides]
    better, worse = ([figure for figure in side if figure is not None] for side in figures)
    if not _alike([*sides[0], *sides[1]], [*better, *worse]):
        return Outcome(comparison, "not comparable")
    sign = 1 if better[0].better == "low" else -1
    differences = [sign * (b.value - a.value) for a, b in zip(better, worse, strict=True)]
    over_pictures = fmean(_over_pictures(*pair) for pair in zip(*sides, better, worse, strict=True))
    advantage, width = fmean(differences), math.hypot(over_pictures, _over_seeds(differences))
    return Outcome(
        comparison,
        _verdict(advantage, width),
        tuple(figure.value for figure in better),
        tuple(figure.value for figure in worse),
        advantage,
        width,
        (fmean(result.calls for result in sides[0]), fmean(result.calls for result in sides[1])),
        (better[0].count, worse[0].count),
        better[0].name,
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """The verdict on a whole claim, in words."""
    verdicts = [outcome.verdict for outcome in outcomes]
    if len(set(verdicts)) == 1:
        return verdicts[0] if verdicts[0] != "missing" else "not measured yet"
    order: tuple[Verdict, ...] = ("holds", "does not hold", "not significant", "not comparable", "missing")
    parts = [f"{verdict} in {verdicts.count(verdict)}" for verdict in order if verdict in verdicts]
    return f"{', '.join(parts)} of {len(verdicts)} comparisons".replace("missing in", "not measured in")


def _nearest(names: tuple[str, ...], comparison: Comparison, results: Mapping[str, Result]) -> Result | None:
    there = [results[name] for name in names if name in results]
    there = [result for result in there if _usable(result, comparison.figure)]
    if len(names) > 1 and len(there) < len(names):
        return None  # which of them is nearest is not known yet
    return min(there, key=_distance(comparison.nfe), default=None)


def _distance(nfe: float) -> Callable[[Result], float]:
    return lambda result: abs(result.calls - nfe)


def _usable(result: Result, names: tuple[str, ...]) -> bool:
    figure = result.figure(*names)
    return figure is not None and math.isfinite(figure.value) and math.isfinite(half_width(figure))


def _alike(results: Sequence[Result], figures: Sequence[Figure]) -> bool:
    """Whether figures are of one name and network, and as many pictures were compared with the same ones."""
    contexts = [result.context for result in results]
    references = {(context.count, context.split, context.reference_sha256) for context in contexts}
    return len({(each.name, each.features_sha256) for each in figures}) == 1 and len(references) == len(
        {context.count for context in contexts}
    )


def _over_pictures(one: Result, other: Result, a: Figure, b: Figure) -> float:
    """Half the 95 % interval of the difference of two models' figures, over pictures."""
    if one.record is not None and other.record is not None:
        paired = paired_half_width(one.directory, other.directory, a.name, a.group)
        if paired is not None:
            return paired
    return math.hypot(half_width(a), half_width(b))


def _over_seeds(differences: Sequence[float]) -> float:
    if len(differences) < 2:
        return 0.0
    from scipy.stats import t  # takes a second to import

    return float(t.ppf(0.975, len(differences) - 1)) * stdev(differences) / math.sqrt(len(differences))


def _verdict(advantage: float, half_width: float) -> Verdict:
    if advantage > half_width:
        return "holds"
    return "does not hold" if advantage < -half_width else "not significant"
