"""A training step of denoising-diffusion-pytorch's own network (35.7 million parameters) against ours of its size.

    python benchmarks/training_lucidrains.py [--batch 32] [--repetitions 5]

Its step is that of its `Trainer`: GaussianDiffusion's loss, clipping, Adam, its EMA every tenth step, in float32 as it
comes and once more in bf16 by hand, on pictures that are in memory already. Ours is that of training_step.py, from
files to averaged weights, with a network that is a little larger than its in parameters and in operations. All take
turns in one process; medians. Figures, machine and date: benchmarks/README.md.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import tyro
from denoising_diffusion_pytorch import GaussianDiffusion, Unet
from ema_pytorch import EMA
from machine import CPU, PRECISION, Contestant, compare, flops, network_flops, report
from training_step import SIDE, our_step, write_pictures

from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.recipes import RECIPES
from ediffuser.runtime.device import autocast

TARGET = 2.5


def theirs() -> Unet:
    """The network of its README."""
    return Unet(dim=64, dim_mults=(1, 2, 4, 8))


def ours() -> ModelConfig:
    """Its channels, and somewhat more parameters and operations; attention at 8 and 4 cells, all with all.

    Its network has that at 4 cells only, and linear attention above, which ours does not know.
    """
    network = UNetConfig(
        resolution=SIDE,
        widths=(64, 128, 256, 512),
        blocks=(2, 2, 1, 1),
        attention=(8, 4),
        heads=4,
        scale_shift=True,
    )
    return replace(RECIPES["ddpm32"]().model, network=network)


def their_flops() -> int:
    """Operations of a training step of its network for one picture."""
    network, x, time = theirs(), torch.randn(1, 3, SIDE, SIDE), torch.ones(1)
    return flops(lambda: network(x, time).sum().backward())


def their_step(batch: int, precision: torch.dtype) -> Callable[[], None]:
    """The body of its `Trainer.train`."""
    diffusion = GaussianDiffusion(theirs(), image_size=SIDE, timesteps=1000)
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=1e-4, betas=(0.9, 0.99))
    average = EMA(diffusion, beta=0.995, update_every=10)
    pictures = torch.rand(batch, 3, SIDE, SIDE)

    def step() -> None:
        with autocast(CPU, precision):
            loss = diffusion(pictures)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()

    return step


def main(batch: int = 32, repetitions: int = 5) -> None:
    """Measures and reports.

    Args:
        batch: Pictures a step.
        repetitions: Steps of each contestant that are timed, after one that is not.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures.zip", 4 * batch)
        package = "denoising-diffusion-pytorch"
        contestants = [
            Contestant(package, torch.float32, their_step(batch, torch.float32)),
            Contestant(f"{package}, bf16 by hand", PRECISION, their_step(batch, PRECISION)),
            Contestant("ediffuser", PRECISION, our_step(folder, batch, ours())),
        ]
        operations = [their_flops(), their_flops(), network_flops(ours().network.build, SIDE, training=True)]
        rows = compare(contestants, repetitions, images=batch, operations=[batch * each for each in operations])
    parameters = [sum(p.numel() for p in network.parameters()) for network in (theirs(), ours().network.build())]
    title = f"A training step of denoising-diffusion-pytorch's network at 32 pixels, batch {batch}"
    report(title, rows, target=TARGET, parameters=parameters, operations_a_picture=operations[::2])


if __name__ == "__main__":
    tyro.cli(main)
