from itertools import pairwise

import pytest
import torch
from torch import nn

from ediffuser.training.optimizer import Optimizer


def test_the_rate_is_constant_by_default():
    assert {Optimizer(learning_rate=0.5).rate(seen, 1000) for seen in (0, 1, 500, 999)} == {0.5}


def test_the_rate_grows_linearly_over_the_warm_up():
    optimizer = Optimizer(learning_rate=0.5, warmup_images=100)
    assert [optimizer.rate(seen, 1000) for seen in (0, 49, 99, 100, 999)] == pytest.approx([0.005, 0.25, 0.5, 0.5, 0.5])


def test_the_rate_falls_along_a_half_cosine_over_the_last_part():
    optimizer = Optimizer(learning_rate=0.5, decay_fraction=0.4)
    found = [optimizer.rate(seen, 1000) for seen in (0, 600, 700, 800, 900, 1000)]
    assert found == pytest.approx([0.5, 0.5, 0.5 * 0.8535534, 0.25, 0.5 * 0.1464466, 0])
    rates = [optimizer.rate(seen, 1000) for seen in range(1001)]
    assert all(a >= b for a, b in pairwise(rates))
    assert Optimizer(learning_rate=0.5, decay_fraction=1.0).rate(500, 1000) == pytest.approx(0.25)


@pytest.mark.parametrize(("kind", "shrinks_to"), [("adamw", 1 - 0.1 * 0.5), ("adam", 1 - 0.1)])
def test_weight_decay_lies_beside_the_gradient_in_adamw_and_inside_it_in_adam(kind, shrinks_to):
    weights = nn.Parameter(torch.ones(3))
    optimizer = Optimizer(kind=kind, learning_rate=0.1, weight_decay=0.5).build([weights])
    weights.grad = torch.zeros(3)
    optimizer.step()
    assert weights.detach().tolist() == pytest.approx([shrinks_to] * 3, rel=1e-5)
