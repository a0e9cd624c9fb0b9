from collections.abc import Callable

import pytest
import torch

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.networks import UNetConfig


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
