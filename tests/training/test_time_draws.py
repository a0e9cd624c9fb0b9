from typing import get_args

import pytest
import torch

from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving
from ediffuser.training.times import AnyTimes, LogitNormalTimes, UniformTimes

LARGEST = 1 - 2**-24  # of float32 below 1
EVERYWHERE = torch.cat([torch.tensor([0.0, LARGEST]), torch.linspace(0, LARGEST, 40_001)])
every_kind = pytest.mark.parametrize("kind", get_args(get_args(AnyTimes)[0]), ids=lambda kind: kind.__name__)


@every_kind
@pytest.mark.parametrize(
    "schedule", [LinearBetas(), CosineBetas(steps=4000), CosineBetas(steps=7), VariancePreserving()]
)
def test_times_are_never_0_and_never_beyond_1(kind, schedule):
    t = kind().times(EVERYWHERE, schedule)
    assert t.shape == EVERYWHERE.shape
    assert t.dtype == torch.float64
    assert t.min() > 0
    assert t.max() <= 1
    if not isinstance(schedule, VariancePreserving):
        index = t * schedule.steps
        assert (index - index.round()).abs().max() < 1e-9


@pytest.mark.parametrize("steps", [7, 1000, 4000])
def test_uniform_times_reach_every_index_alike(steps):
    t = UniformTimes().times((torch.arange(8 * steps) + 0.5) / (8 * steps), LinearBetas(steps=steps))
    counts = torch.bincount((t * steps).round().long(), minlength=steps + 1)
    assert counts.tolist() == [0] + [8] * steps
    ends = UniformTimes().times(torch.tensor([0.0, LARGEST]), LinearBetas(steps=steps))
    assert ends.tolist() == [1 / steps, 1]


def test_uniform_times_fill_continuous_time_from_their_least():
    t = UniformTimes(t_min=0.1).times(torch.tensor([0.0, 0.5]), VariancePreserving())
    assert t.tolist() == pytest.approx([0.1, 0.55])


def test_logit_normal_times_have_their_median_and_spread():
    times = LogitNormalTimes(mean=0.7, spread=1.5)
    quantiles = torch.tensor([0.15865525, 0.5, 0.84134475])  # -1, 0 and 1 standard deviations
    logits = torch.logit(times.times(quantiles, VariancePreserving()))
    assert logits.tolist() == pytest.approx([-0.8, 0.7, 2.2], abs=1e-5)
    # On a table they are rounded up to an index.
    index = times.times(quantiles, LinearBetas()) * 1000
    assert index.round().tolist() == (torch.sigmoid(logits) * 1000).ceil().tolist()
