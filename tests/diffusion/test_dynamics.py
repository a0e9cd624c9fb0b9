import pytest
import torch

from ediffuser.diffusion.dynamics import clock, clock_time, clock_velocity, probability_flow, reverse_drift
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
    alpha_sigma,
)
from oracles import correlated_gaussian

SCHEDULES = [LinearBetas(), CosineBetas(), VariancePreserving(), SubVariancePreserving(), VarianceExploding()]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)
T = torch.tensor([0.0123, 0.3004, 0.7007, 0.9991], dtype=torch.float64)


def belief(schedule, t=T, dtype=torch.float64):
    x = torch.randn(len(t), 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(dtype)
    return correlated_gaussian(schedule)(x, t)


@every_schedule
def test_both_are_the_formulas_of_song_et_al(schedule):
    prediction = belief(schedule)
    f, g = (value.reshape(-1, 1, 1, 1) for value in (schedule.drift(T), schedule.diffusion(T)))
    flow = f * prediction.x_t - 0.5 * g**2 * prediction.score
    drift = f * prediction.x_t - g**2 * prediction.score
    assert torch.allclose(probability_flow(schedule, prediction, T), flow, rtol=1e-8, atol=1e-9)
    assert torch.allclose(reverse_drift(schedule, prediction, T), drift, rtol=1e-8, atol=1e-9)


@every_schedule
def test_the_flow_moves_the_mean_and_the_axes_as_the_marginals_move(schedule):
    """d/dt of x_t along the exact map of Gaussian marginals, by central differences."""
    gaussian, h = correlated_gaussian(schedule), 1e-6
    variances, axes = torch.linalg.eigh(gaussian.covariance)

    def moved(t):
        spread = (schedule.alpha(t) ** 2 * variances + schedule.sigma(t) ** 2).sqrt()
        return (schedule.alpha(t) * gaussian.mean.flatten() + axes @ (spread * 0.7)).reshape(1, 3, 1, 1)

    for t in T:
        found = probability_flow(schedule, gaussian(moved(t), t), t)
        assert torch.allclose(found, (moved(t + h) - moved(t - h)) / (2 * h), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("schedule", [LinearBetas(), VariancePreserving()], ids=lambda schedule: schedule.kind)
def test_at_high_noise_the_flow_does_not_cancel_in_single_precision(schedule):
    """There f x and g^2 score / 2 agree to about 1 in 100: their difference would lose two digits."""
    t = torch.tensor([0.999, 0.97], dtype=torch.float64)
    exact = belief(schedule, t)
    single = Prediction(exact.x_t.float(), *alpha_sigma(schedule, t, like=exact.x_t.float()), exact.x0.float())
    wanted = probability_flow(schedule, exact, t)
    error = (probability_flow(schedule, single, t) - wanted).abs().max() / wanted.abs().max()
    assert error < 1e-6


def test_times_may_be_one_for_all_rows():
    schedule = VariancePreserving()
    prediction = belief(schedule, T[2].expand(4))
    assert torch.equal(
        probability_flow(schedule, prediction, T[2]), probability_flow(schedule, prediction, T[2].expand(4))
    )


@every_schedule
def test_the_flow_by_the_clock_is_the_flow_in_time(schedule):
    prediction, h = belief(schedule), 1e-6
    assert torch.allclose(clock_time(schedule, clock(schedule, T)), T, rtol=1e-10)
    rate = ((clock(schedule, T + h) - clock(schedule, T - h)) / (2 * h)).reshape(-1, 1, 1, 1)
    by_clock = clock_velocity(schedule, prediction, T) * rate
    assert torch.allclose(by_clock, probability_flow(schedule, prediction, T), rtol=1e-5, atol=1e-8)
