import numpy as np
import pytest
import torch

from ediffuser.solvers.fixed import fixed_steps
from ediffuser.solvers.sde import euler_maruyama
from ediffuser.solvers.tableaux import EULER, HEUN, RK23, RK45


@pytest.mark.parametrize(
    ("tableau", "counts"),
    [(EULER, (64, 128)), (HEUN, (64, 128)), (RK23, (64, 128)), (RK45, (48, 96))],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_order_is_the_declared_one(tableau, counts):
    """y' = y cos(t) on an uneven grid; y = exp(sin t)."""
    y, errors = torch.ones(1, 1, dtype=torch.float64), []
    for count in counts:
        grid = 2 * torch.linspace(0, 1, count + 1, dtype=torch.float64) ** 1.2
        *_, last = fixed_steps(tableau, lambda t, y: y * torch.cos(t).reshape(-1, 1), y, grid)
        errors.append(abs(last.y.item() - np.exp(np.sin(2))))
        assert last.evaluations.tolist() == [count * tableau.stages]
    order = np.log(errors[0] / errors[1]) / np.log(2)
    assert abs(order - tableau.order) < 0.2


def test_it_shows_where_it_stands():
    grid = torch.tensor([1.0, 0.6, 0.1], dtype=torch.float64)
    states = list(fixed_steps(EULER, lambda t, y: y, torch.ones(2, 3, dtype=torch.float64), grid))
    assert [state.t.tolist() for state in states] == [[0.6, 0.6], [0.1, 0.1]]
    assert [state.running.tolist() for state in states] == [[True, True], [False, False]]
    assert torch.allclose(states[-1].y, torch.full((2, 3), 0.6 * 0.5, dtype=torch.float64))


def test_euler_maruyama_is_its_formula():
    y, drift = torch.randn(2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)
    h = torch.tensor([-0.1, -0.4], dtype=torch.float64)
    mean, deviation = euler_maruyama(y, drift, torch.tensor([2.0, 3.0], dtype=torch.float64), h)
    assert torch.allclose(mean, y + h.reshape(-1, 1) * drift)
    assert deviation.flatten().tolist() == pytest.approx([2 * 0.1**0.5, 3 * 0.4**0.5])
