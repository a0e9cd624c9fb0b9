"""The adaptive solvers against scipy's, row by row."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from ediffuser.solvers.adaptive import StepTooSmallError, adaptive_steps
from ediffuser.solvers.dop853 import DOP853
from ediffuser.solvers.tableaux import RK23, RK45

SOLVERS = [RK23, RK45, DOP853]
every_solver = pytest.mark.parametrize("tableau", SOLVERS, ids=lambda tableau: tableau.name)
START = torch.tensor([[1.0, 0.2], [0.3, -0.5], [2.0, 1.0], [1e-9, 0.0]], dtype=torch.float64)


def swing(t, y):
    """A nonlinear oscillator whose rows need very different steps."""
    return torch.stack([y[:, 1] * (1 + t), -4 * y[:, 0] + torch.sin(20 * t) * y[:, 1] ** 2], dim=1)


def solved(tableau, f, y, start, end, tolerance):
    *_, last = adaptive_steps(tableau, f, y, start, end, tolerance)
    return last


@pytest.mark.reference
@every_solver
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (1.0, 1e-3)])
def test_every_row_is_scipys_solution_with_scipys_number_of_evaluations(tableau, tolerance, start, end):
    last = solved(tableau, swing, START, start, end, tolerance)
    for row, y in enumerate(START):
        wanted = solve_ivp(
            lambda t, y: swing(torch.tensor([t], dtype=torch.float64), torch.from_numpy(y)[None])[0].numpy(),
            (start, end),
            y.numpy(),
            method=tableau.name.upper(),
            rtol=tolerance,
            atol=tolerance,
        )
        assert np.abs(last.y[row].numpy() - wanted.y[:, -1]).max() < 1e-10
        assert last.evaluations[row] == wanted.nfev


@every_solver
def test_trap_19_a_row_does_not_depend_on_its_batch_to_the_last_bit(tableau):
    whole = solved(tableau, swing, START, 1.0, 0.0, 1e-4)
    for rows in ([0], [1, 3], [3, 2, 1]):
        part = solved(tableau, swing, START[rows], 1.0, 0.0, 1e-4)
        assert torch.equal(part.y, whole.y[rows])
        assert torch.equal(part.evaluations, whole.evaluations[rows])
    assert len(set(whole.evaluations.tolist())) > 1


@every_solver
def test_rows_that_have_arrived_are_frozen_and_no_longer_counted(tableau):
    states = list(adaptive_steps(tableau, swing, START, 0.0, 1.0, 1e-4))
    for before, after in pairwise(states):
        done = ~before.running
        assert torch.equal(after.y[done], before.y[done])
        assert torch.equal(after.evaluations[done], before.evaluations[done])
        assert (after.evaluations - before.evaluations)[before.running].unique().tolist() == [tableau.stages]
        assert (after.t >= before.t).all()
    assert states[-1].t.tolist() == [1.0] * len(START)
    assert not states[-1].running.any()


@every_solver
def test_a_smaller_tolerance_gives_a_smaller_error(tableau):
    errors = []
    for tolerance in (1e-3, 1e-5, 1e-7):
        last = solved(
            tableau, lambda t, y: -y * t.reshape(-1, 1), torch.ones(1, 1, dtype=torch.float64), 0, 2, tolerance
        )
        errors.append(abs(last.y.item() - np.exp(-2)))
        assert errors[-1] < 10 * tolerance  # the local error is what is controlled
    assert errors[2] < 0.1 * errors[0]


def test_the_tableaux_are_consistent():
    for tableau in SOLVERS:
        assert sum(tableau.weights) == pytest.approx(1, abs=1e-14)
        assert sum(tableau.error) == pytest.approx(0, abs=1e-14)
        for node, row in zip(tableau.nodes, tableau.matrix, strict=True):
            assert sum(row) == pytest.approx(node, abs=1e-13)
        assert len(tableau.error) == tableau.stages + 1


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_an_error_not_a_loop(value):
    with pytest.raises(StepTooSmallError, match=r"row 1 at t = "):
        solved(RK45, lambda t, y: torch.where(torch.tensor([[False], [True]]), value, y), START[:2, :1], 1, 0, 1e-3)


def test_a_constant_field_takes_a_handful_of_steps():
    last = solved(RK45, lambda t, y: torch.zeros_like(y), START, 0.0, 1.0, 1e-3)
    assert torch.equal(last.y, START)
    assert last.evaluations.max() < 80
