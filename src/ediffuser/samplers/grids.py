"""Grids of the solvers that work in lambda = log(alpha / sigma), half the log-SNR."""

import math
from typing import Literal

import torch
from torch import Tensor

from ediffuser.diffusion.schedules import Schedule, VarianceExploding, end_time
from ediffuser.runtime.errors import BadInputError

Spacing = Literal["log_snr", "time", "karras"]
"""Uniform in lambda, in time, or in the 7th root of sigma / alpha (Karras et al. 2022, eq. 5)."""

LAMBDA_FIRST = -5.1
"""No grid starts at more noise than this; the linear schedule's is just less (Lu et al.'s code, for cosine)."""

FEW_STEPS = 15
"""Up to so many steps, some would be wasted where a solver of more of them ends (Lu et al. 2022a, appendix D.1)."""

RHO = 7


def half_log_snr(schedule: Schedule, t: Tensor) -> Tensor:
    """lambda(t) = log(alpha / sigma), float64, shape of t; infinite at t = 0."""
    return 0.5 * schedule.log_snr(t)


def first_time(schedule: Schedule) -> float:
    """Where a grid starts: 1, or the time of lambda = -5.1 if there is more noise at 1, as on a cosine table.

    There alpha falls to 5e-5, and what hardly any picture is left of takes a third of all lambda. Noise of
    sigma(1) serves as x_t here too, for both sigmas are 1 to 2e-5; where noise explodes they are not, and it is 1.
    """
    one = torch.tensor(1.0, dtype=torch.float64)
    if isinstance(schedule, VarianceExploding) or half_log_snr(schedule, one) >= LAMBDA_FIRST:
        return 1.0
    return schedule.time(torch.tensor(2 * LAMBDA_FIRST, dtype=torch.float64)).item()


def solver_end(schedule: Schedule, steps: int) -> float:
    """Where a solver stops if nobody says: `end_time` for up to 15 steps, for more 1e-4, or a table's first index."""
    if steps <= FEW_STEPS:
        return end_time(schedule)
    return min(end_time(schedule), max(1e-4, 1 / getattr(schedule, "steps", math.inf)))


def solver_times(
    schedule: Schedule, steps: int, spacing: Spacing = "log_snr", t_end: float | None = None, denoise: bool = True
) -> Tensor:
    """A strictly decreasing grid of exactly that many steps.

    Args:
        schedule: The forward process; of a table, times between its indices are as good as others.
        steps: Number of steps, at least 1.
        spacing: What the times between the ends are uniform in.
        t_end: Last time above 0; None is `solver_end`, in time the one that leaves the last step as long as others.
        denoise: Whether the last step is the one from t_end to 0.

    Returns:
        Times from `first_time` to 0 or t_end, float64, shape (steps + 1,).

    Raises:
        BadInputError: If t_end is not between 0 and the first time.
    """
    first = first_time(schedule)
    last = solver_end(schedule, steps) if t_end is None else t_end
    if t_end is None and denoise and spacing == "time" and steps > 1:
        # Else the step before the last would cross half of all lambda.
        last = max(last, first / steps)
    if not 0 < last < first:
        raise BadInputError(f"a solver's t_end of {last:g} must lie between 0 and the time it starts at, {first:g}")
    between = steps - 1 if denoise else steps
    times = _spaced(schedule, torch.tensor([first, last], dtype=torch.float64), between, spacing)
    return torch.cat([times, torch.zeros(1, dtype=torch.float64)]) if denoise else times


def _spaced(schedule: Schedule, ends: Tensor, steps: int, spacing: Spacing) -> Tensor:
    """The ends and what is between them, shape (steps + 1,)."""
    if steps == 0:
        return ends[:1]
    part = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[1:-1]
    first, last = half_log_snr(schedule, ends)
    if spacing == "time":
        inner = torch.lerp(ends[0], ends[1], part)
    elif spacing == "log_snr":
        inner = schedule.time(2 * torch.lerp(first, last, part))
    else:
        # In logarithms: where noise explodes or is nearly gone, sigma / alpha itself spans ten decades.
        root = torch.lerp((-first / RHO).exp(), (-last / RHO).exp(), part)
        inner = schedule.time(-2 * RHO * root.log())
    return torch.cat([ends[:1], inner, ends[1:]])
