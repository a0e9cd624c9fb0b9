"""What has been measured so far: one file of named tensors for each piece, there whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ediffuser.evaluation.plan import Piece
from ediffuser.runtime.checkpoint import tensors_to_bytes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically

PARTS = "parts"

Measured = dict[str, Tensor]
"""What one piece measured: per-picture scores of shape (B,), features (B, D), pictures to show ..."""


class Parts:
    """The pieces that are done, in a directory that any number of processes may add to.

    Two processes that do the same piece write the same bytes, so nothing is lost by that but time.
    """

    def __init__(self, out: Path) -> None:
        """Those in OUT/parts, which is made if there is none.

        Raises:
            BadInputError: If it cannot be made.
        """
        self._folder = out / PARTS
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"cannot make {self._folder}: {error.strerror}; choose another --out") from error

    def missing(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Those that are not done, or whose file has been cut short since."""
        return [piece for piece in pieces if not _sound(self._path(piece))]

    def write(self, piece: Piece, measured: Measured) -> None:
        """Publishes what a piece measured.

        Raises:
            BadInputError: If there is no room for it.
        """
        write_atomically(self._path(piece), tensors_to_bytes(measured))

    def read(self, piece: Piece) -> dict[str, Tensor]:
        """What a piece measured.

        Raises:
            BadInputError: If it is not there, or damaged.
        """
        path = self._path(piece)
        try:
            return safetensors.torch.load(path.read_bytes())
        except (OSError, safetensors.SafetensorError) as error:
            raise BadInputError(f"{path} is missing or damaged; evaluate again and it is made anew") from error

    def remove_leftovers(self) -> None:
        """Removes what processes left that were killed while writing; for who alone may write."""
        for left in self._folder.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def _path(self, piece: Piece) -> Path:
        return self._folder / f"{piece.name}.safetensors"


def _sound(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, "pt"):  # reads the header, and compares the length with it
            return True
    except (OSError, safetensors.SafetensorError):
        return False
