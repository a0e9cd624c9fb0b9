"""Mean and covariance of features that arrive in pieces.

Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979: the sum of
outer products is kept around the mean of what has been seen, so nothing cancels however far the mean is from zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.runtime.errors import BadInputError


@dataclass
class Moments:
    """Count, mean and scatter of vectors, in float64 on the CPU.

    Attributes:
        count: How many vectors were seen, N.
        mean: Their mean, shape (D,); zero where none was seen.
        scatter: The sum of (x - mean)(x - mean)^T, shape (D, D).
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, dimensions: int) -> "Moments":
        """Moments of no vectors yet."""
        return cls(0, torch.zeros(dimensions, dtype=torch.float64), torch.zeros(dimensions, dimensions).double())

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """Moments of these vectors, shape (N, D), any device and type."""
        if features.ndim != 2:
            raise BadInputError(f"features are rows of a matrix (N, D), got shape {tuple(features.shape)}")
        x = features.detach().to("cpu", torch.float64)
        if len(x) == 0:
            return cls.empty(x.shape[1])
        mean = x.mean(dim=0)
        return cls(len(x), mean, (x - mean).T @ (x - mean))

    def add(self, features: Tensor) -> "Moments":
        """Takes in more vectors, shape (B, D), and returns itself."""
        return self.merge(Moments.of(features))

    def merge(self, other: "Moments") -> "Moments":
        """Takes in all that `other` has seen, and returns itself; the result does not depend on who merges whom.

        Raises:
            BadInputError: If the vectors have different lengths.
        """
        if len(self.mean) != len(other.mean):
            raise BadInputError(f"features of {len(self.mean)} and of {len(other.mean)} numbers cannot be merged")
        count = self.count + other.count
        if other.count:
            shift, share = other.mean - self.mean, other.count / count
            self.mean = self.mean + share * shift
            self.scatter = self.scatter + other.scatter + self.count * share * torch.outer(shift, shift)
        self.count = count
        return self

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, float64, shape (D, D).

        Raises:
            BadInputError: If fewer than two vectors were seen.
        """
        if self.count < 2:
            raise BadInputError(f"a covariance needs at least 2 pictures, got {self.count}")
        return self.scatter / (self.count - 1)

    def to_tensors(self) -> dict[str, Tensor]:
        """The moments as tensors that a file of safetensors can hold."""
        return {"count": torch.tensor(self.count), "mean": self.mean, "scatter": self.scatter}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Moments":
        """What `to_tensors` gave, bit for bit."""
        return cls(int(tensors["count"]), tensors["mean"], tensors["scatter"])
