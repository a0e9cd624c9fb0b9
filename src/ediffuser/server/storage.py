"""Where things lie in the data directory, and files of masks and patches that are there whole or not at all."""

import io
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ediffuser.editing.compose import hole_box
from ediffuser.runtime.files import write_atomically
from ediffuser.server.schemas import Box

STRAY_SECONDS = 3600


def new_id() -> str:
    """128 random bits, 22 letters of base64url."""
    return secrets.token_urlsafe(16)


def image_directory(data: Path, image: str) -> Path:
    """Holds `pixels.npy`, `meta.json` and perhaps `icc.bin` of an uploaded picture."""
    return data / "images" / image


def job_directory(data: Path, job: str) -> Path:
    """Holds the mask of a job and the patches that were painted."""
    return data / "jobs" / job


def patch_path(data: Path, job: str, variation: int) -> Path:
    """The painted rectangle of a variation: lossless PNG of the job's `box`, with the photo's colour profile."""
    return job_directory(data, job) / f"{variation}.png"


def write_mask(data: Path, job: str, hole: np.ndarray) -> None:
    """Stores where to paint, eight pixels a byte.

    Args:
        data: The data directory.
        job: Id of the job.
        hole: bool, shape (H, W), True where to paint.
    """
    directory = job_directory(data, job)
    directory.mkdir(parents=True)
    file = io.BytesIO()
    np.save(file, np.packbits(hole, axis=1), allow_pickle=False)
    write_atomically(directory / "mask.npy", file.getvalue())


def box_of(hole: np.ndarray) -> Box:
    """The bounding box of a hole with at least one pixel."""
    box = hole_box(hole)
    return Box(left=box.left, top=box.top, width=box.width, height=box.height)


def read_mask(data: Path, job: str, width: int) -> np.ndarray:
    """Where to paint: bool, shape (H, `width`), True where to paint.

    Raises:
        FileNotFoundError: If there is no such job.
    """
    packed = np.load(job_directory(data, job) / "mask.npy", allow_pickle=False)
    return np.unpackbits(packed, axis=1, count=width).view(bool)


def read_pixels(data: Path, image: str) -> np.ndarray:
    """A picture without reading it all into memory: uint8, shape (H, W, 3 or 4), read-only.

    Raises:
        FileNotFoundError: If there is no such picture.
    """
    return np.load(image_directory(data, image) / "pixels.npy", mmap_mode="r", allow_pickle=False)


def read_profile(data: Path, image: str) -> bytes | None:
    """The RGB profile of a picture, None for sRGB."""
    path = image_directory(data, image) / "icc.bin"
    return path.read_bytes() if path.exists() else None


def remove_job(data: Path, job: str) -> None:
    """Deletes a job's directory, if it is there."""
    shutil.rmtree(job_directory(data, job), ignore_errors=True)


def job_sizes(data: Path) -> dict[str, int]:
    """How many bytes the files of each job have."""
    return {path.name: sum(_size(file) for file in path.glob("*")) for path in (data / "jobs").glob("*/")}


def remove_strays(data: Path, known: Collection[str], now: float) -> None:
    """Deletes directories of no known job; young ones may belong to a job that is being taken in."""
    for directory in (data / "jobs").glob("*/"):
        if directory.name not in known and now - directory.stat().st_mtime > STRAY_SECONDS:
            remove_job(data, directory.name)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the worker has just given it its final name
        return 0
