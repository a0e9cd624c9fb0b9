"""The two ways back from noise that share their marginals: the reverse-time SDE and the probability-flow ODE.

Both are written as sums over x_0 and eps, the two parts of x_t = alpha x_0 + sigma eps. At high noise f x and
g^2 score cancel to what is left of the picture, a part in a hundred or less; these forms have nothing to cancel.

In t the velocity of a table of betas jumps at every index, which a solver would pay for. So solvers go by a clock: t
where time is continuous, and for a table the angle arctan(sigma / alpha), in which the velocity is v.
"""

import torch
from torch import Tensor

from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule


def reverse_drift(schedule: Schedule, prediction: Prediction, t: Tensor) -> Tensor:
    """The drift of the reverse-time SDE dx = [f x - g^2 score] dt + g dw, where t runs from 1 to 0.

    Args:
        schedule: The forward process.
        prediction: The belief at x_t.
        t: Times in (0, 1], shape () or (B,).

    Returns:
        f alpha x_0 + (f sigma + g^2 / sigma) eps, shape of x_t.

    Source: Song et al. 2021, eq. 6; Eq. 2.37 of the dissertation without its condition.
    """
    drift, growth = _rates(schedule, t)
    return _combined(prediction, drift * schedule.alpha(t), drift * schedule.sigma(t) + 2 * growth)


def probability_flow(schedule: Schedule, prediction: Prediction, t: Tensor) -> Tensor:
    """The velocity dx/dt of the probability-flow ODE, f x - g^2 score / 2.

    Args:
        schedule: The forward process.
        prediction: The belief at x_t.
        t: Times in (0, 1], shape () or (B,).

    Returns:
        alpha' x_0 + sigma' eps, shape of x_t; alpha' = f alpha and sigma' = f sigma + g^2 / (2 sigma).

    Source: Song et al. 2021, eq. 13.
    """
    drift, growth = _rates(schedule, t)
    return _combined(prediction, drift * schedule.alpha(t), drift * schedule.sigma(t) + growth)


def clock(schedule: Schedule, t: Tensor) -> Tensor:
    """What a solver of the flow integrates over, increasing in t: t itself, or the angle of a table; float64."""
    t = t.double()
    return torch.atan2(schedule.sigma(t), schedule.alpha(t)) if _is_table(schedule) else t


def clock_time(schedule: Schedule, u: Tensor) -> Tensor:
    """The time at which the clock shows u."""
    return schedule.time(-2 * torch.log(torch.tan(u))) if _is_table(schedule) else u


def clock_velocity(schedule: Schedule, prediction: Prediction, t: Tensor) -> Tensor:
    """The velocity dx/du of the probability flow by the clock; v for a table (Salimans & Ho 2022, appendix D)."""
    return prediction.v if _is_table(schedule) else probability_flow(schedule, prediction, t)


def _is_table(schedule: Schedule) -> bool:
    return hasattr(schedule, "steps")


def _rates(schedule: Schedule, t: Tensor) -> tuple[Tensor, Tensor]:
    """f(t) and g(t)^2 / (2 sigma(t)), float64."""
    t = t.double()
    return schedule.drift(t), schedule.diffusion(t) ** 2 / (2 * schedule.sigma(t))


def _combined(prediction: Prediction, of_x0: Tensor, of_eps: Tensor) -> Tensor:
    x_t = prediction.x_t
    shape = (-1,) + (1,) * (x_t.ndim - 1)
    on_x0, on_eps = (factor.to(x_t).reshape(shape) for factor in (of_x0, of_eps))
    return on_x0 * prediction.x0 + on_eps * prediction.eps
