"""A checkpoint of each format, and the losses that a run goes on with from it; as a script, makes those of today."""

import contextlib
import dataclasses
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import FORMAT
from ediffuser.runtime.component import from_json
from ediffuser.tasks import Unconditional
from ediffuser.training import Experiment, train
from ediffuser.training.optimizer import Optimizer

GOLDEN = Path(__file__).parent / "golden"
BATCH, BEFORE, AFTER = 4, 5, 20


def draw_pictures(folder: Path) -> None:
    """Twelve pictures of 8 x 8 pixels, the same everywhere and for ever."""
    folder.mkdir(parents=True)
    for number in range(12):
        rows, columns, colours = np.ogrid[:8, :8, :3]
        pixels = (number * 37 + rows * 11 + columns * 23 + colours * 71) % 256
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02d}.png")


def go_on(run: Path, pictures: Path, steps: int) -> list[float]:
    """The losses of the steps after the checkpoint in a run directory."""
    newest = max((run / "checkpoints").iterdir())
    experiment = from_json((newest / "experiment.json").read_text(), Experiment)
    data = dataclasses.replace(experiment.data, path=str(pictures))
    experiment = dataclasses.replace(experiment, data=data, images=int(newest.name) + steps * BATCH)
    return [step.loss for step in train(experiment, run, resume=True, device="cpu")]


def _make(place: Path, folder: Path) -> None:
    draw_pictures(folder / "pictures")
    network = UNetConfig(resolution=8, widths=(4, 8), blocks=(1, 1), attention=(4,), norm_groups=4, dropout=0.1)
    experiment = Experiment(
        name="golden",
        model=ModelConfig(network=network, schedule=CosineBetas(steps=100), task=Unconditional()),
        data=ImageFolder(path="pictures", resolution=8),
        images=BEFORE * BATCH,
        batch=BATCH,
        optimizer=Optimizer(learning_rate=1e-3),
        precision="float32",
    )
    with contextlib.chdir(folder):
        list(train(experiment, folder / "run", device="cpu"))
    shutil.copytree(folder / "run" / "checkpoints", place / "checkpoints")
    losses = go_on(folder / "run", folder / "pictures", AFTER)
    (place / "losses.json").write_text(json.dumps(losses, indent=1) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        _make(GOLDEN / FORMAT, Path(temporary))
    sys.stdout.write(f"{GOLDEN / FORMAT}\n")
