"""What is shown of a run while it goes on: figures of its steps and grids of samples. Its caller feeds it the steps."""

import io
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from PIL import Image
from torch import nn

from ediffuser.runtime.distributed import ALONE, Processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.signals import Stop
from ediffuser.training.evaluation import Evaluation
from ediffuser.training.experiment import Experiment
from ediffuser.training.loop import TrainingStep
from ediffuser.training.previews import Previews
from ediffuser.training.step_log import StepLog

logger = logging.getLogger(__name__)

SAMPLES, TENSORBOARD, EVALUATIONS = "samples", "tensorboard", "evaluations.jsonl"
POINT_EVERY_S = 5.0
STARVED = 0.2
"""Part of the time above which waiting for data is worth a word."""


def figures(steps: Sequence[TrainingStep], batch: int) -> dict[str, float]:
    """The figures of one step, or of several that follow each other, by name.

    Losses and the norm of the gradient are means over the steps; the part of the time that went by waiting for data and
    the images per second are those of all of them together; the learning rate and the peak memory are the last ones.

    Args:
        steps: At least one.
        batch: Images per step.
    """
    last, count = steps[-1], len(steps)
    seconds = max(sum(step.step_seconds for step in steps), 1e-9)
    return {
        "loss": sum(step.loss for step in steps) / count,
        **{f"loss_{name}": sum(step.parts[name] for step in steps) / count for name in last.parts},
        "gradient_norm": sum(step.gradient_norm for step in steps) / count,
        "learning_rate": last.learning_rate,
        "images_per_second": count * batch / seconds,
        "data_wait": sum(step.data_wait for step in steps) / seconds,
        "peak_memory_bytes": last.peak_memory_bytes,
    }


def record(step: TrainingStep, batch: int) -> dict[str, float | str | None]:
    """What log.jsonl keeps of a step: its figures, how far the run is, and the checkpoint that was published."""
    return {
        "images_seen": step.images_seen,
        **figures([step], batch),
        "seconds": step.seconds,
        "step_seconds": step.step_seconds,
        "data_wait_seconds": step.data_wait,
        "checkpoint": str(step.checkpoint) if step.checkpoint else None,
    }


def starvation(steps: Sequence[TrainingStep]) -> str | None:
    """A sentence if these steps waited for data more than a fifth of their time, else None."""
    seconds = sum(step.step_seconds for step in steps)
    share = sum(step.data_wait for step in steps) / seconds if seconds else 0.0
    if share <= STARVED:
        return None
    return (
        f"waiting for data took {share:.0%} of the time: pictures of the model's size in a zip, a faster disk or more "
        "memory to keep them decoded in would speed up this run"
    )


class Sink(Protocol):
    """Where figures and pictures go; the abscissa is always the images seen."""

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Takes figures by name: those of steps, and those of whoever evaluates a run."""
        ...

    def picture(self, name: str, pixels: np.ndarray, images_seen: int) -> None:
        """Takes a picture: uint8, shape (height, width, 3)."""
        ...

    def close(self) -> None:
        """Writes what is left."""
        ...


class TensorBoard:
    """Event files for TensorBoard, in the run directory. A resumed run goes on with them."""

    def __init__(self, directory: Path) -> None:
        """Opens nothing yet.

        Raises:
            BadInputError: If TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds; an extra
        except ImportError as error:
            raise BadInputError("TensorBoard is not installed; pip install 'ediffuser[train]' adds it") from error
        self._make, self._directory = SummaryWriter, directory
        self._open: SummaryWriter | None = None

    def scalars(self, values: Mapping[str, float], images_seen: int) -> None:
        """Takes figures by name."""
        for name, value in values.items():
            self._writer(images_seen).add_scalar(name, value, images_seen)

    def picture(self, name: str, pixels: np.ndarray, images_seen: int) -> None:
        """Takes a picture: uint8, shape (height, width, 3)."""
        self._writer(images_seen).add_image(name, pixels, images_seen, dataformats="HWC")

    def close(self) -> None:
        """Writes what is left."""
        if self._open is not None:
            self._open.close()

    def _writer(self, images_seen: int):  # noqa: ANN202 - a SummaryWriter, which need not be installed
        if self._open is None:
            # What an earlier process wrote of steps that are done again is not shown twice.
            self._open = self._make(str(self._directory), purge_step=images_seen)
        return self._open


class Dashboard:
    """Feeds the sinks with a run's steps, makes its grids of samples, and measures what it is worth.

    RUN/samples/IMAGES.png keeps the grids too, and RUN/evaluations.jsonl the figures. What was due when a run was
    killed or stopped is made after the first step of the one that goes on.
    A run does not end because it cannot be shown: what cannot be written is said once and left out.

    Of several processes each has one, and takes the same steps: they share the measuring, and the first one writes.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: Path,
        sinks: Sequence[Sink] = (),
        stop: Stop | None = None,
        *,
        device: torch.device | str = "cpu",
        group: Processes = ALONE,
    ) -> None:
        """Chooses what the grids show and what is measured; both are left out where the run is to stop.

        Raises:
            BadInputError: If the pictures for them cannot be read or are too few, or a network's weights are missing.
        """
        self._experiment, self._directory, self._sinks, self._stop = experiment, directory, list(sinks), stop
        self._group, self._begun = group, False
        self._previews = Previews.open(experiment) if experiment.sample_every and group.first else None
        self._evaluation = Evaluation.open(experiment, torch.device(device)) if experiment.evaluate_every else None
        self._evaluations = StepLog(directory / EVALUATIONS, every_step=False)
        self._waiting: list[TrainingStep] = []
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        """The dashboard itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Shows what is left, however the run ended."""
        self._show()
        self._feed(lambda sink: sink.close())

    def take(self, step: TrainingStep) -> None:
        """Takes the next step: a point on the curves every few seconds, a grid or an evaluation where one is due."""
        self._waiting.append(step)
        if time.monotonic() - self._shown >= POINT_EVERY_S:
            self._show()
        if step.average is None:
            return
        plan, painted, measured = self._experiment, None, None
        if not self._begun:
            painted, measured = _last_grid(self._directory / SAMPLES), self._evaluations.last()
            self._begun = True
        if self._previews is not None and _due(plan, step, plan.sample_every, painted):
            self._paint(self._previews, step.average, step.images_seen)
        if self._evaluation is not None and _due(plan, step, plan.evaluate_every, measured):
            self._measure(self._evaluation, step.average, step.images_seen)

    def _show(self) -> None:
        if self._waiting and self._sinks:
            values = figures(self._waiting, self._experiment.batch)
            images_seen = self._waiting[-1].images_seen
            self._feed(lambda sink: sink.scalars(values, images_seen))
        self._waiting, self._shown = [], time.monotonic()

    def _paint(self, previews: Previews, average: nn.Module, images_seen: int) -> None:
        try:
            pixels = previews.paint(average, self._stop)
        except (RuntimeError, OSError, BadInputError) as error:  # memory, above all
            logger.warning("a grid of samples is left out: %s; training goes on", error)
            return
        if pixels is not None:
            self._keep(previews.name, pixels, images_seen)

    def _keep(self, name: str, pixels: np.ndarray, images_seen: int) -> None:
        folder, file = self._directory / SAMPLES, io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / f"{images_seen:010d}.png", file.getvalue())
        except (BadInputError, OSError) as error:
            logger.warning("a grid of samples is left out: %s", error)
        self._feed(lambda sink: sink.picture(name, pixels, images_seen))

    def _measure(self, evaluation: Evaluation, average: nn.Module, images_seen: int) -> None:
        values = evaluation.measure(average, self._stop, self._group)
        if not values or not self._group.first:
            return
        for trouble in self._evaluations.add({"images_seen": images_seen, "what": evaluation.description, **values}):
            logger.warning("%s", trouble)
        self._feed(
            lambda sink: sink.scalars({f"evaluation/{name}": value for name, value in values.items()}, images_seen)
        )

    def _feed(self, give: Callable[[Sink], None]) -> None:
        for sink in tuple(self._sinks):
            try:
                give(sink)
            except OSError as error:
                self._sinks.remove(sink)
                logger.warning("%s is fed no more, training goes on: %s", type(sink).__name__, error)


def _due(experiment: Experiment, step: TrainingStep, every: int, newest: int | None) -> bool:
    """Whether something is to be made after a step: because its time has come, or because it has been missed.

    Args:
        experiment: The run.
        step: The step.
        every: How often it is made, in images.
        newest: At how many images the newest one was made, if this is the first step of a process; else None.
    """
    before = step.images_seen - experiment.batch
    missed = newest is not None and newest < before // every * every
    return missed or experiment.passes(step.images_seen, every)


def _last_grid(folder: Path) -> int:
    """At how many images the newest grid was made; 0 without one."""
    return max((int(path.stem) for path in folder.glob("*.png") if path.stem.isdigit()), default=0)
