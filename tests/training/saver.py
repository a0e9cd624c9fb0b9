"""Saves and prunes checkpoints as training does, without a network: `saver.py run|full FOLDER`, or called by a test."""

import errno
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ediffuser.runtime.checkpoint import checkpoints, read_checkpoint, remove_leftovers, write_checkpoint
from ediffuser.training.checkpoints import prune

FILES = {"model.safetensors": random.Random(0).randbytes(300_000), "state.json": b'{"steps": 3}'}
LEVELS = 20


def place(run: Path, images: int) -> Path:
    return run / "checkpoints" / f"{images:010d}"


def begin(run: Path) -> None:
    """A run with the checkpoints of 8 and 16 images."""
    for images in (8, 16):
        write_checkpoint(place(run, images), FILES)


def save(run: Path, fault: Callable[[], None] | None = None) -> None:
    """Publishes the checkpoint of 24 images, and removes that of 8."""
    if fault is not None:
        fault()
    remove_leftovers(run)
    write_checkpoint(place(run, 24), FILES)
    prune(run, backup_images=1000)


def save_on_full_disks(run: Path) -> None:
    """Tries to save with less and less room, on a disk of its own that is too small for three checkpoints."""
    begin(run)
    room = shutil.disk_usage(run).free
    refused = 0
    for level in range(LEVELS):
        left = level * sum(map(len, FILES.values())) // (LEVELS - 1)
        (run / "filler").write_bytes(bytes(room - left))
        try:
            write_checkpoint(place(run, 24), FILES)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            refused += 1
        else:
            shutil.rmtree(place(run, 24))
        names = sorted(os.listdir(run / "checkpoints"))
        assert names == ["0000000008", "0000000016"], names
        assert all(read_checkpoint(path) == FILES for path in checkpoints(run))
        (run / "filler").unlink()
    sys.stdout.write(f"{LEVELS} levels, refused at {refused}, the old checkpoints intact at all\n")


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    if sys.argv[1] == "full":
        save_on_full_disks(folder)
    else:
        save(folder)
