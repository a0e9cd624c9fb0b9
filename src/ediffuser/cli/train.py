"""`ediffuser train RECIPE --data D --out RUN [--resume]`."""

import dataclasses
import logging
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from ediffuser.cli.options import override
from ediffuser.data import CelebaHq, ImageFolder, data_set_at
from ediffuser.recipes import RECIPES
from ediffuser.runtime.checkpoint import checkpoints
from ediffuser.runtime.component import to_json
from ediffuser.runtime.device import choose_device
from ediffuser.runtime.distributed import processes, restarts
from ediffuser.runtime.errors import BadInputError, unknown_name
from ediffuser.runtime.signals import stop_on_signals
from ediffuser.tasks import Unconditional
from ediffuser.training import Experiment, TrainingStep
from ediffuser.training import train as train_steps
from ediffuser.training.dashboard import TENSORBOARD, Dashboard, Sink, TensorBoard, record, starvation
from ediffuser.training.state import EXPERIMENT
from ediffuser.training.step_log import StepLog

LINE_EVERY_S = 10
FORGOTTEN = math.exp(-3)
"""What may be left in the average of the weights that a run begins with: 3 / (1 - decay) steps leave as much."""


def train(
    recipe: Positional[str],
    data: str,
    out: Path,
    resume: bool = False,
    set: UseAppendAction[tuple[str, ...]] = (),
    compile: bool = False,
    device: str = "auto",
    held_out: str | None = None,
    start_from: str = "",
) -> None:
    """Trains a recipe and publishes checkpoints on the way; each is a model that the other commands take.

    SIGTERM, SIGUSR1 and SIGUSR2 save a checkpoint after the step and end with 0, SIGINT (Ctrl-C) with 130.
    Under torchrun several processes share each batch; started anew by it, they go on from the newest checkpoint.

    Example: ediffuser train inpaint-faces128 --data faces.zip --out runs/faces --set batch=16

    Args:
        recipe: The name of a recipe, such as ddpm32 or inpaint-faces128.
        data: A folder or .zip of pictures, or a folder with the files of CIFAR-10, MNIST or Fashion-MNIST.
        out: The run directory: experiment.json, log.jsonl, checkpoints/, tensorboard/ and samples/.
        resume: Go on from the newest checkpoint in it.
        set: Override a setting, key=value or outer.inner=value; may be given several times.
        compile: Compile the network first: a minute or two at the start, faster steps after it.
        device: auto, cpu, cuda ...
        held_out: Pictures that are not trained on, for figures (evaluate_every) and, of a task that is given something,
            for grids (sample_every).
        start_from: Train the weights of this model further: its name, run directory or checkpoint.
    """
    with processes() as group, stop_on_signals() as stop:
        with group.together():
            experiment = resolve(recipe, data, set, held_out, start_from)
            sinks, place = _sinks(out) if group.first else (), group.device(choose_device(device))
            dashboard = Dashboard(experiment, out, sinks, stop, device=place, group=group)
        resume = resume or (restarts() > 0 and _began_here(experiment, out))
        steps = train_steps(experiment, out, resume=resume, device=device, compiled=compile, group=group, stop=stop)
        if group.first:
            _report(steps, experiment, out, dashboard)
        else:
            for step in steps:
                dashboard.take(step)
    if stop.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if stop and group.first:
        print(f"stopped by {signal.Signals(stop.signal).name}; go on with --resume", flush=True)


def _began_here(experiment: Experiment, out: Path) -> bool:
    """Whether what torchrun has started anew is the run in this directory, and has something to go on from.

    torchrun starts anew also what was refused because another run is there already: that one is not gone on with. A run
    that lost a process before its first checkpoint begins again; nothing is lost by that.
    """
    same = to_json(experiment, Experiment).encode()
    return bool(checkpoints(out)) and (out / EXPERIMENT).is_file() and (out / EXPERIMENT).read_bytes() == same


def _report(steps: Iterator[TrainingStep], experiment: Experiment, out: Path, dashboard: Dashboard) -> None:
    """Takes the steps, and says on the terminal, in the log and on the dashboard what comes of them."""
    images, batch = experiment.images, experiment.batch
    print(f"{experiment.name}: {images} images in batches of {batch}, checkpoints in {out}", flush=True)
    for note in _notes(experiment):
        print(note, flush=True)
    with _said(), dashboard:
        for line in _reported(steps, experiment, out / "log.jsonl", dashboard):
            print(line, flush=True)


def _notes(experiment: Experiment) -> Iterator[str]:
    """What is worth a word before a run: settings that are allowed, and hardly meant."""
    free = isinstance(experiment.model.task, Unconditional)
    looks = experiment.evaluate_every or (experiment.sample_every and not free)
    if experiment.held_out is not None and not looks:
        wanted = "evaluate_every" if free else "sample_every or evaluate_every"
        yield f"nobody looks at the held-out pictures of this run: set {wanted}, such as --set evaluate_every=64000"
    steps = experiment.images / experiment.batch
    left = experiment.ema.left_of_start(steps)
    if left > FORGOTTEN:
        yield (
            f"after {steps:.0f} steps {left:.0%} of the averaged weights, which are the model, will still be those the "
            """run begins with: set another average, --set 'ema={"kind": "power"}', or more images"""
        )


@contextmanager
def _said() -> Iterator[None]:
    """Within the block, what training has to say of its checkpoints is printed, a line each."""
    logger, handler = logging.getLogger("ediffuser.training"), logging.StreamHandler(sys.stdout)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _sinks(out: Path) -> tuple[Sink, ...]:
    """TensorBoard where it is installed; without it a sentence, and log.jsonl has the same figures."""
    try:
        return (TensorBoard(out / TENSORBOARD),)
    except BadInputError as error:
        print(f"{error}; training goes on with log.jsonl alone", flush=True)
        return ()


def resolve(
    recipe: str, data: str, settings: tuple[str, ...], held_out: str | None = None, start_from: str = ""
) -> Experiment:
    """The experiment of a recipe on these data, with its overrides, on others for its previews, from these weights.

    Raises:
        BadInputError: If the recipe, the data or an override cannot be used, with the nearest right one, or held-out
            pictures would be trained on.
    """
    if recipe not in RECIPES:
        raise unknown_name("recipe", recipe, RECIPES)
    experiment = RECIPES[recipe]()
    wanted = experiment.data
    pictures = data_set_at(data, wanted.resolution, channels=wanted.channels, flip=wanted.flip)
    others = held_out and data_set_at(held_out, wanted.resolution, channels=wanted.channels, split="test")
    experiment = dataclasses.replace(experiment, data=pictures, held_out=others or experiment.held_out)
    experiment = dataclasses.replace(experiment, start_from=start_from or experiment.start_from)
    experiment = override(experiment, settings, f"recipe '{recipe}'")
    _check_apart(experiment)
    return experiment


def _check_apart(experiment: Experiment) -> None:
    """Data sets with official splits may lie at one path."""
    data, held_out = experiment.data, experiment.held_out
    if not (isinstance(data, ImageFolder | CelebaHq) and isinstance(held_out, ImageFolder | CelebaHq)):
        return
    one, other = (Path(each.path).expanduser().resolve() for each in (data, held_out))
    if one == other or one in other.parents or other in one.parents:
        raise BadInputError(
            f"the held-out pictures in '{held_out.path}' would be trained on, for the data are '{data.path}': give "
            "folders of which none lies in the other"
        )


def _reported(steps: Iterator[TrainingStep], experiment: Experiment, log: Path, dashboard: Dashboard) -> Iterator[str]:
    """Logs every step as a JSON line and on the dashboard, and says in a line now and then how far the run is."""
    before, recent, said = None, [], time.monotonic()
    step_log = StepLog(log)
    for step in steps:
        yield from step_log.add(record(step, experiment.batch))
        dashboard.take(step)
        recent.append(step)
        ended = step.images_seen >= experiment.images
        if ended or step.checkpoint or time.monotonic() - said >= LINE_EVERY_S:
            yield _line(before, step, sum(each.loss for each in recent) / len(recent), experiment.images)
            if starved := starvation(recent):
                yield starved
            before, recent, said = step, [], time.monotonic()


def _line(before: TrainingStep | None, step: TrainingStep, loss: float, images: int) -> str:
    """Where the run is; the speed is that since the line before."""
    saved = f", saved {step.checkpoint}" if step.checkpoint else ""
    said = f"{step.images_seen}/{images} images, loss {loss:.4f}"
    if before is None or step.seconds <= before.seconds:
        return said + saved
    rate = (step.images_seen - before.images_seen) / (step.seconds - before.seconds)
    return f"{said}, {rate:.1f} images/s, {(images - step.images_seen) / rate / 3600:.1f} h left{saved}"
