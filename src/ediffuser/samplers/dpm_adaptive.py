"""Adaptive DPM-Solver: two singlestep methods that share their calls, and steps as long as their difference allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule, end_time
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import ALMOST, Step
from ediffuser.samplers.exponential import Node, NoiseForm, integrated, look, rows
from ediffuser.samplers.grids import first_time, half_log_snr
from ediffuser.samplers.singlestep import part_way

SHORTEST = 1e-6
"""A row that is refused so short a step in lambda is lost: its belief is not finite, or jumps."""

ROUNDS = 8
"""Lengths of step between one and its double."""


@component
class DpmAdaptive:
    """DPM-Solver-12 and -23 of Lu et al. 2022a, appendix C, at each picture's own pace; deterministic.

    A picture does not depend on its batch. Each attempt at a step costs as many calls as the order, accepted or not,
    and the final denoising one. Tolerances hold for x_t / sqrt(alpha^2 + sigma^2), which is x_t where variance is
    preserved; where noise explodes, 5 % of the state one step before would be more than all of the picture.

    Steps are rounded down to the next power of 2^(1/8), 4 % on average. Else the last bits of a network's output, which
    do depend on the batch, would shift every step a little, and each shift the next one more.

    Attributes:
        order: 2 compares DPM-Solver-1 with -2, and 3 compares -2 with -3; the higher one goes on.
        tolerance: Of the difference, relative to the state.
        absolute_tolerance: Of the difference where that is larger; the published 0.0078 is one grey level.
        theta: How far the next step stays below what the tolerance seems to allow.
        h_init: The first step in lambda, half the log-SNR.
        t_end: Where the solver stops; None is 1e-3, or 1e-5 where noise explodes, and never before the first index of
            a table.
        denoise: Whether the end is the x_0 expected at t_end (one more call) instead of the state there.
    """

    kind: Literal["dpm_adaptive"] = "dpm_adaptive"
    order: Literal[2, 3] = 3
    tolerance: float = Field(default=0.05, ge=1e-6, le=1)
    absolute_tolerance: float = Field(default=0.0078, ge=1e-6, le=1)
    theta: float = Field(default=0.9, gt=0, lt=1)
    h_init: float = Field(default=0.05, gt=0)
    t_end: float | None = Field(default=None, gt=0, lt=1)
    denoise: bool = True

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The way from noise to a picture; no randomness is drawn.

        Raises:
            BadInputError: If t_end is not below the time of the start, or if the network's output is not finite or too
                rough for the tolerance.
        """
        counting, schedule = CountingDenoiser(denoiser), denoiser.schedule
        rounding, dtype, x = _RoundingDenoiser(counting, x.dtype), x.dtype, x.double()
        ends = self._ends(denoiser)
        first, last = half_log_snr(schedule, ends)
        t, h = ends[0].repeat(len(x)), torch.full((len(x),), self.h_init, dtype=torch.float64)
        running, below, share = t > ends[1], x * _unit(schedule, t, x), ALMOST if self.denoise else 1.0
        while running.any():
            now = half_log_snr(schedule, t)
            h = torch.where(running, h.minimum(last - now), 0)
            s = torch.where(now + h < last, schedule.time(2 * (now + h)), ends[1])
            counting.counted = running
            low, high, x0 = self._pair(rounding, look(NoiseForm(), rounding, x, t), s)
            unit = _unit(schedule, s, x)
            error = self._error(low * unit, high * unit, below)
            accepted = running & (error <= 1)
            h = _rounded(self.theta * h * error ** (-1 / self.order))
            _check(running & ~accepted & ~(h > SHORTEST), t)
            x, below = (_chosen(accepted, new, old) for new, old in ((high, x), (low * unit, below)))
            t = torch.where(accepted, s, t)
            running = t > ends[1]
            left = (running * (last - half_log_snr(schedule, t))).mean().item()
            yield Step(t, x.to(dtype), x0, counting.calls(len(x)), share * (1 - left / (last - first).item()))
        if self.denoise:
            counting.counted = None
            x0 = rounding(x, t).x0
            yield Step(torch.zeros_like(t), x0, x0, counting.calls(len(x)), 1.0)

    def _ends(self, denoiser: Denoiser) -> Tensor:
        first = first_time(denoiser.schedule)
        last = end_time(denoiser.schedule) if self.t_end is None else self.t_end
        if not last < first:
            raise BadInputError(f"a solver's t_end of {last:g} must lie between 0 and the time it starts at, {first:g}")
        return torch.tensor([first, last], dtype=torch.float64)

    def _pair(self, denoiser: Denoiser, start: Node, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_s of the lower and of the higher order, and the x_0 believed at the last call."""
        form, schedule = NoiseForm(), denoiser.schedule
        if self.order == 2:
            low = integrated(form, schedule, start, s, start.belief)
            middle = part_way(form, denoiser, start, s, 1 / 2)
            return low, integrated(form, schedule, start, s, middle.belief), middle.x0
        first = part_way(form, denoiser, start, s, 1 / 3)
        change = first.belief - start.belief
        low = integrated(form, schedule, start, s, start.belief + 3 / 2 * change)
        second = part_way(form, denoiser, start, s, 2 / 3, 2 * change)
        high = integrated(form, schedule, start, s, start.belief, 3 / 2 * (second.belief - start.belief))
        return low, high, second.x0

    def _error(self, low: Tensor, high: Tensor, below: Tensor) -> Tensor:
        """The difference of each row relative to what is tolerated, float64, shape (B,)."""
        scale = (self.tolerance * torch.maximum(low.abs(), below.abs())).clamp(min=self.absolute_tolerance)
        return ((high - low) / scale).double().square().flatten(1).mean(1).sqrt().cpu()


@dataclass(frozen=True)
class _RoundingDenoiser:
    """Looks at a state of double precision in the picture's own; sums of many small steps need the former."""

    denoiser: Denoiser
    dtype: torch.dtype

    @property
    def schedule(self) -> Schedule:
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        return self.denoiser(x_t.to(self.dtype), t)


def _unit(schedule: Schedule, t: Tensor, like: Tensor) -> Tensor:
    """1 / sqrt(alpha^2 + sigma^2), by which a state is one of the process that preserves variance."""
    return rows(1 / torch.hypot(schedule.alpha(t), schedule.sigma(t)), like)


def _rounded(h: Tensor) -> Tensor:
    return torch.exp2(torch.floor(ROUNDS * torch.log2(h)) / ROUNDS)


def _chosen(choice: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(rows(choice, new) > 0, new, old)


def _check(lost: Tensor, t: Tensor) -> None:
    if lost.any():
        row = int(lost.nonzero()[0])
        raise BadInputError(
            f"the flow cannot be followed, row {row} at t = {t[row].item():.6g} needs too small a step: "
            "the network's output is not finite, or tolerance too small"
        )
