"""From the parts of an evaluation to its figures, in one fixed order, so that the same parts give the same bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ediffuser.evaluation.figures import Context, Figure, bootstrap
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import LIKELIHOOD, MODEL, REFERENCE, SPEED, Piece
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.seam import seam_figure
from ediffuser.evaluation.sets import set_figures
from ediffuser.evaluation.speed import speed_figure
from ediffuser.runtime.component import to_json
from ediffuser.samplers import AnySampler


@dataclass(frozen=True)
class Score:
    """A figure that is a mean over single pictures.

    Attributes:
        name: What it is called; "{distance}" stands for the perceptual distance.
        better: Whether low or high is better.
        unit: Its unit.
    """

    name: str
    better: Literal["low", "high"]
    unit: str = ""


SCORES = {
    "distance": Score("{distance}", "low"),
    "psnr_hole": Score("PSNR in the hole", "high", "dB"),
    "ssim_hole": Score("SSIM in the hole", "high"),
    "psnr": Score("PSNR", "high", "dB"),
    "ssim": Score("SSIM", "high"),
    "variety_distance": Score("diversity, {distance}", "high"),
    "variety_ssim_hole": Score("diversity, SSIM in the hole", "low"),
    "variety_ssim": Score("diversity, SSIM", "low"),
    "bits": Score("NLL ({nll})", "low", "bits/dim"),
    "calls": Score("NFE", "low", "calls"),
}
"""The tensors of the parts that hold one number for each picture, in the order in which tables show them."""

STEPS = ("step", "step_untouched")
"""Two more, which are shown as one figure."""


@dataclass(frozen=True)
class Scores:
    """What one method got on one kind of hole.

    Attributes:
        method: The method.
        group: The kind of hole, or "".
        values: By names of `SCORES` and `STEPS`, one number for each picture from the first on, float64, shape (N,).
    """

    method: str
    group: str
    values: dict[str, Tensor]


def scores(out: Path) -> Iterator[Scores]:
    """The scores of all pictures, method by method, of a finished evaluation.

    Raises:
        BadInputError: If OUT holds none, or a part is missing or damaged.
    """
    parts = Parts(out)
    for (group, method), pieces in cells(Record.read(out)).items():
        yield Scores(method, group, _values(parts, pieces))


def figures(out: Path) -> tuple[Context, list[Figure]]:
    """All figures of a finished evaluation, and what they depend on.

    Raises:
        BadInputError: If OUT holds none, or a part is missing or damaged.
    """
    record, parts = Record.read(out), Parts(out)
    found: list[Figure] = []
    machine = ""
    calls: list[Tensor] = []
    sets = set_figures(record, parts)
    for (group, method), pieces in cells(record).items():
        values = _values(parts, pieces)
        maker = MODEL if method == LIKELIHOOD else method
        found += [_mean(SCORES[name], values[name], record, maker, group) for name in SCORES if name in values]
        steps = [values[name] for name in STEPS if name in values]
        whole = len(steps) == 2 and len(steps[0]) == len(values["psnr"])  # parts of an earlier day have none
        if whole and steps[1].any():
            found.append(seam_figure(steps[0], steps[1], group=group, method=maker))
        if sets and method != LIKELIHOOD:
            found += sets.of(pieces)
        calls += [values["calls"]] if "calls" in values else []
    if record.plan.speed:
        measured = parts.read(Piece(SPEED, 0, 0))
        found.append(speed_figure(measured["seconds"], MODEL))
        machine = measured["machine"].numpy().tobytes().decode()
    return _context(record, torch.cat(calls).mean().item() if calls else 0.0, machine), found


def named(score: Score, record: Record) -> str:
    """What a score is called where these networks looked."""
    return score.name.format(distance=record.distance and record.distance.family, nll=(record.plan.nll or "").upper())


def cells(record: Record) -> dict[tuple[str, str], list[Piece]]:
    """The pieces of each method on each kind of hole."""
    found: dict[tuple[str, str], list[Piece]] = {}
    for piece in record.plan.pieces():
        if piece.method not in (REFERENCE, SPEED):
            found.setdefault((piece.group, piece.method), []).append(piece)
    return found


def _values(parts: Parts, pieces: list[Piece]) -> dict[str, Tensor]:
    columns: dict[str, list[Tensor]] = {}
    for piece in pieces:
        measured = parts.read(piece)
        for name in (*SCORES, *STEPS):
            if name in measured:
                columns.setdefault(name, []).append(measured[name].double())
    return {name: torch.cat(columns[name]) for name in (*SCORES, *STEPS) if name in columns}


def _mean(score: Score, values: Tensor, record: Record, method: str, group: str) -> Figure:
    low, high = (None, None) if (values == values[0]).all() else bootstrap(values)
    looker = record.distance if "{distance}" in score.name else None
    return Figure(
        name=named(score, record),
        value=values.mean().item(),
        low=low,
        high=high,
        better=score.better,
        unit=score.unit,
        count=len(values),
        features=looker.name if looker else "",
        features_sha256=looker.sha256 if looker else "",
        group=group,
        method=method,
    )


def _context(record: Record, nfe: float, machine: str) -> Context:
    plan = record.plan
    return Context(
        model=plan.model,
        model_sha256=record.model_sha256,
        task=plan.task,
        count=plan.count,
        reference=plan.data.path,
        reference_sha256=record.data_sha256,
        split=plan.split,
        resize=record.resize,
        rounding="8 bits, to the nearest grey level",
        seed=plan.seed,
        sampler=to_json(plan.way, AnySampler),
        nfe=nfe,
        reference_count=record.data_count,
        looked_at=record.features.resize if record.features else "",
        machine=machine,
    )
