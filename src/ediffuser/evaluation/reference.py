"""The features of a reference set, measured once and kept under a key of everything they depend on.

A reference that differs in anything, be it the split, the count or the resize, is another reference (trap 35): the key
is a sum over the decoded pictures and all that the network says of itself, so nothing stale is ever found.
"""

import hashlib
import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ediffuser.data import Pictures
from ediffuser.evaluation.features import Features
from ediffuser.evaluation.moments import Moments
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically

VERSION = 1
"""Of the code that measures; to be raised with every change to what it gives."""

KEPT = 10_000
"""How many vectors are kept beside the moments, for the figures that need single pictures."""


@dataclass(frozen=True)
class Reference:
    """What figures need of a reference set.

    Attributes:
        moments: Of all its pictures.
        features: Vectors of the first of them, at most `KEPT`; float32, shape (min(N, KEPT), D).
        sha256: The fingerprint of its pictures.
    """

    moments: Moments
    features: Tensor
    sha256: str


def fingerprint(pictures: Pictures, count: int | None = None, batch: int = 500) -> str:
    """SHA-256 over the decoded bytes of the first `count` pictures, with their number and shape.

    Raises:
        BadInputError: If there are fewer pictures, or a file is damaged.
    """
    count = _count(pictures, count)
    shape = tuple(pictures.batch([0]).shape[1:])
    digest = hashlib.sha256(repr((count, shape)).encode())
    for start in range(0, count, batch):
        digest.update(pictures.batch(range(start, min(start + batch, count))).numpy().tobytes())
    return digest.hexdigest()


def key(features: Features, sha256: str, count: int) -> str:
    """The name of a reference in the cache: a sum over everything that its numbers depend on."""
    parts = [features.sha256, features.family, features.resize, features.dimensions, sha256, count, KEPT, VERSION]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/ediffuser, or ~/.cache/ediffuser."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ediffuser"


def reference(
    pictures: Pictures, features: Features, count: int | None = None, *, cache: Path | None = None, batch: int = 50
) -> Reference:
    """The reference of the first `count` pictures; see `measuring`."""
    steps = measuring(pictures, features, count, cache=cache, batch=batch)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def measuring(
    pictures: Pictures, features: Features, count: int | None = None, *, cache: Path | None = None, batch: int = 50
) -> Generator[int, None, Reference]:
    """The reference of the first `count` pictures, from the cache where it is there whole.

    Args:
        pictures: 8-bit pictures; grey ones are seen as RGB.
        features: The network.
        count: How many; None for all.
        cache: The folder of the cache; None for `cache_folder`.
        batch: How many pictures are in memory at once.

    Yields:
        How many pictures are measured, after each batch; nothing if it was in the cache.

    Returns:
        The reference.

    Raises:
        BadInputError: If there are fewer pictures, a file is damaged, or the cache cannot be written.
    """
    count = _count(pictures, count)
    sha256 = fingerprint(pictures, count)
    path = (cache or cache_folder()) / f"{key(features, sha256, count)}.reference"
    found = _read(path)
    if found is None:
        moments, kept = Moments.empty(features.dimensions), []
        for start in range(0, count, batch):
            indices = range(start, min(start + batch, count))
            vectors = features(pictures.batch(indices).expand(-1, 3, -1, -1)).cpu()
            moments.add(vectors)
            kept.append(vectors[: max(KEPT - start, 0)])
            yield indices.stop
        found = moments.to_tensors() | {"features": torch.cat(kept)}
        _write(path, found)
    return Reference(Moments.from_tensors(found), found["features"], sha256)


def _count(pictures: Pictures, count: int | None) -> int:
    count = len(pictures) if count is None else count
    if not 1 <= count <= len(pictures):
        raise BadInputError(f"there are {len(pictures)} pictures in the reference set, not {count}; give at most those")
    return count


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file that begins with the sum of the rest; None if it is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        return None
    return safetensors.torch.load(content[32:])


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot make {path.parent}: {error.strerror}; choose another cache folder") from error
    write_atomically(path, hashlib.sha256(content).digest() + content)
