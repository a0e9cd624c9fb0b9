"""Runge-Kutta methods on a grid that is given."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ediffuser.solvers.state import State
from ediffuser.solvers.tableaux import Tableau, VectorField, runge_kutta_step


def fixed_steps(tableau: Tableau, f: VectorField, y: Tensor, grid: Tensor) -> Iterator[State]:
    """Solves dy/dt = f(t, y) along a grid, the same for every row.

    Args:
        tableau: The method.
        f: The vector field.
        y: The states at the grid's beginning, shape (B, ...).
        grid: Times, float64, shape (S + 1,), increasing or decreasing.

    Yields:
        Where it stands after each step; S times `tableau.stages` evaluations in all.
    """
    rows = len(y)
    evaluations = torch.zeros(rows, dtype=torch.int64, device=y.device)
    for done, (t, s) in enumerate(pairwise(grid.to(y.device)), start=1):
        now, h = t.expand(rows), (s - t).expand(rows)
        y, _ = runge_kutta_step(tableau, f, now, y, h, f(now, y))
        evaluations = evaluations + tableau.stages
        running = torch.full((rows,), done < len(grid) - 1, device=y.device)
        yield State(s.expand(rows), y, evaluations, running)
