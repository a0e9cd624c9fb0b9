"""Seconds to make a batch, by the dissertation's protocol, and the calls of the network that they were spent on.

Source: the dissertation's 4.1.4 (ten batches, of 64 pictures of 32 pixels or 36 of 256; mean and standard deviation)
and 4.1.5 (calls, which do not depend on the machine).
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.conditioning import Conditioning
from ediffuser.evaluation.figures import Figure
from ediffuser.generate import painted_rows
from ediffuser.model import Model
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Sampler, Step

BATCHES = 10

TIME = "time for a batch"
"""What the figure is called."""


@dataclass(frozen=True)
class Timing:
    """One batch.

    Attributes:
        seconds: From noise to pictures, the device waited for.
        nfe: Calls of the network for one picture, mean over the batch.
    """

    seconds: float
    nfe: float


def batch_size(resolution: int) -> int:
    """Pictures in the protocol's batch: 36 for pictures of 256 pixels or more, 64 for smaller ones."""
    return 36 if resolution >= 256 else 64


def timed_batches(
    model: Model,
    sampler: Sampler | None = None,
    *,
    images: Tensor | None = None,
    holes: Tensor | None = None,
    conditioning: Conditioning | None = None,
    batches: int = BATCHES,
    size: int | None = None,
    seed: int = 0,
) -> Iterator[Timing]:
    """Makes batches and yields how long each took, one after the other, for progress.

    One step is made before the first and not counted: what a device prepares only once is no part of its speed.

    Args:
        model: What makes the pictures.
        sampler: The way from noise to a picture; None is the facade's.
        images: For inpainting and colorization the pictures of every batch, in [-1, 1], shape (size, C, H, W).
        holes: For inpainting 1 where to paint, shape (size, 1, H, W).
        conditioning: How an unconditional model is made to respect what is known.
        batches: How many.
        size: Pictures in a batch; None is the number of `images`, or `batch_size` of the model's pictures.
        seed: Row k of batch b is drawn from (seed, b size + k).

    Raises:
        BadInputError: If size and images differ in number, or the model cannot do this.
    """
    size = size or (batch_size(model.resolution) if images is None else len(images))
    if images is not None and len(images) != size:
        raise BadInputError(f"a batch of {size} pictures needs as many images, got {len(images)}")

    def steps(batch: int) -> Iterator[Step]:
        keys = [(seed, batch * size + row) for row in range(size)]
        return painted_rows(model, keys, images, holes, sampler, conditioning)

    next(steps(0))
    for batch in range(batches):
        _wait_for(model.device)
        start = time.perf_counter()
        last = deque(steps(batch), maxlen=1).pop()
        _wait_for(model.device)
        yield Timing(time.perf_counter() - start, last.calls.double().mean().item())


def speed_figure(seconds: Tensor, method: str = "") -> Figure:
    """The mean of the seconds of batches, shape (N,), with their sample deviation, as in 4.1.4.

    Raises:
        BadInputError: If there are not at least two batches.
    """
    if len(seconds) < 2:
        raise BadInputError(f"a standard deviation needs at least 2 batches, got {len(seconds)}")
    mean, deviation = seconds.mean().item(), seconds.std().item()
    return Figure(TIME, mean, None, None, "low", "s", len(seconds), "", "", method=method, deviation=deviation)


def machine_name(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''}"


def _wait_for(device: torch.device) -> None:
    """Accelerators work on while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
