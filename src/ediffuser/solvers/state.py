"""What a solver shows after each step."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class State:
    """Where every row stands.

    Attributes:
        t: Times reached, float64, shape (B,).
        y: States there, shape (B, ...).
        evaluations: Evaluations of f so far, row by row, int64, shape (B,).
        running: Whether the row goes on, bool, shape (B,).
    """

    t: Tensor
    y: Tensor
    evaluations: Tensor
    running: Tensor
