"""What a finished evaluation says of the groups in its pictures: bias.json and bias.md beside its other files."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ediffuser.data.groups import Groups
from ediffuser.evaluation.bias import Comparison, Measure, compare
from ediffuser.evaluation.bias_text import markdown
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import MODEL, REFERENCE, Piece
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.shares import Flips, Rate, Shares, compare_shares, flips, rate
from ediffuser.evaluation.summary import SCORES, Scores, scores
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically

JSON, TEXT = "bias.json", "bias.md"

ERRORS = ("distance", "psnr_hole", "psnr")
"""The scores that are compared, names of `SCORES`; over the whole picture only where there is no hole."""


@dataclass(frozen=True)
class MethodBias:
    """One method.

    Attributes:
        method: The model or a baseline.
        errors: The groups by each error on each kind of hole, their tests corrected together.
        flips: How groups change, by kind of hole; none without a classifier.
    """

    method: str
    errors: tuple[Comparison, ...]
    flips: dict[str, Flips]


@dataclass(frozen=True)
class Bias:
    """All of an evaluation.

    Attributes:
        by: What tells the groups.
        names: Of the groups whose errors are compared, or whose shares are; K of them.
        counts: Their pictures among the originals; for pictures from nothing in the data.
        classifier: Its name and sum; empty without one.
        agreement: How often the classifier gives an original the group of the table, where both have the same groups.
        methods: Each method; none for pictures from nothing.
        shares: Groups in the data and among pictures from nothing.
    """

    by: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    classifier: str
    agreement: Rate | None
    methods: tuple[MethodBias, ...]
    shares: Shares | None


def write_bias(out: Path, table: Groups | None, by: str) -> str:
    """Writes both files, each whole or not at all, and returns the text.

    Args:
        out: The directory of a finished evaluation.
        table: Groups of the first `count` pictures, in the evaluation's order (`classes_in_turn`), by a table of
            attributes; None to go by the classifier.
        by: Where the table comes from, in words.

    Raises:
        BadInputError: If the evaluation is not finished, has neither table nor classifier, or a part is damaged.
    """
    record = Record.read(out)
    found = bias(out, table, by)
    write_atomically(out / JSON, json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False).encode() + b"\n")
    text = markdown(found, record.plan.model, record.plan.task, record.plan.count)
    write_atomically(out / TEXT, text.encode())
    return text


def bias(out: Path, table: Groups | None, by: str = "") -> Bias:
    """Compares the groups of a finished evaluation; see `write_bias`."""
    record, parts = Record.read(out), Parts(out)
    judge, names = record.classifier, record.groups
    seen = _seen(parts, REFERENCE, record) if judge else None
    if table is None and seen is None:
        raise BadInputError(f"{out} knows no groups: give a table of attributes, or a classifier")
    label = f"{judge.name} (sha256 {judge.sha256[:12]})" if judge else ""
    if record.plan.task == "generation":
        if seen is None:
            raise BadInputError("pictures from nothing are in no table of attributes: give a classifier, an .onnx file")
        data, made = (_counted(each, names) for each in (seen, _seen(parts, MODEL, record)))
        return Bias(label, names, tuple(data), label, None, (), compare_shares(names, data, made))
    groups = _by_classifier(names, seen) if table is None else table
    agreement = None if table is None or seen is None else _agreement(table, names, seen)
    methods = tuple(_method(name, out, record, parts, groups, seen) for name in (MODEL, *record.plan.methods))
    counts = tuple(groups.counts.tolist())
    return Bias(label if table is None else by, groups.names, counts, label, agreement, methods, None)


def _by_classifier(names: tuple[str, ...], seen: np.ndarray | None) -> Groups:
    """The groups that a classifier saw among the originals; of those that it knows, the ones that occur."""
    return Groups.of([names[label] for label in ([] if seen is None else seen.tolist())])


def _agreement(table: Groups, names: tuple[str, ...], seen: np.ndarray) -> Rate | None:
    """How often table and classifier give a picture the same group; None where they know different ones."""
    if not set(table.names) <= set(names):
        return None
    same = np.array(names)[seen] == np.array(table.names)[table.labels]
    return rate(int(same.sum()), len(same))


def _method(name: str, out: Path, record: Record, parts: Parts, groups: Groups, seen: np.ndarray | None) -> MethodBias:
    own = [each for each in scores(out) if each.method == name]
    errors = compare([measure for each in own for measure in _measures(each, record)], groups)
    changed = {}
    if seen is not None:
        changed = {each.group: flips(record.groups, seen, _seen(parts, name, record, each.group)) for each in own}
    return MethodBias(name, tuple(errors), changed)


def _measures(found: Scores, record: Record) -> Iterator[Measure]:
    where = f", {found.group} holes" if found.group else ""
    for name in ERRORS:
        if name in found.values and not (name == "psnr" and found.group):
            score = SCORES[name]
            title = score.name.format(distance=record.distance and record.distance.family, nll="")
            yield Measure(title + where, score.better, found.values[name], score.unit)


def _seen(parts: Parts, method: str, record: Record, group: str = "") -> np.ndarray:
    """The groups that the classifier saw in what a method made, in the order of pictures."""
    pieces: list[Piece] = [p for p in record.plan.pieces() if (p.method, p.group) == (method, group)]
    return torch.cat([parts.read(piece)["group"] for piece in pieces]).numpy()


def _counted(seen: np.ndarray, names: tuple[str, ...]) -> list[int]:
    return np.bincount(seen, minlength=len(names)).tolist()
