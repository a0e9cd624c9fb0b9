from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.diffusion.losses import Simple
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import Unconditional
from ediffuser.training import Experiment
from ediffuser.training.ema import PowerEma
from ediffuser.training.optimizer import Optimizer


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    """Fourteen pictures of 8 x 8 pixels: one colour, its left half darker."""
    folder, random = tmp_path / "toys", np.random.default_rng(0)
    folder.mkdir()
    for number in range(14):
        pixels = np.empty((8, 8, 3), np.uint8)
        pixels[:] = random.integers(0, 256, 3)
        pixels[:, :4] //= 2
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def experiment(toys: Path) -> Callable[..., Experiment]:
    """A run of a tiny network on the toys, changed as asked."""

    def make(
        task=Unconditional(),  # noqa: B008
        parametrisation="x0",
        dropout=0.2,
        widths=(8, 8),
        schedule=CosineBetas(steps=100),  # noqa: B008
        **changes,
    ) -> Experiment:
        learned = changes.get("objective", Simple()).learns_variance
        network = UNetConfig(
            resolution=8,
            in_channels=3 + task.condition_channels,
            out_channels=6 if learned else 3,
            widths=widths,
            blocks=(1, 1),
            attention=(),
            norm_groups=4,
            dropout=dropout,
        )
        model = ModelConfig(
            network=network,
            schedule=schedule,
            task=task,
            parametrisation=parametrisation,
            learned_variance=learned,
        )
        small = {
            "name": "toy",
            "model": model,
            "data": ImageFolder(path=str(toys), resolution=8),
            "images": 64,
            "batch": 8,
            "optimizer": Optimizer(learning_rate=2e-3),
            "ema": PowerEma(width=0.1),
            "precision": "float32",
        }
        return Experiment(**(small | changes))

    return make
