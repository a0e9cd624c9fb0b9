"""From the scores of single pictures to a table of means, with the standard errors that say what they are worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.evaluation.inpainting import Scores


@dataclass(frozen=True)
class Row:
    """One method on one kind of hole: means over `count` pictures, and their standard errors."""

    method: str
    hole: str
    count: int
    st_lpips: float
    st_lpips_error: float
    psnr_db: float
    psnr_db_error: float


@dataclass(frozen=True)
class Ratio:
    """The distance of one method over that of the best of some others, on one kind of hole."""

    hole: str
    best: str
    ratio: float


def summarise(scores: Iterable[Scores]) -> list[Row]:
    """One row for each method and hole, in the order in which they first occur."""
    cells: dict[tuple[str, str], list[Scores]] = {}
    for score in scores:
        cells.setdefault((score.method, score.hole), []).append(score)
    return [_row(method, hole, parts) for (method, hole), parts in cells.items()]


def ratios(rows: Sequence[Row], method: str, others: Sequence[str]) -> list[Ratio]:
    """Mean ST-LPIPS of a method over the lowest among `others`, for each kind of hole."""
    found = []
    for row in (row for row in rows if row.method == method):
        best = min((r for r in rows if r.hole == row.hole and r.method in others), key=lambda r: r.st_lpips)
        found.append(Ratio(row.hole, best.method, row.st_lpips / best.st_lpips))
    return found


def markdown(rows: Sequence[Row]) -> str:
    """Methods down, holes across; each cell is ST-LPIPS with its standard error, and the PSNR inside the hole."""
    methods, holes = dict.fromkeys(row.method for row in rows), dict.fromkeys(row.hole for row in rows)
    cells = {(row.method, row.hole): row for row in rows}
    lines = [["ST-LPIPS (PSNR in the hole)", *holes], ["---"] * (len(holes) + 1)]
    lines += [[method, *(_cell(cells[method, hole]) for hole in holes)] for method in methods]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Row) -> str:
    return f"{row.st_lpips:.4f} ± {row.st_lpips_error:.4f} ({row.psnr_db:.1f} dB)"


def _row(method: str, hole: str, parts: list[Scores]) -> Row:
    st_lpips = torch.cat([part.st_lpips for part in parts])
    psnr_db = torch.cat([part.psnr_db for part in parts])
    return Row(method, hole, len(st_lpips), *_mean_and_error(st_lpips), *_mean_and_error(psnr_db))


def _mean_and_error(values: Tensor) -> tuple[float, float]:
    values = values.double()
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()
