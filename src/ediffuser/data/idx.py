"""The idx files of MNIST and its kin: big-endian, a magic number, the sizes, then bytes; plain or gzipped."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from ediffuser.data.files import existing
from ediffuser.data.pictures import ArrayPictures
from ediffuser.runtime.errors import BadInputError

PREFIXES = {"train": "train", "test": "t10k"}


def open_idx(
    path: str, split: Literal["train", "test"], resolution: int, channels: int, classes: tuple[str, ...]
) -> ArrayPictures:
    """One split of a data set of grey pictures, with labels.

    Args:
        path: The folder with the four files.
        split: "train" or "test".
        resolution: At least the side of the stored pictures, which are padded with black evenly on all sides.
        channels: 1, or 3 for three equal ones.
        classes: Names of the labels.

    Raises:
        BadInputError: If a file is missing, of another kind, truncated, or does not fit the others.
    """
    folder = existing(path)
    images = read_idx(find_idx(folder, f"{PREFIXES[split]}-images", axes=3), axes=3)
    labels = read_idx(find_idx(folder, f"{PREFIXES[split]}-labels", axes=1), axes=1).astype(np.int64)
    if len(images) != len(labels) or labels.max() >= len(classes) or images.shape[1:] != (28, 28):
        raise BadInputError(
            f"the idx files in '{folder}' do not belong together: images of shape {images.shape} and "
            f"{len(labels):,} labels up to {labels.max()}, where equally many of 28 x 28 and up to "
            f"{len(classes) - 1} would be right"
        )
    margin = (resolution - 28) // 2
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))[:, None]
    return ArrayPictures(np.broadcast_to(padded, (len(images), channels, resolution, resolution)), labels, classes)


def find_idx(folder: Path, stem: str, axes: int) -> Path:
    """The file of a stem such as "train-images": with a hyphen or a dot before "idx", plain or gzipped.

    Raises:
        BadInputError: If it is not there.
    """
    names = [f"{stem}{mark}idx{axes}-ubyte{ending}" for mark in "-." for ending in ("", ".gz")]
    file = next((folder / name for name in names if (folder / name).is_file()), None)
    if file is None:
        raise BadInputError(f"no '{names[0]}' or '{names[1]}' in '{folder}': give the folder with the four idx files")
    return file


def read_idx(file: Path, axes: int) -> np.ndarray:
    """The bytes of an idx file.

    Args:
        file: The file; gzipped if its name ends in .gz.
        axes: Number of axes that is right: 3 for images, 1 for labels.

    Returns:
        uint8, read-only.

    Raises:
        BadInputError: If the magic number is another, or the file is truncated or too long.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadInputError(f"'{file}' is not a whole gzip file ({error}): download it again") from error
    right = bytes((0, 0, 8, axes))  # 8: unsigned bytes
    if content[:4] != right:
        raise BadInputError(
            f"'{file}' starts with 0x{content[:4].hex()}, where the idx magic number 0x{right.hex()} would be right"
        )
    shape = np.frombuffer(content[4 : 4 + 4 * axes].ljust(4 * axes, b"\0"), ">u4").tolist()
    expected = 4 + 4 * axes + math.prod(shape)
    if len(content) != expected or 0 in shape:
        raise BadInputError(
            f"'{file}' is truncated or damaged: {len(content):,} bytes where its header of shape {tuple(shape)} "
            f"asks for {expected:,}"
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
