"""Butcher tableaux of explicit Runge-Kutta methods, and the one step that they all share.

A method with an error estimate has one more slope than stages: that at its result, which is the next step's first one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

VectorField = Callable[[Tensor, Tensor], Tensor]
"""f(t, y): times (B,) and states (B, ...) to slopes (B, ...); row k of the result depends on row k alone."""


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method.

    Attributes:
        name: As users write it.
        order: The order of its result.
        nodes: Where in the step each stage looks, as parts of the step.
        matrix: For each stage the weights of the slopes before it.
        weights: The weights of the slopes in the result.
        error_order: The order of the error estimate; 0 without one.
        error: The weights of the estimate, one more than stages.
        third_order_error: The weights of the second estimate that DOP853 mixes in.
    """

    name: str
    order: int
    nodes: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    error_order: int = 0
    error: tuple[float, ...] = ()
    third_order_error: tuple[float, ...] = ()

    @property
    def stages(self) -> int:
        """Slopes in a step."""
        return len(self.weights)


def runge_kutta_step(
    tableau: Tableau, f: VectorField, t: Tensor, y: Tensor, h: Tensor, first: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """One step of every row by its own h.

    Args:
        tableau: The method.
        f: The vector field.
        t: Times, float64, shape (B,).
        y: States, shape (B, ...).
        h: Steps, signed, shape (B,).
        first: The slopes f(t, y).

    Returns:
        The states at t + h, and the slopes of all stages.
    """
    slopes = [first]
    for node, row in zip(tableau.nodes[1:], tableau.matrix[1:], strict=True):
        slopes.append(f(t + node * h, y + like(h, y) * combined(row, slopes)))
    return y + like(h, y) * combined(tableau.weights, slopes), slopes


def combined(weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    """The weighted sum, always in the same order, so that a row's bits do not depend on its batch."""
    terms = [weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def like(value: Tensor, y: Tensor) -> Tensor:
    """A number per row, shaped to multiply states."""
    return value.to(y).reshape(-1, *(1,) * (y.ndim - 1))


EULER = Tableau(name="euler", order=1, nodes=(0.0,), matrix=((),), weights=(1.0,))

HEUN = Tableau(name="heun", order=2, nodes=(0.0, 1.0), matrix=((), (1.0,)), weights=(0.5, 0.5))

RK23 = Tableau(
    name="rk23",
    order=3,
    error_order=2,
    nodes=(0.0, 1 / 2, 3 / 4),
    matrix=((), (1 / 2,), (0.0, 3 / 4)),
    weights=(2 / 9, 1 / 3, 4 / 9),
    error=(5 / 72, -1 / 12, -1 / 9, 1 / 8),
)
"""Bogacki & Shampine 1989."""

RK45 = Tableau(
    name="rk45",
    order=5,
    error_order=4,
    nodes=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0),
    matrix=(
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    ),
    weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    error=(-71 / 57600, 0.0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40),
)
"""Dormand & Prince 1980."""
