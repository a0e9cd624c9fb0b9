"""Two processes of one thread each against one process of two threads: the same training step, shared out.

    python benchmarks/training_processes.py [--batch 32] [--steps 8] [--rounds 3]

Both train the published 32-pixel network with `ediffuser train`'s own loop, the two by torchrun on gloo. They take
turns; the figure is images/s over the steps after the first two, the median of the rounds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import tyro
from machine import report
from training_step import published, write_pictures

from ediffuser.data import ImageFolder
from ediffuser.recipes import RECIPES
from ediffuser.runtime.distributed import processes
from ediffuser.training import train

WARM_UP = 2
TARGET = 0.9


def measure(batch: int, steps: int, folder: Path) -> None:
    """Trains, in this process or as one of several, and prints the images per second of all."""
    endless = {"images": 10**12, "checkpoint_every": 10**12}
    data = ImageFolder(path=str(folder / "pictures.zip"), resolution=32)
    experiment = replace(RECIPES["ddpm32"](), model=published(), data=data, batch=batch, **endless)
    with processes() as group, tempfile.TemporaryDirectory() as out:
        run = train(experiment, Path(out), device="cpu", group=group)
        taken = [step.step_seconds for step in islice(run, WARM_UP + steps)][WARM_UP:]
        if group.first:
            print(f"{batch * steps / sum(taken)} images/s", flush=True)
        run.close()


def images_per_second(command: Sequence[str], threads: int) -> float:
    """What a measurement in processes of their own prints."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return float(said.split()[-2])


def main(batch: int = 32, steps: int = 8, rounds: int = 3, folder: Path | None = None) -> None:
    """Measures and reports.

    Args:
        batch: Pictures a step, of all processes together.
        steps: Steps that are timed in each round.
        rounds: How often both are measured.
        folder: Measures in this process alone, with the pictures in this folder.
    """
    if folder:
        measure(batch, steps, folder)
        return
    with tempfile.TemporaryDirectory() as name:
        write_pictures(Path(name) / "pictures.zip", 4 * batch)
        script = [__file__, "--batch", str(batch), "--steps", str(steps), "--folder", name]
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        found = {"one process, two threads": [], "two processes, one thread each": []}
        for _ in range(rounds):
            found["one process, two threads"].append(images_per_second([sys.executable, *script], 2))
            found["two processes, one thread each"].append(images_per_second([sys.executable, *torchrun, *script], 1))
    speeds = {name: statistics.median(values) for name, values in found.items()}
    first = next(iter(speeds.values()))
    rows = [{"contestant": name, "images/s": speed, "ratio": speed / first} for name, speed in speeds.items()]
    report(f"Training on two cores, the published 32-pixel network, batch {batch}", rows, target=TARGET)


if __name__ == "__main__":
    tyro.cli(main)
