"""Bits per dimension of several models on the same test pictures of Fashion-MNIST, with the same noise.

python scripts/fashion_likelihoods.py RUNS/ddpm/checkpoints/0000192000 RUNS/lvddpm/checkpoints/0000192000
"""

from pathlib import Path

import tyro
from torch import Tensor
from tyro.conf import Positional

import ediffuser
from ediffuser.data import FashionMnist
from ediffuser.likelihood import Hutchinson
from ediffuser.model import Model
from ediffuser.runtime.noise import Noise


def main(
    checkpoints: Positional[tuple[Path, ...]], data: str = "/usr/share/datasets/fashion-mnist", measured: int = 32
) -> None:
    """Prints a table for each.

    Args:
        checkpoints: In directories named by their images.
        data: Folder with the files of Fashion-MNIST.
        measured: How many of the test pictures.
    """
    for checkpoint in checkpoints:
        print(f"\n{checkpoint.parents[1].name} after {int(checkpoint.name)} images:")
        likelihoods(ediffuser.load(checkpoint), data, measured)


def likelihoods(model: Model, data: str, count: int) -> None:
    """Bits per dimension of the first test pictures: the bound of a discrete model, the ODE of a continuous one."""
    levels = FashionMnist(path=data, split="test", resolution=32).open().batch(range(count))
    noise = Noise.rows(1, range(len(levels)))
    print("\n| likelihood | bits/dim | standard error |\n|---|---|---|")
    if not hasattr(model.config.schedule, "steps"):
        exact = ediffuser.ode_bits_per_dim(model.denoiser, levels, noise, trace=Hutchinson(probes=1))
        said("ODE, one Hutchinson probe", exact.value)
        return
    for variance in ("fixed_large", "fixed_small", *(["learned"] if model.config.learned_variance else [])):
        for steps in (100, 1000):
            noise = Noise.rows(1, range(len(levels)))
            bound = ediffuser.vlb_bits_per_dim(model.denoiser, levels, noise, steps=steps, variance=variance)
            said(f"VLB, {steps} steps, {variance}", bound.total)


def said(likelihood: str, values: Tensor) -> None:
    """Mean over pictures and its standard error, printed as a row."""
    mean, error = values.mean().item(), values.std().item() / len(values) ** 0.5
    print(f"| {likelihood} | {mean:.3f} | {error:.3f} |", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
