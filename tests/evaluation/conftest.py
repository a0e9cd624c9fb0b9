from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ediffuser.data.pictures import ArrayPictures
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.runtime.pixels import to_uint8
from ediffuser.tasks import AnyTask


@pytest.fixture
def images() -> Tensor:
    """Four smooth pictures with some structure, 32 x 32, in [-1, 1]; the same on every machine."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    waves = [torch.sin((k + 1) * x / 9 + c) * torch.cos((c + 1) * y / 11 + k) for k in range(4) for c in range(3)]
    return 0.8 * torch.stack(waves).reshape(4, 3, 32, 32)


@pytest.fixture
def pictures(images: Tensor) -> ArrayPictures:
    return ArrayPictures(to_uint8(images).numpy())


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Ten pictures of 32 x 32 pixels as files, random and rather dull."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(10):
        coarse = np.random.default_rng(k).integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Callable[..., Path]:
    """A checkpoint of a tiny network of 32 x 32 pixels for a task; its weights are random, none is zero."""

    def make(task: AnyTask) -> Path:
        path = tmp_path_factory.mktemp("models") / task.kind
        channels = 3 + task.condition_channels
        network = UNetConfig(resolution=32, in_channels=channels, patch=4, widths=(8,), blocks=(1,), norm_groups=4)
        config = ModelConfig(network=network, schedule=CosineBetas(), task=task, parametrisation="x0")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            built = network.build()
            for parameter in built.parameters():
                if not parameter.any():
                    parameter.data.normal_(std=0.05)
        write_checkpoint(path, model_files(config, built))
        return path

    return make
