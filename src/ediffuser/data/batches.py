"""The endless stream of training batches, starting at any number of images seen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ediffuser.data.order import Epochs, Order, flips
from ediffuser.data.pictures import Pictures
from ediffuser.runtime.pixels import from_uint8


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one rank trains on in one step.

    Attributes:
        images: float32 in [-1, 1], shape (B, C, H, W).
        indices: Which pictures of the data set, int64, shape (B,).
        positions: Their places in the order of training, int64, shape (B,); unique in a run.
    """

    images: Tensor
    indices: Tensor
    positions: Tensor


def batches(
    pictures: Pictures,
    *,
    seed: int,
    images_seen: int,
    batch: int,
    flip: bool,
    order: Order | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Yields training batches for ever, the next one always in preparation.

    A step of all ranks together takes batch * world consecutive positions, rank r the r-th run of `batch` among them.

    Args:
        pictures: An opened data set.
        seed: Seed of the order and of the flips.
        images_seen: Position of the first picture, counted over all ranks.
        batch: Pictures a step on this rank, B.
        flip: Whether pictures are mirrored at random.
        order: Which picture stands where, opened for these pictures; None is that of `Epochs`.
        rank: This process, in [0, world).
        world: Number of processes.

    Raises:
        BadInputError: If a file is damaged; names it.
    """
    pictures.prepare()
    order = order or Epochs().open(pictures)
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as ahead:
        position = images_seen + rank * batch
        coming = ahead.submit(_load, pictures, order, seed, position, batch, flip)
        while True:
            pixels, indices = coming.result()
            positions = torch.arange(position, position + batch)
            position += batch * world
            coming = ahead.submit(_load, pictures, order, seed, position, batch, flip)
            yield Batch(images=from_uint8(pixels), indices=indices, positions=positions)


def _load(pictures: Pictures, order: Order, seed: int, position: int, batch: int, flip: bool) -> tuple[Tensor, Tensor]:
    """Pixels and indices of a batch: in numpy, for beside a training step torch would start threads of its own."""
    positions = np.arange(position, position + batch, dtype=np.int64)
    indices = order.indices(seed, positions)
    pixels = pictures.batch(indices)
    if flip:
        mirrored, some = pixels.numpy(), flips(seed, positions)
        mirrored[some] = mirrored[some, :, :, ::-1]
    return pixels, torch.from_numpy(indices)
