"""Where things lie in the data directory, and files of masks and patches that are there whole or not at all."""

import io
import secrets
import shutil
from pathlib import Path

import numpy as np

from ediffuser.runtime.files import write_atomically


def new_id() -> str:
    """128 random bits, 22 letters of base64url."""
    return secrets.token_urlsafe(16)


def image_directory(data: Path, image: str) -> Path:
    """Holds `pixels.npy` and `meta.json` of an uploaded picture."""
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


def remove_job(data: Path, job: str) -> None:
    """Deletes a job's directory, if it is there."""
    shutil.rmtree(job_directory(data, job), ignore_errors=True)
