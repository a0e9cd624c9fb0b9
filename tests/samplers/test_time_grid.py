import pytest
import torch

from ediffuser.diffusion.respacing import quadratic_times
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Ancestral, Ddim
from ediffuser.samplers.base import trailing_times


def test_every_number_of_steps_gives_exactly_that_many():
    schedule = LinearBetas()
    for steps in range(1, 1001):
        times = trailing_times(schedule, steps)
        indices = times * 1000
        assert times.shape == (steps + 1,)
        assert times.dtype == torch.float64
        assert times[0] == 1
        assert times[-1] == 0
        assert (indices.diff() < -0.5).all()
        assert (indices - indices.round()).abs().max() < 1e-9
        # Evenly spread: no gap differs from the mean one by a whole index.
        assert (-indices.diff() - 1000 / steps).abs().max() < 1


def test_known_grids():
    assert (trailing_times(LinearBetas(), 4) * 1000).tolist() == [1000, 750, 500, 250, 0]
    assert (trailing_times(LinearBetas(steps=10), 4) * 10).tolist() == [10, 8, 5, 3, 0]  # 7.5 and 2.5, halves up
    assert trailing_times(VariancePreserving(), 4).tolist() == [1, 0.75, 0.5, 0.25, 0]


def test_a_quadratic_grid_has_every_number_of_steps_and_no_index_twice():
    schedule = LinearBetas()
    for steps in range(1, 1001):
        indices = quadratic_times(schedule, steps) * 1000
        assert indices.shape == (steps + 1,)
        assert (indices[0], indices[-1]) == (1000, 0)
        assert (indices.diff() < -0.5).all()
        assert (indices - indices.round()).abs().max() < 1e-9


def test_known_quadratic_grids():
    assert (Ddim(steps=5, spacing="quadratic").times(LinearBetas()) * 1000).tolist() == [1000, 640, 360, 160, 40, 0]
    assert (quadratic_times(LinearBetas(steps=10), 5) * 10).tolist() == [10, 6, 4, 2, 1, 0]  # 0.4 would be the end
    assert quadratic_times(VariancePreserving(), 4).tolist() == [1, 0.5625, 0.25, 0.0625, 0]
    assert torch.equal(Ddim(steps=10).times(CosineBetas()), trailing_times(CosineBetas(), 10))


def test_no_number_takes_every_index():
    assert (trailing_times(CosineBetas(steps=20), None) * 20).round().tolist() == list(range(20, -1, -1))
    assert len(Ancestral().times(LinearBetas(steps=4000))) == 4001


@pytest.mark.parametrize("sampler", [Ancestral(steps=1001), Ddim(steps=1001), Ddim(steps=1001, spacing="quadratic")])
def test_more_steps_than_the_model_was_trained_on_are_refused(sampler):
    with pytest.raises(BadInputError, match=r"^1001 steps are more than the 1000 the model was trained on$"):
        sampler.times(LinearBetas())
    assert len(sampler.times(LinearBetas(steps=4000))) == 1002


def test_continuous_time_needs_a_number_of_steps():
    with pytest.raises(BadInputError, match=r"continuous time needs a number of steps, e.g. steps=1000"):
        Ancestral().times(VariancePreserving())


@pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas(), LinearBetas(steps=4000)])
def test_trap_8_respacing_keeps_alpha_bar_at_the_kept_indices(schedule):
    times = trailing_times(schedule, 37)
    alpha_bar = (1 - schedule.betas()).cumprod(0)
    kept = alpha_bar[(times[:-1] * schedule.steps).round().long() - 1]
    assert torch.allclose(schedule.alpha(times[:-1]) ** 2, kept, rtol=1e-11)
