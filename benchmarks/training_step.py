"""A training step of the published 32-pixel network (35.7 million parameters): ours against that of diffusers.

    python benchmarks/training_step.py [--compile] [--batch 32] [--repetitions 5]

Ours is `ediffuser.training.train` as a recipe runs it, from PNG files to averaged weights: decoding and flips, noise of
its own for each picture, clipping, Adam, EMA. diffusers takes the step of its training tutorial (add_noise, mse, AdamW,
EMAModel) on pictures that are in memory already: as it comes, in float32, and once more in bf16 and channels-last by
hand. All take turns in one process; medians. Figures, machine and date: benchmarks/README.md.
"""

import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from machine import CPU, PRECISION, Contestant, compare, network_flops, report
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.model import ModelConfig
from ediffuser.recipes import RECIPES
from ediffuser.runtime.device import autocast
from ediffuser.training import train

TARGET = 2.5
SIDE = 32


def published() -> ModelConfig:
    """The network of Ho et al. 2020, appendix B: our `ddpm32` with convolutional resampling and no dropout."""
    model = RECIPES["ddpm32"]().model
    network = replace(model.network, convolutional_resampling=True, asymmetric_padding=True, dropout=0.0)
    return replace(model, network=network)


def published_by_diffusers() -> UNet2DModel:
    """The same network in diffusers: its google/ddpm-cifar10-32."""
    plain_down, plain_up = "DownBlock2D", "UpBlock2D"
    return UNet2DModel(
        sample_size=SIDE,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=(plain_down, "AttnDownBlock2D", plain_down, plain_down),
        up_block_types=(plain_up, plain_up, "AttnUpBlock2D", plain_up),
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    )


def write_pictures(path: Path, count: int) -> None:
    """A zip of random PNG pictures."""
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            file = BytesIO()
            Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(file, "PNG")
            archive.writestr(f"{number}.png", file.getvalue())


def our_step(
    folder: Path, batch: int, model: ModelConfig, *, compiled: bool = False, checkpointing: bool = False
) -> Callable[[], object]:
    """Our training, one optimizer step further at each call."""
    endless = {"images": 10**12, "checkpoint_every": 10**12, "gradient_checkpointing": checkpointing}
    data = ImageFolder(path=str(folder / "pictures.zip"), resolution=SIDE)
    experiment = replace(RECIPES["ddpm32"](), model=model, data=data, batch=batch, **endless)
    steps = train(experiment, folder / f"compiled-{compiled}", device="cpu", compiled=compiled)
    return lambda: next(steps)


def diffusers_step(batch: int, precision: torch.dtype, layout: torch.memory_format) -> Callable[[], None]:
    """The training step of diffusers' tutorial."""
    network = published_by_diffusers().to(memory_format=layout)
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True)
    pictures = torch.rand(batch, 3, SIDE, SIDE) * 2 - 1

    def step() -> None:
        noise = torch.randn_like(pictures)
        timesteps = torch.randint(0, 1000, (batch,))
        noisy = scheduler.add_noise(pictures, noise, timesteps).contiguous(memory_format=layout)
        with autocast(CPU, precision):
            predicted = network(noisy, timesteps, return_dict=False)[0]
        F.mse_loss(predicted.float(), noise).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(network.parameters())

    return step


def main(batch: int = 32, repetitions: int = 5, compile: bool = False) -> None:
    """Measures and reports.

    Args:
        batch: Pictures a step.
        repetitions: Steps of each contestant that are timed, after one that is not.
        compile: Also our step through torch.compile.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures.zip", 4 * batch)
        contestants = [
            Contestant("diffusers", torch.float32, diffusers_step(batch, torch.float32, torch.contiguous_format)),
            Contestant("diffusers, by hand", PRECISION, diffusers_step(batch, PRECISION, torch.channels_last)),
            Contestant("ediffuser", PRECISION, our_step(folder, batch, published())),
        ]
        if compile:
            contestants.append(
                Contestant("ediffuser --compile", PRECISION, our_step(folder, batch, published(), compiled=True))
            )
        operations = batch * network_flops(published().network.build, SIDE, training=True)
        rows = compare(contestants, repetitions, images=batch, operations=operations)
    report(f"A training step of the published 32-pixel network, batch {batch}", rows, target=TARGET)


if __name__ == "__main__":
    tyro.cli(main)
