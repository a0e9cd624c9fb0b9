"""Embedded Runge-Kutta pairs in which every row of a batch controls its own step.

The control is scipy's (`solve_ivp` with atol = rtol = tolerance), row by row: the same steps, and the same number of
evaluations as it would count for that row alone. Rows that have arrived are frozen until the last one has.

Source: Hairer, Norsett & Wanner 1993, section II.4.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ediffuser.solvers.state import State
from ediffuser.solvers.tableaux import Tableau, VectorField, combined, like, runge_kutta_step

SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0
"""The step aims a little below the tolerance, and changes by no more than these factors."""


class StepTooSmallError(ArithmeticError):
    """A row can meet the tolerance with no step that floating point still resolves."""


def adaptive_steps(
    tableau: Tableau, f: VectorField, y: Tensor, start: float, end: float, tolerance: float
) -> Iterator[State]:
    """Solves dy/dt = f(t, y) from start to end with a local error of at most the tolerance.

    Args:
        tableau: A method with an error estimate.
        f: The vector field.
        y: The states at start, shape (B, ...); float64 for small tolerances.
        start: Time of y.
        end: Time of the result, before or after start.
        tolerance: Of the error's root mean square over a row, relative to 1 + |y|.

    Yields:
        Where it stands after each attempt. Rejected attempts count as evaluations, as do the first two, which choose
        the first step.

    Raises:
        StepTooSmallError: If f is not finite, or too rough for the tolerance.
    """
    t = torch.full((len(y),), start, dtype=torch.float64, device=y.device)
    direction = 1.0 if end > start else -1.0
    slope = f(t, y)
    size = _first_size(tableau, f, t, y, slope, end, tolerance)
    evaluations = torch.full((len(y),), 2, dtype=torch.int64, device=y.device)
    running, rejected = t != end, torch.zeros_like(t, dtype=torch.bool)
    while running.any():
        least = 10 * (torch.nextafter(t, torch.full_like(t, direction * torch.inf)) - t).abs()
        _check(running & rejected & ~(size >= least), t)
        size = torch.maximum(size, least)
        arrival = torch.where(direction * (t + direction * size - end) > 0, end, t + direction * size)
        arrival = torch.where(running, arrival, t)
        h = arrival - t
        size = torch.where(running, h.abs(), size)
        reached, slopes = runge_kutta_step(tableau, f, t, y, h, slope)
        slopes.append(f(arrival, reached))
        evaluations = evaluations + running * tableau.stages
        error = _error(tableau, h, slopes, _scale(torch.maximum(y.abs(), reached.abs()), tolerance))
        accepted = running & (error < 1)
        size = torch.where(running, size * _factor(tableau, error, rejected), size)
        rejected = running & ~accepted
        t = torch.where(accepted, arrival, t)
        y = torch.where(_rows(accepted, y), reached, y)
        slope = torch.where(_rows(accepted, y), slopes[-1], slope)
        running = running & (t != end)
        yield State(t, y, evaluations, running)


def _first_size(
    tableau: Tableau, f: VectorField, t: Tensor, y: Tensor, slope: Tensor, end: float, tolerance: float
) -> Tensor:
    """The first step's size, from f here and after an Euler step; one evaluation."""
    span = (end - t).abs()
    scale = _scale(y.abs(), tolerance)
    of_y, of_slope = _norm(y / scale), _norm(slope / scale)
    trial = torch.where((of_y < 1e-5) | (of_slope < 1e-5), 1e-6, 0.01 * of_y / of_slope).minimum(span)
    step = trial * (end - t).sign()
    of_change = _norm((f(t + step, y + like(step, y) * slope) - slope) / scale) / trial
    flat = (of_slope <= 1e-15) & (of_change <= 1e-15)
    curved = (0.01 / torch.fmax(of_slope, of_change)) ** (1 / (tableau.error_order + 1))
    size = torch.where(flat, (trial * 1e-3).clamp(min=1e-6), curved)
    return torch.minimum(100 * trial, size).minimum(span)


def _error(tableau: Tableau, h: Tensor, slopes: list[Tensor], scale: Tensor) -> Tensor:
    """The estimated error of each row relative to what is tolerated, shape (B,)."""
    fifth = _norm(combined(tableau.error, slopes) / scale)
    if not tableau.third_order_error:
        return h.abs() * fifth
    third = _norm(combined(tableau.third_order_error, slopes) / scale)
    both = torch.sqrt(fifth**2 + 0.01 * third**2)
    return torch.where(both > 0, h.abs() * fifth**2 / both, 0.0 * both)


def _factor(tableau: Tableau, error: Tensor, rejected: Tensor) -> Tensor:
    """How much longer the next attempt is; not longer right after a rejection."""
    factor = SAFETY * error ** (-1 / (tableau.error_order + 1))
    grown = torch.where(rejected, 1.0, GROW)
    kept = torch.minimum(factor, grown)
    shrunk = torch.where(error.isfinite(), factor, SHRINK).clamp(min=SHRINK)
    return torch.where(error < 1, kept, shrunk)


def _check(stuck: Tensor, t: Tensor) -> None:
    if stuck.any():
        row = int(stuck.nonzero()[0])
        raise StepTooSmallError(f"row {row} at t = {t[row].item():.6g} needs a step too small for floating point")


def _scale(magnitude: Tensor, tolerance: float) -> Tensor:
    return tolerance + magnitude * tolerance


def _norm(value: Tensor) -> Tensor:
    """The root mean square of each row, float64."""
    return value.double().square().flatten(1).mean(1).sqrt()


def _rows(choice: Tensor, y: Tensor) -> Tensor:
    return choice.reshape(-1, *(1,) * (y.ndim - 1))
