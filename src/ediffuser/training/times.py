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


AnyTimes = Annotated[Union[LogitNormalTimes, UniformTimes], Field(discriminator="kind")]  # noqa: UP007
