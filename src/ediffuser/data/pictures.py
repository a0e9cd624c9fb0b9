"""An opened data set: pictures by index, as bytes. Files are decoded by threads and kept decoded if they fit in memory.

Threads, not processes: Pillow's decoders release the interpreter lock, and on two cores 24,000 WebP files of 128 x 128
take 10 s. Nothing has to be pickled, and no script needs an `if __name__ == "__main__"` guard.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ediffuser.data.decode import damaged, decode_square
from ediffuser.data.files import Files, read_patiently
from ediffuser.data.labels import folder_labels
from ediffuser.data.memory import cache_budget_bytes
from ediffuser.runtime.errors import BadInputError


class Pictures(Protocol):
    """Pictures of one size, in a fixed order.

    Attributes:
        labels: int64, shape (N,), an index into `classes`; None where pictures have no class.
        classes: Names of the classes, possibly none.
    """

    labels: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def names(self) -> Sequence[str]:
        """Names of the pictures, N of them: their files', with forward slashes; numbers where there are no files."""
        ...

    def __len__(self) -> int:
        """The number of pictures, N."""
        ...

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The pictures at these indices, each in [0, N): uint8, shape (B, C, H, W), the caller's own to change.

        Raises:
            BadInputError: If a file is damaged; names it.
        """
        ...

    def prepare(self) -> None:
        """Decodes what fits in memory, so that damage is found before training and not hours into it.

        Raises:
            BadInputError: If a file is damaged; names it.
        """
        ...


class ArrayPictures:
    """Pictures that are in memory already: uint8, shape (N, C, H, W), with int64 labels, shape (N,)."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray | None = None, classes: tuple[str, ...] = ()) -> None:
        self._pixels = pixels
        self.labels = labels
        self.classes = classes

    @property
    def names(self) -> Sequence[str]:
        """Their numbers: "0", "1" and on."""
        return [str(number) for number in range(len(self))]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self._pixels)

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The pictures at these indices: uint8, shape (B, C, H, W)."""
        return torch.from_numpy(self._pixels[np.asarray(indices, dtype=np.int64)])

    def prepare(self) -> None:
        """Nothing is left to do."""


class FilePictures:
    """Pictures in files, decoded when first asked for. The class of a picture is the folder that holds its file.

    Args:
        files: Where the files are.
        resolution: Side of the pictures in pixels.
        channels: 3 for RGB, 1 for luma.
        classes: Names of the class folders, in the order of their labels; None for whatever folders there are.
    """

    def __init__(
        self, files: Files, resolution: int, channels: Literal[1, 3] = 3, classes: tuple[str, ...] | None = None
    ) -> None:
        count = len(files.names)
        self.labels, self.classes = folder_labels(files, classes)
        self._files = files
        self._resolution = resolution
        self._channels: Literal[1, 3] = channels
        self._pool = ThreadPoolExecutor(min(16, _cores()), thread_name_prefix="decode")
        shape = (count, channels, resolution, resolution)
        self._cache = np.empty(shape, np.uint8) if np.prod(shape) <= cache_budget_bytes() else None
        self._cached = np.zeros(count, bool)

    @property
    def names(self) -> Sequence[str]:
        """Names of the files, relative to their folder or zip."""
        return self._files.names

    @property
    def passed_over(self) -> int:
        """How many files beside them are no JPEG, PNG or WebP."""
        return self._files.passed_over

    def __len__(self) -> int:
        """The number of files."""
        return len(self._files.names)

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The pictures at these indices: uint8, shape (B, C, H, W).

        Raises:
            BadInputError: If a file is damaged; names it.
        """
        rows = np.asarray(indices, dtype=np.int64)
        if self._cache is None:
            return torch.from_numpy(np.stack(list(self._pool.map(self._decode, rows.tolist()))))
        self._keep(self._cache, np.unique(rows[~self._cached[rows]]))
        return torch.from_numpy(self._cache[rows])

    def prepare(self) -> None:
        """Decodes all files if they fit in memory; otherwise they are decoded batch by batch, always.

        Raises:
            BadInputError: If a file is damaged; names it.
        """
        if self._cache is not None:
            self._keep(self._cache, np.flatnonzero(~self._cached))

    def _keep(self, cache: np.ndarray, rows: np.ndarray) -> None:
        for row, pixels in zip(rows, self._pool.map(self._decode, rows.tolist()), strict=True):
            cache[row] = pixels
        self._cached[rows] = True

    def _decode(self, row: int) -> np.ndarray:
        name = self._files.names[row]
        try:
            return decode_square(read_patiently(self._files, name), self._resolution, self._channels)
        except (BadInputError, MemoryError):  # the latter is a limit of the process, not a fault of the file
            raise
        except Exception as error:  # zipfile and Pillow's plugins raise nearly anything on a damaged file
            raise damaged(f"'{name}' in '{self._files.where}'", error) from error


def found(pictures: Pictures, path: str) -> str:
    """How many pictures there are at a path, and how many other files are passed over, in words."""
    others = pictures.passed_over if isinstance(pictures, FilePictures) else 0
    return f"{_counted(len(pictures), 'picture')} in {path}" + (
        f", {_counted(others, 'other file')} passed over" if others else ""
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _cores() -> int:
    """Processor cores that this process may use, which a cluster gives it fewer of than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
