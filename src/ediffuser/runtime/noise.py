"""Noise that depends on (seed, index) alone.

One generator per picture, always on the CPU: a picture is the same whatever the batch, the rank or the device it is
made on, and rows that belong to different people can share a batch.
"""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def derived_seed(*key: int | str) -> int:
    """A 63-bit seed from a key, so that neighbouring seeds and indices give unrelated streams."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


class Noise:
    """A source of random numbers with one independent stream per row of a batch."""

    def __init__(self, keys: Iterable[tuple[int, int]], device: torch.device | str = "cpu") -> None:
        """Starts a stream for each row.

        Args:
            keys: One (seed, index) pair per row of the batch.
            device: Where the numbers are delivered.
        """
        self.keys = tuple(keys)
        self.device = torch.device(device)
        self._generators = [torch.Generator().manual_seed(derived_seed(*key)) for key in self.keys]

    @classmethod
    def rows(cls, seed: int, indices: Sequence[int] | range, device: torch.device | str = "cpu") -> "Noise":
        """The streams (seed, index) for several indices of one seed."""
        return cls([(seed, int(index)) for index in indices], device)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._generators)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, float32, shape (B, *shape)."""
        return self._fill(shape, lambda row, generator: row.normal_(generator=generator))

    def uniform(self, shape: Sequence[int] = ()) -> Tensor:
        """Uniform numbers in [0, 1), float32, shape (B, *shape)."""
        return self._fill(shape, lambda row, generator: row.uniform_(generator=generator))

    def seeds(self) -> list[int]:
        """One 62-bit number per row, to seed what draws a number of values that is not known beforehand."""
        return [int(torch.randint(1 << 62, (), generator=generator)) for generator in self._generators]

    def _fill(self, shape: Sequence[int], draw) -> Tensor:  # noqa: ANN001 - a tensor method with its generator
        values = torch.empty(len(self), *shape)
        for row, generator in zip(values, self._generators, strict=True):
            draw(row, generator)
        return values.to(self.device, non_blocking=True)
