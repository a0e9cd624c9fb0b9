"""The order of training as a pure function of (seed, images seen): no state to save, so a resumed run loses nothing.

Position p = 0, 1, 2, ... lies in epoch p // N, and each epoch is a permutation of the N pictures. Ranks and batch sizes
only cut this one endless sequence into pieces. Keys come from a hash and not from numpy's generators, whose streams may
change between versions.
"""

from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from ediffuser.data.pictures import Pictures
from ediffuser.runtime.component import component

_ORDER, _FLIP = 1, 2  # keeps the two uses of one seed independent


class Order(Protocol):
    """Which picture stands at which position, for the pictures that it was opened for."""

    def indices(self, seed: int, positions: np.ndarray) -> np.ndarray:
        """The pictures at these positions, each in [0, N), int64, same shape; of each alone a function of the seed."""
        ...


@component
class Epochs:
    """Every picture once, then every one again in another order."""

    kind: Literal["epochs"] = "epochs"

    def open(self, pictures: Pictures) -> Order:
        """The order of these pictures."""
        return EpochOrder(len(pictures))


class EpochOrder:
    """Epoch after epoch of `size` pictures, each a permutation of its own."""

    def __init__(self, size: int) -> None:
        self._size = size

    def indices(self, seed: int, positions: np.ndarray) -> np.ndarray:
        """See `Order`."""
        epochs, places = np.divmod(positions, self._size)
        indices = np.empty(len(positions), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            indices[here] = permutation(_ORDER, seed, int(epoch), size=self._size)[places[here]]
        return indices


def batch_indices(seed: int, images_seen: int, batch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures stand at positions images_seen, ..., images_seen + batch - 1, and whether each is mirrored.

    Args:
        seed: Any integer.
        images_seen: First position, >= 0.
        batch: Number of positions; may cross the border of an epoch.
        size: Number of pictures N in the data set, > 0.

    Returns:
        Indices in [0, N), int64, shape (batch,); flips, bool, shape (batch,).
    """
    positions = np.arange(images_seen, images_seen + batch, dtype=np.int64)
    return EpochOrder(size).indices(seed, positions), flips(seed, positions)


def flips(seed: int, positions: np.ndarray) -> np.ndarray:
    """Whether the picture at each position is mirrored, bool, same shape."""
    return (_hash(_FLIP, seed, positions) >> np.uint64(63)).astype(bool)


@lru_cache(maxsize=16)
def permutation(*key: int, size: int) -> np.ndarray:
    """A permutation of 0, ..., size - 1 for each key, read-only."""
    order = np.argsort(_hash(*key, np.arange(size)), kind="stable")
    order.setflags(write=False)
    return order


def _hash(*parts: int | np.ndarray) -> np.ndarray:
    """A uint64 for each row of the parts, by the finaliser of SplitMix64 (Steele et al. 2014)."""
    value = np.zeros(1, np.uint64)
    for part in parts:
        word = np.array([part & (2**64 - 1)], np.uint64) if isinstance(part, int) else part.astype(np.uint64)
        value = (value ^ word) + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        value = value ^ (value >> np.uint64(31))
    return value
