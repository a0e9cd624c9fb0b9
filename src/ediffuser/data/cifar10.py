"""CIFAR-10: 60,000 pictures of 32 x 32 in ten classes (Krizhevsky 2009).

Of the two official forms this reads the binary one. The python one is made of pickles, and nothing here unpickles.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from ediffuser.data.files import existing, open_files
from ediffuser.data.pictures import ArrayPictures, FilePictures, Pictures
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BINARY_FILES = {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)}
ALL_BINARY_FILES = frozenset().union(*BINARY_FILES.values())
PYTHON_FILES = frozenset(name.removesuffix(".bin") for name in ALL_BINARY_FILES)
RECORD_BYTES = 1 + 3 * 32 * 32  # label, then the red, green and blue planes


@component
class Cifar10:
    """CIFAR-10 from the extracted cifar-10-binary.tar.gz, or from files named `class/name.webp` (or .png, .jpg).

    Attributes:
        path: The folder with the .bin files or the one above it; or a folder or .zip of the ten class folders.
        split: Which .bin files, or which of the subfolders train/ and test/. A folder or zip of class folders alone is
            one split already.
        flip: Whether training mirrors every second picture.
    """

    kind: Literal["cifar10"] = "cifar10"
    path: str = ""
    split: Literal["train", "test"] = "train"
    resolution: Literal[32] = 32
    channels: Literal[3] = 3
    flip: bool = True

    def open(self) -> Pictures:
        """The pictures, with labels.

        Raises:
            BadInputError: If the path is missing or holds CIFAR-10 in no form that is read, or a file is damaged.
        """
        where = existing(self.path)
        official = official_folder(where)
        if official is not None:
            return _open_binary(official, self.split)
        splits = any((where / split).is_dir() for split in BINARY_FILES)
        files = open_files(str(where / self.split) if splits else str(where))
        return FilePictures(files, self.resolution, classes=CLASSES)


def official_folder(where: Path) -> Path | None:
    """The folder at or just below a path that holds CIFAR-10's own files, binary or python; None if there is none."""
    folders = (where, where / "cifar-10-batches-bin", where / "cifar-10-batches-py")
    return next((folder for folder in folders if _has_one(folder, ALL_BINARY_FILES | PYTHON_FILES)), None)


def _has_one(folder: Path, names: Iterable[str]) -> bool:
    return any(os.path.isfile(folder / name) for name in names)


def _open_binary(folder: Path, split: str) -> ArrayPictures:
    if not _has_one(folder, ALL_BINARY_FILES):
        raise BadInputError(
            f"'{folder}' is CIFAR-10's python version, whose pickles are not opened for safety: "
            "give the binary version, the extracted cifar-10-binary.tar.gz"
        )
    records = np.concatenate([_records(folder / name) for name in BINARY_FILES[split]])
    pixels = records[:, 1:].reshape(-1, 3, 32, 32)
    return ArrayPictures(pixels, records[:, 0].astype(np.int64), CLASSES)


def _records(file: Path) -> np.ndarray:
    if not file.is_file():
        raise BadInputError(f"CIFAR-10's '{file}' is missing: extract the whole cifar-10-binary.tar.gz")
    content = np.fromfile(file, np.uint8)
    if len(content) == 0 or len(content) % RECORD_BYTES:
        raise BadInputError(
            f"'{file}' is truncated: {len(content):,} bytes where a multiple of {RECORD_BYTES:,} would be right"
        )
    records = content.reshape(-1, RECORD_BYTES)
    if records[:, 0].max() >= len(CLASSES):
        raise BadInputError(f"'{file}' is not CIFAR-10: it has label {records[:, 0].max()} where 0 to 9 would be right")
    return records
