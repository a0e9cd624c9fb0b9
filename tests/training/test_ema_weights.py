import numpy as np
import pytest
import torch
from torch import nn

from ediffuser.training.ema import ConstantEma, PowerEma, update_ema


def shares(ema, steps):
    """How much each step's weights count in the average after the last one."""
    decays = np.array([ema.decay_at(step) for step in range(1, steps + 1)])
    return (1 - decays) * np.append(np.cumprod(decays[:0:-1])[::-1], 1)


@pytest.mark.parametrize("width", [0.02, 0.05, 0.1, 0.25, 0.28])
def test_the_width_is_the_standard_deviation_of_the_averaged_steps(width):
    steps = 3000
    weights = shares(PowerEma(width=width), steps)
    place = np.arange(1, steps + 1) / steps
    mean = (weights * place).sum()
    assert weights.sum() == pytest.approx(1)  # the initialisation is forgotten
    assert (weights * (place - mean) ** 2).sum() ** 0.5 == pytest.approx(width, rel=0.01)


def test_a_constant_decay_counts_steps_geometrically():
    weights = shares(ConstantEma(decay=0.9), 10)
    assert weights == pytest.approx([0.1 * 0.9 ** (10 - step) for step in range(1, 11)])
    assert 1 - weights.sum() == pytest.approx(0.9**10)  # what is left of the initialisation


def test_the_average_moves_towards_the_network_and_buffers_are_copied():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).requires_grad_(False)
    before = [value.clone() for value in average.parameters()]
    network[1].running_mean.fill_(5)
    network[1].num_batches_tracked.fill_(7)
    update_ema(average, network, 0.75)
    for old, new, value in zip(before, average.parameters(), network.parameters(), strict=True):
        assert torch.allclose(new, 0.75 * old + 0.25 * value)
    assert average[1].running_mean.tolist() == [5, 5, 5]
    assert average[1].num_batches_tracked == 7
    update_ema(average, network, 0.0)
    for new, value in zip(average.parameters(), network.parameters(), strict=True):
        assert torch.equal(new, value)


@pytest.mark.parametrize("ema", [ConstantEma(decay=0.9), ConstantEma(decay=0.0), PowerEma(width=0.1)])
def test_what_is_left_of_the_start_is_what_no_step_has(ema):
    assert ema.left_of_start(10) == pytest.approx(1 - shares(ema, 10).sum(), abs=1e-12)
