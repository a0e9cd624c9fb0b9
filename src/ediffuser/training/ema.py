"""The running mean of the weights, which is what is sampled from."""

from typing import Annotated, Literal, Union

import torch
from pydantic import Field
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ediffuser.runtime.component import component


@component
class ConstantEma:
    """A fixed decay per optimizer step, as in Ho et al. 2020 (0.9999)."""

    kind: Literal["constant"] = "constant"
    decay: float = Field(default=0.9999, ge=0, lt=1)

    def decay_at(self, step: int) -> float:
        """The decay of the step-th step, counted from 1."""
        return self.decay

    def left_of_start(self, steps: float) -> float:
        """The weight, in the mean after so many steps, of what the run began with."""
        return self.decay**steps


@component
class PowerEma:
    """A horizon that is a fixed part of the run so far, whatever its length (Karras et al. 2024, eq. 121-123).

    Attributes:
        width: Standard deviation of the averaged steps, relative to the run so far; at most 0.28.
    """

    kind: Literal["power"] = "power"
    width: float = Field(default=0.05, gt=0.01, le=0.28)

    def decay_at(self, step: int) -> float:
        """The decay of the step-th step, counted from 1; 0 at the first, so the initialisation is forgotten."""
        return (1 - 1 / step) ** (self._gamma() + 1)

    def left_of_start(self, steps: float) -> float:
        """The weight, in the mean after so many steps, of what the run began with: none."""
        return 0.0

    def _gamma(self) -> float:
        # width^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)) falls with gamma: bisection.
        low, high = 0.0, 1e4
        for _ in range(60):
            middle = (low + high) / 2
            wide = (middle + 1) / ((middle + 2) ** 2 * (middle + 3)) > self.width**2
            low, high = (middle, high) if wide else (low, middle)
        return low


AnyEma = Annotated[Union[ConstantEma, PowerEma], Field(discriminator="kind")]  # noqa: UP007


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay average + (1 - decay) network; buffers are copied. Once per optimizer step."""
    # All weights in one call: on a GPU a few kernels instead of one for each.
    get_ema_multi_avg_fn(decay)(list(average.parameters()), list(network.parameters()), None)
    for target, source in zip(average.buffers(), network.buffers(), strict=True):
        target.copy_(source)
