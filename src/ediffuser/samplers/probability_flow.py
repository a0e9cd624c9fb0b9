"""Probability flow: the ODE that shares the SDE's marginals; deterministic, as exact as its tolerance asks."""

from collections.abc import Iterator
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.dynamics import clock, clock_time, clock_velocity
from ediffuser.diffusion.schedules import Schedule, end_time
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import ALMOST, ClippingDenoiser, Step
from ediffuser.solvers.adaptive import StepTooSmallError, adaptive_steps
from ediffuser.solvers.dop853 import DOP853
from ediffuser.solvers.fixed import fixed_steps
from ediffuser.solvers.state import State
from ediffuser.solvers.tableaux import EULER, HEUN, RK23, RK45, VectorField

ADAPTIVE = {tableau.name: tableau for tableau in (RK23, RK45, DOP853)}
FIXED = {tableau.name: tableau for tableau in (EULER, HEUN)}
FIXED_STEPS = 50
"""Steps on a fixed grid where no number is given."""


@component
class ProbabilityFlow:
    """The probability-flow ODE of Song et al. 2021, eq. 13, from t = 1 to `t_end`.

    The adaptive solvers control each picture's steps by its own error, so a picture does not depend on its batch; calls
    are those that scipy would count, rejected steps included, and one more for the final denoising.

    Attributes:
        solver: "rk23", "rk45" and "dop853" choose their steps by the tolerance; "heun" and "euler" take a fixed grid.
        tolerance: Of the adaptive solvers, absolute and relative alike; below 1e-6 single precision is too rough.
        steps: Of the fixed grids; None is 50. Heun calls twice in a step.
        spacing: Of the fixed grids: uniform in the root of time, in time or in log-SNR. Where a picture is nearly done
            steps must be short, for a network's belief then hardly follows x_t and the flow is stiff.
        t_end: Where the solver stops; None is 1e-3, or 1e-5 where noise explodes.
        denoise: Whether the end is the x_0 expected at t_end (one more call) instead of the state there.
        clip: Whether the expected x_0 is clipped to [-1, 1]. The exact flow is not, but where hardly any of the picture
            is left a network's error in eps would be blown up by sigma / alpha.
    """

    kind: Literal["probability_flow"] = "probability_flow"
    solver: Literal["rk45", "rk23", "dop853", "heun", "euler"] = "rk45"
    tolerance: float = Field(default=1e-3, ge=1e-6, le=1)
    steps: int | None = Field(default=None, ge=1)
    spacing: Literal["quadratic", "time", "log_snr"] = "quadratic"
    t_end: float | None = Field(default=None, gt=0, lt=1)
    denoise: bool = True
    clip: bool = True

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.steps is not None and self.solver in ADAPTIVE:
            raise ValueError(f"{self.solver} chooses its steps itself: set tolerance, or take heun or euler")
        return self

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The way from noise to a picture; no randomness is drawn.

        Raises:
            BadInputError: If the network's output is not finite, or too rough for the tolerance.
        """
        flow = _Flow(denoiser, x.dtype, self.clip)
        grid = clock(denoiser.schedule, self._grid(denoiser.schedule))
        state, share = None, ALMOST if self.denoise else 1.0
        for state in self._states(flow, x.double(), grid):
            flow.counting.counted = state.running
            left = float(((state.t - grid[-1]) / (grid[0] - grid[-1])).mean())
            if left < 1:  # a first attempt may be rejected in every row
                now = clock_time(denoiser.schedule, state.t)
                yield Step(now, state.y.to(x.dtype), flow.x0, flow.counting.calls(len(x)), share * (1 - left))
        if self.denoise and state is not None:
            flow.counting.counted = None
            x0 = flow.denoiser(state.y.to(x.dtype), clock_time(denoiser.schedule, state.t)).x0
            yield Step(torch.zeros_like(state.t), x0, x0, flow.counting.calls(len(x)), 1.0)

    def _states(self, field: VectorField, x: Tensor, grid: Tensor) -> Iterator[State]:
        if self.solver in FIXED:
            return fixed_steps(FIXED[self.solver], field, x, grid)
        start, end = grid[0].item(), grid[-1].item()
        return _explained(adaptive_steps(ADAPTIVE[self.solver], field, x, start, end, self.tolerance))

    def _grid(self, schedule: Schedule) -> Tensor:
        """Times from 1 to t_end; the adaptive solvers look at the ends only."""
        end = end_time(schedule) if self.t_end is None else self.t_end
        ends, count = torch.tensor([1.0, end], dtype=torch.float64), (self.steps or FIXED_STEPS) + 1
        part = torch.linspace(0, 1, count, dtype=torch.float64)[1:-1]
        if self.spacing == "log_snr":
            first, last = schedule.log_snr(ends)
            inner = schedule.time(torch.lerp(first, last, part))
        else:
            power = 2 if self.spacing == "quadratic" else 1
            inner = (1 + (end ** (1 / power) - 1) * part) ** power
        return torch.cat([ends[:1], inner, ends[1:]])


class _Flow:
    """The velocity in float64, from a denoiser that works in the picture's precision; remembers the last x_0."""

    def __init__(self, denoiser: Denoiser, dtype: torch.dtype, clip: bool) -> None:
        self.counting = CountingDenoiser(denoiser)
        self.denoiser = ClippingDenoiser(self.counting) if clip else self.counting
        self._dtype = dtype
        self.x0 = torch.empty(0)

    def __call__(self, u: Tensor, x: Tensor) -> Tensor:
        t = clock_time(self.denoiser.schedule, u)
        prediction = self.denoiser(x.to(self._dtype), t)
        self.x0 = prediction.x0
        return clock_velocity(self.denoiser.schedule, prediction, t).double()


def _explained(states: Iterator[State]) -> Iterator[State]:
    try:
        yield from states
    except StepTooSmallError as error:
        fault = f"the flow cannot be followed, {error}: the network's output is not finite, or tolerance too small"
        raise BadInputError(fault) from error
