"""The picture of an evaluation: what the methods made of a few of its pictures, side by side."""

import torch
from PIL import Image
from torch import Tensor

from ediffuser.evaluation.grid import picture_grid
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import MODEL, Piece, Plan
from ediffuser.evaluation.record import Record

LEAST_PX = 128
"""Smaller pictures are enlarged, each pixel to a square, so that they and the names above them can be read."""

PAINTED = 3
"""Variations shown at most."""

ACROSS = 8


def sheet(record: Record, parts: Parts) -> Image.Image:
    """One row for each kind of hole, or for each of some pictures; of pictures from nothing a square of them.

    Raises:
        BadInputError: If the first parts are missing or damaged.
    """
    plan = record.plan
    first = {
        (group, method): parts.read(Piece(method, 0, min(plan.batch, plan.count), group))
        for group in plan.groups
        for method in (*plan.methods, MODEL)
    }
    if plan.task == "generation":
        return _square(first["", MODEL]["shown"][:, 0])
    count = len(first[plan.groups[0], MODEL]["originals"])
    cells = [(group, k % count) for k, group in enumerate(plan.groups)]
    if plan.task == "colorization":
        cells = [("", k) for k in range(count)]
    rows = [_row(plan, {method: first[group, method] for method in (*plan.methods, MODEL)}, k) for group, k in cells]
    labels = [group or str(k) for group, k in cells]
    return picture_grid([list(row.values()) for row in rows], list(rows[0]), labels)


def _row(plan: Plan, first: dict[str, dict[str, Tensor]], k: int) -> dict[str, Tensor]:
    """Picture k of each method, by what is to be written above it."""
    row = {"original": first[MODEL]["originals"][k]}
    if plan.task == "inpainting":
        row["hole"] = torch.where(first[MODEL]["holes"][k] > 0, 255, row["original"])
    row |= {method: first[method]["shown"][k, 0] for method in plan.methods}
    for v, picture in enumerate(first[MODEL]["shown"][k, :PAINTED]):
        row[f"seed {plan.seed + v}"] = picture
    return {name: _enlarged(picture) for name, picture in row.items()}


def _square(pictures: Tensor) -> Image.Image:
    across = min(ACROSS, len(pictures))
    full = pictures[: len(pictures) // across * across]
    rows = [[_enlarged(picture) for picture in row] for row in full.split(across)]
    return picture_grid(rows, [""] * across, [""] * len(rows))


def _enlarged(picture: Tensor) -> Tensor:
    times = -(-LEAST_PX // picture.shape[-1])
    return picture.repeat_interleave(times, -1).repeat_interleave(times, -2)
