"""Published files of weights: found where PyTorch keeps its downloads, or fetched, and checked before they are read.

The names of these files end in the first eight digits of their SHA-256 sum, PyTorch's own convention; a file with
another sum is another network and is refused, for its figures would bear the wrong name.
"""

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor

from ediffuser.runtime.errors import BadInputError


def downloads() -> Path:
    """The folder where PyTorch keeps downloaded weights; the variable TORCH_HOME moves it."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find(name: str) -> Path | None:
    """The downloaded file of this name, if it is there."""
    path = downloads() / name
    return path if path.is_file() else None


def fetch(name: str, url: str, what: str) -> Path:
    """The file of this name, downloaded where it is not there yet.

    Args:
        name: Of the file; ends in "-" and the first eight digits of its sum.
        url: Where it is published.
        what: Names the network in the error.

    Raises:
        BadInputError: If it cannot be downloaded; says where to put it.
    """
    path = downloads() / name
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=_prefix(name), progress=False)
        except (OSError, RuntimeError) as error:
            raise BadInputError(
                f"the weights of {what} are not at hand and cannot be downloaded ({error}); "
                f"put the file {url} into {path.parent}, or give its path"
            ) from error
    return path


def read(path: Path, name: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a published file, and its SHA-256 sum.

    Args:
        path: The file, under whatever name.
        name: The name that it is published under, which says its sum.

    Raises:
        BadInputError: If it cannot be read, or its sum is another.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}; give the path of {name}") from error
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(_prefix(name)):
        raise BadInputError(f"{path} is not the published {name}: its SHA-256 sum begins with {digest[:8]}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), digest


def _prefix(name: str) -> str:
    return Path(name).stem.rpartition("-")[2]
