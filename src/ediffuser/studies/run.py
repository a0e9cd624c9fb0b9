"""Runs what of a study is missing: models, then evaluations, then the report. Killed at any instant, it goes on.

Several processes can run it on one directory: each takes what no other one is at.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ediffuser.evaluation.features import open_features
from ediffuser.evaluation.record import Looker, weights_sha256
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.similarity import open_distance
from ediffuser.runtime.checkpoint import newest_checkpoint
from ediffuser.runtime.errors import BadInputError, InUseError
from ediffuser.runtime.signals import Stop
from ediffuser.studies.hours import MACHINES, evaluation_hours, reference_hours, training_hours
from ediffuser.studies.inputs import Inputs
from ediffuser.studies.report import write_report
from ediffuser.studies.results import FOLDER, Result, read_result
from ediffuser.studies.study import Cell, Study, TrainedModel
from ediffuser.studies.training import check_run, finished, images_seen, run_directory, train_model

Part = Literal["models", "evaluations", "report"]
SAID_EVERY_S = 30

MEASURED_BY = (
    "task",
    "matched",
    "split",
    "sampler",
    "conditioning",
    "count",
    "compared",
    "holes",
    "features",
    "distance",
    "variations",
    "nll",
    "likely",
    "seed",
    "speed",
)
"""Settings of a row's plan that must be the study's; of which model it is, the sum of the weights says."""


@dataclass(frozen=True)
class Missing:
    """What is left to do, and how long it will take.

    Attributes:
        models: To be trained, or trained on, each with its hours.
        cells: To be evaluated, each with its hours.
    """

    models: tuple[tuple[TrainedModel, float], ...]
    cells: tuple[tuple[Cell, float], ...]

    @property
    def hours(self) -> float:
        """Of everything, about."""
        return sum(hours for _, hours in (*self.models, *self.cells))


def missing(study: Study, out: Path) -> Missing:
    """What a study has not done yet in the directory of all studies.

    Raises:
        BadInputError: If an evaluation's figures are damaged.
    """
    machine = MACHINES[study.size]
    models = [
        (model, training_hours(model, machine, model.experiment.images - images_seen(out, model)))
        for model in study.models
        if not finished(out, model)
    ]
    left = [cell for cell in study.cells if read_result(out / FOLDER / cell.name) is None]
    first = reference_hours(left, machine)
    cells = [(cell, evaluation_hours(cell, machine) + first.get(cell.name, 0)) for cell in left]
    return Missing(tuple(models), tuple(cells))


def run(
    study: Study,
    inputs: Inputs,
    out: Path,
    *,
    only: Part | None = None,
    hours: float | None = None,
    device: str = "auto",
    stop: Stop | None = None,
) -> Iterator[str]:
    """Does what is missing, and writes the report of what there is.

    Args:
        study: Which.
        inputs: Its data.
        out: The directory of all studies: models/, evaluations/ and reports/.
        only: Does this part alone.
        hours: Begins nothing more after so many, and leaves the rest for the next time.
        device: "auto", "cpu", "cuda", ...
        stop: Once it is true, the step or piece at hand is finished, the report written, and that is all.

    Yields:
        Lines for the terminal.

    Raises:
        BadInputError: If data cannot be used, a directory holds something else, or rows are of weights that are gone.
    """
    ending = _Ending(stop, None if hours is None else time.monotonic() + 3600 * hours)
    for model in study.models:
        check_run(out, model, inputs.training(model))
        _check_rows(out, model, study.cells)
    if only in (None, "evaluations"):
        _check_networks(out, study.cells)
    if only in (None, "models"):
        yield from _models(study, inputs, out, device, ending)
    if only in (None, "evaluations"):
        yield from _evaluations(study, inputs, out, device, ending)
    if only in (None, "report"):
        yield f"report: {write_report(study, inputs, out)}"


def _check_rows(out: Path, model: TrainedModel, cells: Sequence[Cell]) -> None:
    """Refuses rows of a model that were measured before it was trained anew, or in another way than the study's."""
    newest = newest_checkpoint(run_directory(out, model))
    if newest is None:
        return
    now = weights_sha256(newest)
    for cell in cells:
        found = read_result(out / FOLDER / cell.name) if cell.model == model else None
        if found is None:
            continue
        if found.context.model_sha256 != now:
            raise BadInputError(
                f"{found.directory} was measured with other weights (sha256 {found.context.model_sha256[:12]}) than "
                f"{newest} has ({now[:12]}); remove it, and it is measured anew"
            )
        _check_plan(found, cell)


def _check_plan(found: Result, cell: Cell) -> None:
    wanted = cell.plan("", cell.model.experiment.data)
    there = found.record.plan if found.record else wanted
    different = [(name, getattr(there, name), getattr(wanted, name)) for name in MEASURED_BY]
    if cell.nll and cell.task == "generation" and there.held_out is None:
        different.append(("NLL of", "the data", "held-out pictures"))
    for setting, was, wants in different:
        if was != wants:
            raise BadInputError(
                f"{found.directory} was measured with {setting} {was}, and the study wants {wants}; remove it, and it "
                "is measured anew"
            )


@dataclass
class _Ending:
    """When no more is begun: when a signal says so, or the time is up. The work at hand only looks at `bell`."""

    stop: Stop | None
    deadline: float | None
    bell: Stop = field(default_factory=Stop)

    def __bool__(self) -> bool:
        if self.stop:
            self.bell.signal = self.stop.signal
        elif self.deadline is not None and time.monotonic() >= self.deadline:
            self.bell.signal = signal.SIGTERM
        return bool(self.bell)


def _models(study: Study, inputs: Inputs, out: Path, device: str, ending: _Ending) -> Iterator[str]:
    for number, model in enumerate(study.models, start=1):
        if ending or finished(out, model):
            continue
        name, images = f"model {number}/{len(study.models)}, {model.name}", model.experiment.images
        yield f"{name}: training in {run_directory(out, model)}"
        said = time.monotonic()
        try:
            for seen in train_model(out, model, inputs.training(model), device, ending.bell):
                if ending:
                    said = 0.0  # the last line says where it stopped
                if time.monotonic() - said >= SAID_EVERY_S or seen >= images:
                    yield f"{name}: {seen}/{images} images"
                    said = time.monotonic()
        except InUseError as error:
            yield _left(name, error)


def _check_networks(out: Path, cells: Sequence[Cell]) -> None:
    """Refuses to add rows to those that other networks looked at: "auto" takes what is at hand, and that may change."""
    results = {cell: read_result(out / FOLDER / cell.name) for cell in cells}
    left = [cell for cell, result in results.items() if result is None]
    features = {name: Looker.of_features(open_features(name)) for name in {cell.features for cell in left}}
    paired = any(cell.task != "generation" for cell in left)
    distance = Looker.of_distance(open_distance()) if paired else None
    for cell, result in results.items():
        record = result.record if result else None
        if record is None:
            continue
        for was, now in ((record.features, features.get(cell.features)), (record.distance, distance)):
            if was and now and was != now:
                raise BadInputError(
                    f"{out / FOLDER / cell.name} was measured with {was.name}, and rows that are missing would be with "
                    f"{now.name}, whose weights are at hand now; remove the rows of one of them, or those weights"
                )


def _evaluations(study: Study, inputs: Inputs, out: Path, device: str, ending: _Ending) -> Iterator[str]:
    for number, cell in enumerate(study.cells, start=1):
        directory = out / FOLDER / cell.name
        if ending or read_result(directory) is not None:
            continue
        name = f"evaluation {number}/{len(study.cells)}, {cell.name}"
        if not finished(out, cell.model):
            yield f"{name}: left out, for its model is not trained yet"
            continue
        plan = inputs.plan(cell, str(run_directory(out, cell.model)))
        said = 0.0
        try:
            for progress in evaluate(plan, directory, device=device, stop=ending.bell):
                if ending or time.monotonic() - said >= SAID_EVERY_S or progress.done == progress.total:
                    within = "" if progress.seen is None else f", {progress.seen} pictures to compare with seen"
                    yield f"{name}: {progress.done}/{progress.total} pieces{within}"
                    said = time.monotonic()
        except InUseError as error:
            yield _left(name, error)


def _left(name: str, error: InUseError) -> str:
    """What is said of work that another process is at."""
    return f"{name}: left to the process that is at it ({error})"
