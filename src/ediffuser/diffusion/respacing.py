"""Respacing: the few times, of all that a model was trained on, that a sampler or a bound visits.

Nothing is stored of the betas between them: whatever belongs to a step from t to s, its beta included, comes from
alpha-bar at t and s (`forward.transition`), so alpha-bar itself is unchanged at every time that is kept.
"""

import torch
from torch import Tensor

from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.errors import BadInputError


def trailing_times(schedule: Schedule, steps: int | None) -> Tensor:
    """A grid of exactly `steps` steps that starts at pure noise, float64, shape (steps + 1,), from 1 to 0.

    On a discrete schedule every time is an index the network was trained on, i / T, evenly spread and rounded half up.

    Args:
        schedule: The forward process.
        steps: Number of steps; None takes every index of a discrete schedule.

    Raises:
        BadInputError: If a discrete schedule has fewer steps, or a continuous one is given no number.
    """
    total: int | None = getattr(schedule, "steps", None)
    if total is None:
        if steps is None:
            raise BadInputError("a model of continuous time needs a number of steps, e.g. steps=1000")
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    steps = total if steps is None else steps
    _require_enough(total, steps)
    left = torch.arange(steps, -1, -1)
    return ((2 * total * left + steps) // (2 * steps)).double() / total


def quadratic_times(schedule: Schedule, steps: int) -> Tensor:
    """A grid like `trailing_times`, but uniform in the root of time: its steps get shorter towards the picture.

    Of a discrete schedule the k-th time before the picture is index T (k / S)^2, or k where that would be less, so that
    no index comes twice.

    Args:
        schedule: The forward process.
        steps: Number of steps, S.

    Raises:
        BadInputError: If a discrete schedule has fewer steps.

    Source: Song et al. 2021 (DDIM), appendix D.2; there the grid ends before pure noise.
    """
    left = torch.arange(steps, -1, -1, dtype=torch.float64)
    squares = (left / steps) ** 2
    total: int | None = getattr(schedule, "steps", None)
    if total is None:
        return squares
    _require_enough(total, steps)
    return torch.maximum((total * squares + 0.5).floor(), left) / total


def _require_enough(total: int, steps: int) -> None:
    if steps > total:
        raise BadInputError(f"{steps} steps are more than the {total} the model was trained on")
