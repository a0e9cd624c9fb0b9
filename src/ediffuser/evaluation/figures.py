"""Figures that say what they are: the value, its interval, and all that it depends on.

The names are the literature's only where its networks were used: FID, KID and LPIPS name the weights as much as the
formula, so the same formulas under other features are called FD, KD and ST-LPIPS, and a `Figure` refuses otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ediffuser.evaluation.inception import FAMILY as INCEPTION
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import derived_seed

MINIMUM_FOR_FRECHET = 2000
"""With fewer pictures than about the number of features, a Fréchet distance is mostly its own bias."""

NAMED_AFTER: Mapping[str, str] = {"FID": "Inception 2015-12-05", "KID": "Inception 2015-12-05", "LPIPS": "LPIPS"}
"""Names that belong to one network: how the name of its features begins."""

AT_ONCE = 2**20
"""How many numbers a bootstrap draws at once, to keep its memory small."""


@dataclass(frozen=True)
class Context:
    """What all figures of one evaluation depend on; every table is printed with it.

    Attributes:
        model: Its name or path.
        model_sha256: Of its weights.
        task: "generation", "inpainting" or "colorization".
        count: How many pictures were made.
        reference: The data set that they are compared with.
        reference_sha256: Its fingerprint.
        split: The part of it, such as "train".
        resize: How its pictures were brought to the model's size.
        rounding: How values became 8-bit pixels.
        seed: Of all noise.
        sampler: Its settings.
        nfe: Calls of the network for one picture, on average.
        reference_count: How many of its pictures, as a set.
        looked_at: How pictures are brought to the size of the network whose features are compared; "" without one.
        machine: Where seconds were measured; "" where none were.
    """

    model: str
    model_sha256: str
    task: str
    count: int
    reference: str
    reference_sha256: str
    split: str
    resize: str
    rounding: str
    seed: int
    sampler: str
    nfe: float
    reference_count: int = 0
    looked_at: str = ""
    machine: str = ""


@dataclass(frozen=True)
class Figure:
    """One number of a table.

    Attributes:
        name: Such as "FD"; one of `NAMED_AFTER` only with the features that it is named after.
        value: The number.
        low: Lower end of the 95 % interval; None where there is none.
        high: Its upper end.
        better: Whether lower or higher values are better, or those near 1.
        unit: Such as "dB"; empty for a bare number.
        count: How many pictures it was made from.
        features: Name of the network; empty where none is involved.
        features_sha256: Of its weights.
        group: The part of the pictures, such as a kind of hole; empty for all.
        method: What made the pictures; empty for the model itself.
        deviation: Of a time, the standard deviation of its batches; None for what has an interval or nothing.

    Raises:
        ValueError: If the name belongs to other features.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    better: Literal["low", "high", "one"]
    unit: str
    count: int
    features: str
    features_sha256: str
    group: str = ""
    method: str = ""
    deviation: float | None = None

    def __post_init__(self) -> None:
        network = NAMED_AFTER.get(self.name, "")
        if not self.features.startswith(network):
            raise ValueError(
                f"{self.name} is the name of a figure under {network}, not under {self.features or 'none'}"
            )


class Named(Protocol):
    """What a figure says of its network: all of `ediffuser.evaluation.features.Features` but the network itself."""

    @property
    def name(self) -> str:
        """What to print next to a figure."""
        ...

    @property
    def family(self) -> str:
        """The network and its weights in one word."""
        ...

    @property
    def sha256(self) -> str:
        """Of the file of weights."""
        ...


def frechet_name(features: Named) -> str:
    """The name: "FID" under Inception 2015-12-05, "FD" under any other network."""
    return "FID" if features.family == INCEPTION else "FD"


def kernel_name(features: Named) -> str:
    """The name: "KID" under Inception 2015-12-05, "KD" under any other network."""
    return "KID" if features.family == INCEPTION else "KD"


def score_name(features: Named) -> str:
    """The name: "IS" under Inception 2015-12-05, otherwise "IS" with the family whose classes were counted."""
    return "IS" if features.family == INCEPTION else f"IS ({features.family})"


def bootstrap(
    values: Tensor, seed: int = 0, resamples: int = 1000, statistic: Callable[[Tensor], Tensor] | None = None
) -> tuple[float, float]:
    """The 95 % interval of a mean, by drawing the pictures anew with replacement (Efron 1979, percentiles).

    Args:
        values: One number for each picture, shape (N,), N at least 2; or several, shape (N, K), for another statistic.
        seed: Of the draws; the same numbers give the same interval.
        resamples: How many draws.
        statistic: From draws of such values, shape (R, N, ...), to one number each, (R,); None is the mean.

    Returns:
        The 2.5 % and the 97.5 % quantile of the means.

    Raises:
        BadInputError: If there are fewer than two values.
    """
    if values.ndim < 1 or len(values) < 2:
        raise BadInputError(f"an interval needs the values of at least 2 pictures, got shape {tuple(values.shape)}")
    x = values.detach().to("cpu", torch.float64)
    generator = torch.Generator().manual_seed(derived_seed("bootstrap", seed))
    found = []
    for start in range(0, resamples, at_once := max(1, AT_ONCE // len(x))):
        rows = torch.randint(len(x), (min(at_once, resamples - start), len(x)), generator=generator)
        found.append(statistic(x[rows]) if statistic else x[rows].mean(dim=1))
    low, high = torch.cat(found).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high
