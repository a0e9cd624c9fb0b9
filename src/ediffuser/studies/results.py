"""What the cells of a study have come to so far."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ediffuser.evaluation.figures import Context, Figure
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.report import FIGURES, VERSION, write_report
from ediffuser.runtime.errors import BadInputError

FOLDER = "evaluations"
"""Of the cells' evaluation directories, in that of all studies."""


@dataclass(frozen=True)
class Result:
    """The figures of one cell.

    Attributes:
        context: What they depend on.
        figures: All of them, baselines included.
        directory: Where they were measured.
        record: What they depend on besides: the networks that looked, the holes, what a likelihood counts.
    """

    context: Context
    figures: tuple[Figure, ...]
    directory: Path
    record: Record | None = None

    @property
    def calls(self) -> float:
        """Calls of the network for a picture, on average."""
        return self.context.nfe

    def figure(self, *names: str) -> Figure | None:
        """The model's own figure by one of these names; None if none was measured."""
        return next((figure for figure in self.own if figure.name in names), None)

    @property
    def own(self) -> tuple[Figure, ...]:
        """The model's figures, without those of baselines."""
        return tuple(figure for figure in self.figures if figure.method in ("", "model"))


def half_width(figure: Figure) -> float:
    """Half the length of the 95 % interval, NaN if there is none."""
    return math.nan if figure.low is None or figure.high is None else (figure.high - figure.low) / 2


def read_result(directory: Path) -> Result | None:
    """What a finished evaluation came to; None if it is not finished. Figures of an earlier kind are made anew.

    Raises:
        BadInputError: If its figures, its plan or, where it is needed, a part is damaged.
    """
    path = directory / FIGURES
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        if content.get("version") != VERSION:
            write_report(directory)
            content = json.loads(path.read_bytes())
        context, figures = Context(**content["context"]), tuple(Figure(**each) for each in content["figures"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"{path} is damaged; remove it, and the study makes it anew from its parts") from error
    return Result(context, figures, directory, Record.read(directory))


def read_results(out: Path, cells: Iterable[str]) -> dict[str, Result]:
    """The results of the cells that are finished, by name."""
    found = {name: read_result(out / FOLDER / name) for name in cells}
    return {name: result for name, result in found.items() if result is not None}
