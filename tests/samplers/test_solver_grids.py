"""Grids of the solvers that work in half the log-SNR."""

import pytest
import torch

from ediffuser.diffusion.denoiser import network_time
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers.grids import first_time, half_log_snr, solver_end, solver_times

CONTINUOUS = {"vp": VariancePreserving(), "sub_vp": SubVariancePreserving(), "ve": VarianceExploding()}
TABLES = {"linear": LinearBetas(), "cosine": CosineBetas(), "linear4000": LinearBetas(steps=4000)}
SCHEDULES = TABLES | CONTINUOUS
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
every_spacing = pytest.mark.parametrize("spacing", ["log_snr", "time", "karras"])


@every_spacing
@every_schedule
def test_a_grid_has_exactly_the_steps_asked_for_and_always_goes_back(schedule, spacing):
    for steps in (*range(1, 35), 100, 999):
        for denoise in (True, False):
            times = solver_times(schedule, steps, spacing, denoise=denoise)
            assert times.shape == (steps + 1,)
            assert times.dtype == torch.float64
            assert times[0] == first_time(schedule)
            assert (times.diff() < 0).all()
            assert (times[-1] == 0) == denoise
            if steps > 1 or not denoise:
                assert times[-1 - denoise] >= solver_end(schedule, steps) * (1 - 1e-12)


@every_schedule
def test_each_spacing_is_uniform_in_what_it_says(schedule):
    def uneven(values):
        return (values.diff() - values.diff().mean()).abs().max() / values.diff().mean().abs()

    grids = {name: solver_times(schedule, 12, name, denoise=False) for name in ("log_snr", "time", "karras")}
    sigma_over_alpha = torch.exp(-half_log_snr(schedule, grids["karras"]))
    assert uneven(half_log_snr(schedule, grids["log_snr"])) < 1e-9
    assert uneven(grids["time"]) < 1e-9
    assert uneven(sigma_over_alpha ** (1 / 7)) < 1e-9
    # Whose last step too is like the others:
    assert uneven(solver_times(schedule, 12, "time")) < 1e-9


def test_trap_9_a_cosine_table_starts_where_lambda_is_minus_5_1():
    """A table's noise of t = 1 is clipped for the solver: half the log-SNR of cosine falls to -9.9, of linear to -5."""
    cosine = CosineBetas()
    first = solver_times(cosine, 10)[0]
    assert half_log_snr(cosine, torch.tensor(1.0)) < -9.9
    assert half_log_snr(cosine, first).item() == pytest.approx(-5.1, abs=1e-9)
    assert 0.99 < first < 1
    # Noise of sigma(1) is as good as noise of sigma at the first time.
    assert cosine.sigma(first).item() == pytest.approx(cosine.sigma(torch.tensor(1.0)).item(), abs=2e-5)
    for schedule in (LinearBetas(), LinearBetas(steps=4000), *CONTINUOUS.values()):
        assert solver_times(schedule, 10)[0] == 1


def test_where_noise_explodes_the_grid_starts_at_1_however_much_there_is():
    loud = VarianceExploding(sigma_max=1000)
    assert half_log_snr(loud, torch.tensor(1.0)) < -5.1
    assert solver_times(loud, 10)[0] == 1


def test_trap_25_a_table_is_asked_between_its_indices_and_the_network_fed_its_index_less_1():
    for schedule in TABLES.values():
        times = solver_times(schedule, 12)[:-1]
        fed = network_time("index", schedule, times)
        torch.testing.assert_close(fed, (times * schedule.steps - 1).float())
        assert ((fed - fed.round()).abs() > 1e-3).any()
        assert fed.min() >= -1e-3
        assert fed.max() <= schedule.steps - 1
        rescaled = network_time("rescaled_index", schedule, times)  # published as (t - 1/T) 1000 for every T
        torch.testing.assert_close(rescaled, (1000 * (times - 1 / schedule.steps)).float(), atol=1e-3, rtol=0)


def test_trap_26_solvers_end_at_1e_3_or_for_more_than_15_steps_at_1e_4():
    for schedule in (VariancePreserving(), SubVariancePreserving()):
        assert solver_times(schedule, 15)[-2].item() == pytest.approx(1e-3)
        assert solver_times(schedule, 16)[-2].item() == pytest.approx(1e-4)
    for steps in (15, 16):  # a network of discrete time knows nothing before its first index
        assert solver_end(LinearBetas(), steps) == 1e-3
        assert solver_end(LinearBetas(steps=50), steps) == 1 / 50
        assert solver_end(VarianceExploding(), steps) == 1e-5
    assert solver_end(LinearBetas(steps=4000), 15) == 1e-3
    assert solver_end(LinearBetas(steps=4000), 16) == 1 / 4000


def test_an_end_that_is_given_is_taken():
    times = solver_times(VariancePreserving(), 10, t_end=0.02)
    assert times[-2:].tolist() == [0.02, 0]
    assert solver_times(VariancePreserving(), 10, "time", t_end=0.02, denoise=False)[-1] == 0.02


def test_an_end_before_the_start_is_refused():
    with pytest.raises(BadInputError, match=r"t_end of 0.9999 must lie between 0 and the time it starts at, 0.99"):
        solver_times(CosineBetas(), 10, t_end=0.9999)
