"""At which times a network is trained."""

from typing import Annotated, Literal, Union

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component


@component
class UniformTimes:
    """Every time alike: t = i / T with i uniform in 1 ... T, or uniform in [t_min, 1] where time is continuous."""

    kind: Literal["uniform"] = "uniform"
    t_min: float = Field(default=1e-5, gt=0, lt=1)

    def times(self, uniform: Tensor, schedule: Schedule) -> Tensor:
        """Times (B,), float64, from uniform numbers (B,) in [0, 1)."""
        steps = getattr(schedule, "steps", None)
        if steps is None:
            return self.t_min + (1 - self.t_min) * uniform.double()
        return ((uniform.double() * steps).floor() + 1) / steps


@component
class LogitNormalTimes:
    """t = sigmoid(mean + spread z), so that the middle of the way, or either side of it, is seen more often.

    Source: Esser et al. 2024, section 3.1. On a discrete schedule t is rounded up to an index.
    """

    kind: Literal["logit_normal"] = "logit_normal"
    mean: float = 0.0
    spread: float = Field(default=1.0, gt=0)

    def times(self, uniform: Tensor, schedule: Schedule) -> Tensor:
        """Times (B,), float64, from uniform numbers (B,) in [0, 1)."""
        z = torch.special.ndtri(uniform.double().clamp(1e-9, 1 - 1e-9))
        t = torch.sigmoid(self.mean + self.spread * z)
        steps = getattr(schedule, "steps", None)
        return t if steps is None else (t * steps).ceil().clamp(1, steps) / steps


@component
class LossAwareTimes:
    """Indices whose losses are large are drawn more often, and their losses weighted down by as much.

    For a bound whose terms differ by orders of magnitude: the mean stays what it was, and its variance falls. The
    losses it goes by are kept in a `LossHistory`, which belongs to the state of the run.

    Attributes:
        kept: How many of the last losses at each index count; until all are there, times are uniform.
        uniform_share: Part of the draws that is uniform, so that no index is forgotten.

    Source: Nichol & Dhariwal 2021, eq. 18 and section 3.3.
    """

    kind: Literal["loss_aware"] = "loss_aware"
    kept: int = Field(default=10, ge=1)
    uniform_share: float = Field(default=0.001, gt=0, le=1)

    def times(self, uniform: Tensor, schedule: Schedule) -> Tensor:
        """Times (B,), float64, before any loss is known: those of `UniformTimes`."""
        return UniformTimes().times(uniform, schedule)


AnyTimes = Annotated[Union[LogitNormalTimes, LossAwareTimes, UniformTimes], Field(discriminator="kind")]  # noqa: UP007
