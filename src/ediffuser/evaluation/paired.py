"""Two evaluations beside the same pictures: how sure their difference is, when what both share cancels.

A hard picture is hard for every method, and a set of references lies as it lies for all. The interval of a difference
of two figures as if they were independent is therefore wider than it need be; here it is made of the differences of
single pictures, or of the same subsets of both sets.
"""

from pathlib import Path

import torch
from torch import Tensor

from ediffuser.evaluation.accuracy import feature_distances
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.kid import kernel_difference, kernel_interval
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import MODEL
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.sets import SetFigures, set_figures
from ediffuser.evaluation.summary import SCORES, cells, named, scores

KERNEL, PERCEPTUAL = ("KID", "KD"), "PD"


def paired_half_width(one: Path, other: Path, name: str, group: str = "") -> float | None:
    """Half the length of the 95 % interval of the difference of a figure of two finished evaluations.

    Args:
        one: The run directory of one of them.
        other: That of the other.
        name: Of the models' figure: KID or KD, PD, or a mean over single pictures, such as PSNR or LPIPS.
        group: The kind of holes, as of `Figure`.

    Returns:
        It; None where pictures do not belong together: other originals, other holes, another number of pictures, or a
        figure that is not made of pictures or their features. Pictures from nothing have a reference in common and the
        noise that each begins with, so it is given of their kernel distance.

    Raises:
        BadInputError: If a directory holds no finished evaluation, or a part is missing or damaged.
    """
    if not _belong_together(Record.read(one), Record.read(other), name):
        return None
    if name in KERNEL:
        return _of_sets(one, other, group)
    a, b = _numbers(one, name, group), _numbers(other, name, group)
    if a is None or b is None or a.shape != b.shape:
        return None
    return _half(bootstrap(a - b)) if len(a) > 1 else None


def _belong_together(one: Record, other: Record, name: str) -> bool:
    """Whether, picture by picture, both made something of the same, and the same networks looked at it."""
    plans = [(plan.task, plan.count, plan.split, plan.holes) for plan in (one.plan, other.plan)]
    seen = [(record.data_sha256, record.hole_set, record.features, record.distance) for record in (one, other)]
    comparable = one.plan.task != "generation" or name in KERNEL
    return comparable and plans[0] == plans[1] and seen[0] == seen[1]


def _of_sets(one: Path, other: Path, group: str) -> float | None:
    a, b = _sets(one), _sets(other)
    if a is None or b is None:
        return None
    real, results = a.singles(_features(a, group))
    _, others = b.singles(_features(b, group))
    mean, deviation = kernel_difference(real, results, others)
    return _half(kernel_interval(mean, deviation, len(real), len(results)))


def _numbers(out: Path, name: str, group: str) -> Tensor | None:
    """The numbers, one for each picture, whose mean is the model's figure by that name."""
    if name == PERCEPTUAL:
        sets = _sets(out)
        return None if sets is None else feature_distances(_features(sets, group), sets.real.features).double()
    record = Record.read(out)
    keys = {named(score, record): key for key, score in SCORES.items()}
    own = (each.values for each in scores(out) if (each.method, each.group) == (MODEL, group))
    return next((values[keys[name]] for values in own if keys.get(name) in values), None)


def _sets(out: Path) -> SetFigures | None:
    return set_figures(Record.read(out), Parts(out))


def _features(sets: SetFigures, group: str) -> Tensor:
    """Those of the model's results that single pictures are compared by."""
    pieces = cells(sets.record)[group, MODEL]
    return torch.cat([sets.parts.read(piece)["features"] for piece in pieces])[: len(sets.real.features)]


def _half(interval: tuple[float, float]) -> float:
    return (interval[1] - interval[0]) / 2
