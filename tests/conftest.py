from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ediffuser import zoo
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.tasks import Inpainting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that at the end no core waits for another one that has just begun them."""
    items.sort(key=lambda item: item.path.parent.name != "training")


@pytest.fixture
def network_config() -> Callable[..., UNetConfig]:
    """A small UNet for pictures of 16 x 16 pixels, changed as asked."""

    def make(**changes) -> UNetConfig:
        small = {"resolution": 16, "widths": (32, 32), "blocks": (1, 1), "attention": (8,), "norm_groups": 8}
        return UNetConfig(**(small | changes))

    return make


@pytest.fixture
def random_denoiser(network_config) -> Callable[..., NetworkDenoiser]:
    """A small UNet in which no layer is zero, so that its output depends on all of its input."""

    def make(condition_channels: int = 0, seed: int = 0, **fields) -> NetworkDenoiser:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            out_channels = 6 if fields.get("learned_variance") else 3
            network = network_config(in_channels=3 + condition_channels, out_channels=out_channels).build()
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.data.normal_(std=0.05)
        return NetworkDenoiser(network.eval().requires_grad_(False), **({"schedule": CosineBetas()} | fields))

    return make


@pytest.fixture
def two_models(network_config, tmp_path, monkeypatch) -> Path:
    """A zoo of two small untrained inpainters: faces-16 of aligned faces, and things-16 of anything."""
    shipped = tmp_path / "zoo"
    for name, framing in (("faces-16", "aligned_faces"), ("things-16", "free")):
        network = network_config(in_channels=7)
        what = {"network": network, "schedule": CosineBetas(), "task": Inpainting(), "parametrisation": "x0"}
        config = ModelConfig(**what, framing=framing)
        words = {zoo.CARD: f"# {name}\n\nA test. Its licence is that of {name}.\n".encode(), zoo.FIGURES: b"{}"}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(name))
            write_checkpoint(shipped / name, model_files(config, network.build()) | words)
    monkeypatch.setattr(zoo, "SHIPPED", shipped)
    return shipped
