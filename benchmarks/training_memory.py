"""The most memory that a training step takes: ours against diffusers' and denoising-diffusion-pytorch's.

    python benchmarks/training_memory.py [--batch 32]

Each contestant of training_step.py and training_lucidrains.py takes three steps in a process of its own; the figure is
that process's largest resident size, less what it had before the first step was prepared. All keep averaged weights;
ours also decodes its pictures. With `gradient_checkpointing` ours computes activations again instead of keeping them.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import tyro
from machine import PRECISION, report
from training_lucidrains import ours, their_step
from training_step import diffusers_step, our_step, published, write_pictures

STEPS = 3
PUBLISHED = ("diffusers", "diffusers, by hand", "ediffuser", "ediffuser, checkpointing")
LUCIDRAINS = ("denoising-diffusion-pytorch", "denoising-diffusion-pytorch, by hand", "ediffuser of its size")


def largest_mib() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(contestant: str, batch: int) -> None:
    """Takes three steps and prints what they took more than was taken before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures.zip", 4 * batch)
        steps = {
            "diffusers": lambda: diffusers_step(batch, torch.float32, torch.contiguous_format),
            "diffusers, by hand": lambda: diffusers_step(batch, PRECISION, torch.channels_last),
            "ediffuser": lambda: our_step(folder, batch, published()),
            "ediffuser, checkpointing": lambda: our_step(folder, batch, published(), checkpointing=True),
            "denoising-diffusion-pytorch": lambda: their_step(batch, torch.float32),
            "denoising-diffusion-pytorch, by hand": lambda: their_step(batch, PRECISION),
            "ediffuser of its size": lambda: our_step(folder, batch, ours()),
        }
        before = largest_mib()
        step = steps[contestant]()
        for _ in range(STEPS):
            step()
        print(largest_mib() - before)


def taken_by(contestant: str, batch: int) -> float:
    """What a process of its own measures, in MiB."""
    command = [sys.executable, __file__, "--batch", str(batch), "--only", contestant]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main(batch: int = 32, only: str | None = None) -> None:
    """Measures and reports.

    Args:
        batch: Pictures a step.
        only: One contestant, measured in this process.
    """
    if only:
        measure(only, batch)
        return
    rows = []
    for names in (PUBLISHED, LUCIDRAINS):
        found = {name: taken_by(name, batch) for name in names}
        rows += [{"contestant": name, "MiB": mib, "ratio": mib / found[names[0]]} for name, mib in found.items()]
    report(f"The most memory of three training steps at 32 pixels, batch {batch}", rows)


if __name__ == "__main__":
    tyro.cli(main)
