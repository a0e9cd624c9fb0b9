"""The files of a finished evaluation: figures.json, table.md and grid.png, made of its parts alone."""

import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from ediffuser.evaluation.figures import Context, Figure
from ediffuser.evaluation.paired import KERNEL
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.sheet import sheet
from ediffuser.evaluation.speed import BATCHES, TIME, batch_size
from ediffuser.evaluation.summary import figures
from ediffuser.runtime.files import write_atomically

FIGURES, TABLE, GRID = "figures.json", "table.md", "grid.png"

VERSION = 2
"""Of how figures are made of parts; those of another one are to be made anew. 1 halved kernel distances otherwise."""

ARROWS = {"low": "↓", "high": "↑", "one": "→ 1"}
"""Which values are better."""


def write_report(out: Path) -> None:
    """Writes the three files, each whole or not at all.

    Raises:
        BadInputError: If the evaluation is not finished, or a part is damaged.
    """
    record = Record.read(out)
    context, found = figures(out)
    content = {
        "version": VERSION,
        "context": dataclasses.asdict(context),
        "figures": [dataclasses.asdict(figure) for figure in found],
    }
    write_atomically(out / TABLE, f"{table(found)}\n\n{notes(record, context, found)}\n".encode())
    write_atomically(out / GRID, _png(sheet(record, Parts(out))))
    # The last one: who finds it takes the evaluation for finished.
    write_atomically(out / FIGURES, json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n")


def table(found: Sequence[Figure]) -> str:
    """All figures as Markdown: a table for each kind of hole, methods down, or one line a figure where there is one."""
    groups = dict.fromkeys(figure.group for figure in found)
    return "\n\n".join(_table(group, [figure for figure in found if figure.group == group]) for group in groups)


def _table(group: str, found: Sequence[Figure]) -> str:
    methods, names = dict.fromkeys(f.method for f in found), dict.fromkeys(_title(f) for f in found)
    cells = {(figure.method, _title(figure)): cell(figure) for figure in found}
    corner = f"{group} holes" if group else ""
    if len(methods) == 1:
        lines = [[corner or "figure", "value [95 %]", "pictures"], ["---"] * 3]
        lines += [[_title(figure), cell(figure), str(figure.count)] for figure in found]
    else:
        lines = [[corner, *names], ["---"] * (len(names) + 1)]
        lines += [[method, *(cells.get((method, name), "") for name in names)] for method in methods]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _title(figure: Figure) -> str:
    arrow = ARROWS[figure.better]
    return f"{figure.name}{f', {figure.unit}' if figure.unit else ''} {arrow}"


def cell(figure: Figure) -> str:
    """A figure with its interval or its deviation, if it has one."""
    digits = 1 if figure.unit in ("dB", "calls") else 4
    if figure.deviation is not None:
        return f"{figure.value:.{digits}f} ± {figure.deviation:.{digits}f}"
    interval = "" if figure.low is None else f" [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
    return f"{figure.value:.{digits}f}{interval}"


def notes(record: Record, context: Context, found: Sequence[Figure]) -> str:
    """The lines under a table: all that its figures depend on."""
    plan = record.plan
    lookers = [
        f"{name} under {looker.name}, sha256 {looker.sha256[:12]}" + (looker.resize and f", pictures {looker.resize}")
        for name, looker in (("sets compared", record.features), ("pairs compared", record.distance))
        if looker is not None
    ]
    lines = [
        f"{context.model} (weights sha256 {context.model_sha256[:12]}), {context.task}, {context.count} pictures, seed "
        f"{context.seed}, {plan.precision}; {plan.way}; NFE {context.nfe:.1f}, counted",
        f"data: {context.reference}, {context.split}, {record.data_count} pictures (sha256 "
        f"{context.reference_sha256[:12]}), {context.resize}; rounded to {context.rounding}",
        *lookers,
    ]
    if record.hole_set:
        met = (
            "colours moved to meet the known picture, as in the editor" if plan.matched else "painted as the model does"
        )
        lines.append(f"holes: {record.hole_set}; {met}; figures without 'in the hole' are over the whole picture")
    lines += halves_note(context, found)
    if record.counted:
        lines.append(likelihood_note(record))
    if any(figure.name.startswith("diversity") for figure in found):
        few = min(plan.diverse, plan.count)
        lines.append(f"diversity: pairs of {plan.variations} pictures of each of the first {few} observations")
    if context.machine:
        lines.append(time_note(record, context))
    lines.append("in brackets 95 % intervals over the pictures")
    return "  \n".join(lines)


def halves_note(context: Context, found: Iterable[Figure]) -> list[str]:
    """Of how many pictures a kernel distance is where it is not of all; nothing where it is."""
    fewer = {figure.name: figure.count for figure in found if figure.name in KERNEL and figure.count < context.count}
    return [
        f"{name}: {count:,} results, drawn by lot, and the originals of the others" for name, count in fewer.items()
    ]


def likelihood_note(record: Record) -> str:
    """What a likelihood is of, how it was found, and over which pictures."""
    plan = record.plan
    which = f"{plan.data.path}, {plan.split}"
    if plan.held_out:
        part = getattr(plan.held_out, "split", "")
        which = f"{plan.held_out.path}{part and f', {part}'} (sha256 {record.likely_sha256[:12]})"
    return f"NLL of {record.counted}: the first {plan.bits} pictures of {which}"


def time_note(record: Record, context: Context) -> str:
    """What the seconds are of."""
    size = batch_size(record.plan.data.resolution)
    return f"{TIME}: of {size} pictures, mean ± standard deviation of {BATCHES} batches, on {context.machine}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
