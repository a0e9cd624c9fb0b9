"""A 12-megapixel photo from file to files: `ediffuser inpaint --variations 3` in a process of its own.

    python benchmarks/photo.py [--model photos-128]

The photo is a 3000 x 4000 JPEG with an EXIF rotation, the hole a brush stroke. Time and memory are those of the whole
command, imports and PNG encoding included. What must hold beside them is checked: three different, upright pictures of
full size, and not one pixel changed outside the hole.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import tyro
from machine import report
from PIL import Image, ImageDraw, ImageOps

ASTRONAUT = Path(__file__).parents[1] / "examples" / "astronaut.png"
VARIATIONS, MOST_SECONDS, MOST_BYTES = 3, 10, 2.5e9
LYING = 6  # EXIF: the picture has to be turned by 90 degrees clockwise to stand upright


def main(model: str = "photos-128") -> None:
    """Measures, checks and reports."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upright, hole = write_photo(folder)
        command = [sys.executable, "-c", "from ediffuser.cli import main; main()", "inpaint"]
        command += [folder / "photo.jpg", folder / "mask.png", "-o", folder / "out", "--model", model]
        started = time.perf_counter()
        process = subprocess.Popen([*map(str, command), "--variations", str(VARIATIONS)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - started
        assert status == 0, "the command failed"
        results = [np.asarray(Image.open(path)) for path in sorted((folder / "out").iterdir())]
    check(results, upright, hole)
    rows = [{"seconds": taken, "at most": MOST_SECONDS, "memory, GB": usage.ru_maxrss * 1024 / 1e9, "at most, GB": 2.5}]
    report(f"{VARIATIONS} variations of a 3000 x 4000 photo by {model}, whole command", rows)


def write_photo(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Writes photo and mask; returns the upright decoded photo (4000, 3000, 3) and the hole (4000, 3000)."""
    face = Image.open(ASTRONAUT).convert("RGB").crop((96, 0, 352, 341))
    lying = face.resize((3000, 4000), Image.Resampling.BICUBIC).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = LYING
    lying.save(folder / "photo.jpg", quality=92, exif=exif)
    mask = Image.new("L", (3000, 4000))
    ImageDraw.Draw(mask).line([(1700, 1000), (1950, 1250), (1850, 1600)], fill=255, width=420, joint="curve")
    mask.save(folder / "mask.png")
    with Image.open(folder / "photo.jpg") as photo:
        return np.asarray(ImageOps.exif_transpose(photo)), np.asarray(mask) > 127


def check(results: list[np.ndarray], upright: np.ndarray, hole: np.ndarray) -> None:
    """Stops where something does not hold."""
    assert len(results) == VARIATIONS, f"{len(results)} results"
    for result in results:
        assert result.shape == upright.shape, f"{result.shape} is not {upright.shape}"
        changed = int((result[~hole] != upright[~hole]).any(axis=-1).sum())
        assert changed == 0, f"{changed} pixels changed outside the hole"
    for first, second in pairwise(results):
        assert (first[hole] != second[hole]).mean() > 0.5, "two results are alike"


if __name__ == "__main__":
    tyro.cli(main)
