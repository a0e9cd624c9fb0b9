"""The most memory that a training step of the published 32-pixel network takes: ours against that of diffusers.

    python benchmarks/training_memory.py [--batch 32]

Each contestant of training_step.py takes three steps in a process of its own; the figure is that process's largest
resident size, less what it had before the first step was prepared. Ours keeps the averaged weights, as diffusers'
EMAModel does, and decodes its pictures. `--checkpointing` also measures ours with `checkpointing`, which computes
activations again instead of keeping them.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import tyro
from machine import PRECISION, report
from training_step import diffusers_step, our_step, published, write_pictures

STEPS = 3
CONTESTANTS = ("diffusers", "diffusers, by hand", "ediffuser", "ediffuser, checkpointing")


def largest_mib() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(contestant: str, batch: int) -> None:
    """Takes three steps and prints what they took more than was taken before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "pictures.zip", 4 * batch)
        before = largest_mib()
        if contestant == "diffusers":
            step = diffusers_step(batch, torch.float32, torch.contiguous_format)
        elif contestant == "diffusers, by hand":
            step = diffusers_step(batch, PRECISION, torch.channels_last)
        else:
            step = our_step(folder, batch, published(), checkpointing="checkpointing" in contestant)
        for _ in range(STEPS):
            step()
        print(largest_mib() - before)


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
    for contestant in CONTESTANTS:
        command = [sys.executable, __file__, "--batch", str(batch), "--only", contestant]
        taken = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
        rows.append({"contestant": contestant, "MiB": taken, "ratio": taken / rows[0]["MiB"] if rows else 1.0})
    report(f"The most memory of three training steps of the published 32-pixel network, batch {batch}", rows)


if __name__ == "__main__":
    tyro.cli(main)
