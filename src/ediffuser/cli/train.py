"""`ediffuser train RECIPE --data D --out RUN [--resume]`."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from ediffuser.cli.options import override
from ediffuser.data import data_set_at
from ediffuser.recipes import RECIPES
from ediffuser.runtime.errors import unknown_name
from ediffuser.training import Experiment, TrainingStep
from ediffuser.training import train as train_steps

LINE_EVERY_S = 10


def train(
    recipe: Positional[str],
    data: str,
    out: Path,
    resume: bool = False,
    set: UseAppendAction[tuple[str, ...]] = (),
    compile: bool = False,
    device: str = "auto",
) -> None:
    """Trains a recipe and publishes checkpoints on the way; each is a model that the other commands take.

    Example: ediffuser train inpaint-faces128 --data faces.zip --out runs/faces --set batch=16

    Args:
        recipe: The name of a recipe, such as ddpm32 or inpaint-faces128.
        data: A folder or .zip of pictures, or a folder with the files of CIFAR-10, MNIST or Fashion-MNIST.
        out: The run directory: experiment.json, log.jsonl and checkpoints/.
        resume: Go on from the newest checkpoint in it.
        set: Override a setting, key=value or outer.inner=value; may be given several times.
        compile: Compile the network first: a minute or two at the start, faster steps after it.
        device: auto, cpu, cuda ...
    """
    experiment = resolve(recipe, data, set)
    print(f"{recipe}: {experiment.images} images in batches of {experiment.batch}, checkpoints in {out}", flush=True)
    steps = train_steps(experiment, out, resume=resume, device=device, compiled=compile)
    for line in _reported(steps, experiment, out / "log.jsonl"):
        print(line, flush=True)


def resolve(recipe: str, data: str, settings: tuple[str, ...]) -> Experiment:
    """The experiment of a recipe on these data, with its overrides.

    Raises:
        BadInputError: If the recipe, the data or an override cannot be used; names the nearest right one.
    """
    if recipe not in RECIPES:
        raise unknown_name("recipe", recipe, RECIPES)
    experiment = RECIPES[recipe]()
    wanted = experiment.data
    pictures = data_set_at(data, wanted.resolution, channels=wanted.channels, flip=wanted.flip)
    return override(dataclasses.replace(experiment, data=pictures), settings, f"recipe '{recipe}'")


def _reported(steps: Iterator[TrainingStep], experiment: Experiment, log: Path) -> Iterator[str]:
    """Logs every step as a JSON line, and says in a line now and then how far the run is."""
    before, waiting, said = None, [], time.monotonic()
    for step in steps:
        record = dataclasses.asdict(step) | {"checkpoint": str(step.checkpoint) if step.checkpoint else None}
        waiting.append(record)
        ended = step.images_seen >= experiment.images
        if ended or step.checkpoint or time.monotonic() - said >= LINE_EVERY_S:
            with log.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in waiting)
            loss = sum(line["loss"] for line in waiting) / len(waiting)
            yield _line(before, step, loss, experiment.images)
            before, waiting, said = step, [], time.monotonic()


def _line(before: TrainingStep | None, step: TrainingStep, loss: float, images: int) -> str:
    """Where the run is; the speed is that since the line before."""
    saved = f", saved {step.checkpoint}" if step.checkpoint else ""
    said = f"{step.images_seen}/{images} images, loss {loss:.4f}"
    if before is None or step.seconds <= before.seconds:
        return said + saved
    rate = (step.images_seen - before.images_seen) / (step.seconds - before.seconds)
    return f"{said}, {rate:.1f} images/s, {(images - step.images_seen) / rate / 3600:.1f} h left{saved}"
