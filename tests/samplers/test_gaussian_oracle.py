"""On Gaussian data every sampler must return that Gaussian, up to a discretisation error of the first order.

Errors are absolute, the largest entry of mean (up to 0.5) and covariance (up to 0.36); for tolerances see the tests.
"""

import numpy as np
import pytest
import torch

from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ancestral, Ddim
from oracles import (
    GaussianDenoiser,
    StreamNoise,
    by_hand,
    correlated_gaussian,
    distance,
    flowed,
    mixture,
    propagated,
)

SHAPE = (3, 1, 1)
STEPS = (25, 50, 100, 200)
SCHEDULES = {
    "linear": LinearBetas(),
    "cosine": CosineBetas(),
    "linear4000": LinearBetas(steps=4000),
    "continuous": VariancePreserving(),
}
OTHERS = [SubVariancePreserving(), VarianceExploding()]
SAMPLERS = {
    "fixed_small": (lambda steps: Ancestral(steps=steps, variance="fixed_small", clip=False), 0.0),
    "fixed_large": (lambda steps: Ancestral(steps=steps, variance="fixed_large", clip=False), 0.0),
    "ddim0": (lambda steps: Ddim(steps=steps, eta=0, clip=False), 0.0),
    "ddim0.5": (lambda steps: Ddim(steps=steps, eta=0.5, clip=False), 0.5),
    "ddim1": (lambda steps: Ddim(steps=steps, eta=1, clip=False), 1.0),
    "quadratic": (lambda steps: Ddim(steps=steps, eta=0, clip=False, spacing="quadratic"), 0.0),
}


@pytest.fixture(params=SCHEDULES.values(), ids=SCHEDULES.keys())
def gaussian(request) -> GaussianDenoiser:
    return correlated_gaussian(request.param)


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_reach_the_gaussian(gaussian, name):
    make, eta = SAMPLERS[name]
    start = gaussian.marginal(torch.tensor(1.0))
    coarse, fine = (propagated(make(steps), gaussian, start, SHAPE) for steps in (100, 200))
    # With few steps each returns exactly what the papers' formulas give ...
    kind = name if name.startswith("fixed") else "ddim"
    times = make(100).times(gaussian.schedule)
    assert distance(coarse, by_hand(gaussian, times, start, kind, eta)) < 1e-12
    # ... which is off by at most 0.02 at 200 steps, half of it with twice the steps, and right in the limit.
    data = gaussian.mean.flatten(), gaussian.covariance
    assert distance(fine, data) < (0.0025 if name == "fixed_large" else 0.02)
    assert 1.75 < distance(coarse, data) / distance(fine, data) < 2.05
    limit = tuple(2 * b - a for a, b in zip(coarse, fine, strict=True))
    assert distance(limit, data) < (1e-3 if name in ("fixed_large", "ddim0", "ddim0.5") else 4e-3)


@pytest.mark.parametrize("schedule", OTHERS, ids=lambda schedule: schedule.kind)
@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_reach_the_gaussian_also_where_variance_is_not_preserved(schedule, name):
    gaussian = correlated_gaussian(schedule)
    start, data = gaussian.marginal(torch.tensor(1.0)), (gaussian.mean.flatten(), gaussian.covariance)
    make, _ = SAMPLERS[name]
    coarse, fine = (distance(propagated(make(steps), gaussian, start, SHAPE), data) for steps in (100, 200))
    assert fine < 0.02
    assert 1.75 < coarse / fine < 2.2


@pytest.mark.parametrize("schedule", [CosineBetas(), *OTHERS], ids=lambda schedule: schedule.kind)
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_moments_of_a_mixture_are_reached_in_proportion_to_the_steps(schedule, name):
    """2,000 draws: every moment within 4.5 standard errors, and 3 / steps for what the steps are off."""
    kinds, rows = mixture(schedule), 2000
    start = schedule.sigma(torch.tensor(1.0)) * StreamNoise(rows, seed=0).normal(SHAPE)
    mean, covariance = kinds.moments()
    variances = torch.diag(covariance)
    of_mean = (variances / rows).sqrt()
    of_covariance = (2 * torch.outer(variances, variances) / rows).sqrt()
    for steps in (25, 100):
        *_, last = SAMPLERS[name][0](steps).trajectory(kinds, start, StreamNoise(rows, seed=1))
        x = last.x.flatten(1)
        assert ((x.mean(0) - mean).abs() < 4.5 * of_mean + 3 / steps).all()
        assert ((torch.cov(x.T) - covariance).abs() < 4.5 * of_covariance + 3 / steps).all()


def test_all_steps_of_the_ancestral_sampler_reach_the_gaussian_to_one_in_a_thousand():
    gaussian = correlated_gaussian(LinearBetas())
    result = propagated(Ancestral(clip=False), gaussian, gaussian.marginal(torch.tensor(1.0)), SHAPE)
    assert distance(result, (gaussian.mean.flatten(), gaussian.covariance)) < 1e-3


def test_ddim_converges_to_the_probability_flow_with_order_one(gaussian):
    # From the prior, not the marginal: the flow maps what is missing of the picture at t = 1 in closed form.
    wanted = flowed(gaussian, gaussian.prior())
    errors = [distance(propagated(Ddim(steps=n, clip=False), gaussian, gaussian.prior(), SHAPE), wanted) for n in STEPS]
    order = -np.polyfit(np.log(STEPS), np.log(errors), 1)[0]
    assert 0.9 < order < 1.1
    assert errors[-1] < 0.01


def test_the_flow_from_the_marginal_is_the_gaussian_itself(gaussian):
    result = flowed(gaussian, gaussian.marginal(torch.tensor(1.0)))
    assert distance(result, (gaussian.mean.flatten(), gaussian.covariance)) < 1e-12


def test_the_prior_is_forgotten_by_ancestral_steps_and_kept_in_part_by_deterministic_ones(gaussian):
    """How much a start at N(0, sigma^2 I) instead of q(x_1) costs: at most 1e-5 with noise, 2e-3 without."""
    one = torch.tensor(1.0)
    for sampler, bound in ((Ancestral(steps=50, clip=False), 2e-5), (Ddim(steps=50, clip=False), 2.5e-3)):
        from_prior = propagated(sampler, gaussian, gaussian.prior(), SHAPE)
        assert distance(from_prior, propagated(sampler, gaussian, gaussian.marginal(one), SHAPE)) < bound


@pytest.mark.parametrize(
    "sampler",
    [
        Ancestral(steps=10, variance="fixed_large", clip=False),
        Ddim(steps=10, eta=0.5, clip=False),
    ],
    ids=lambda sampler: sampler.kind,
)
def test_drawn_pictures_have_the_propagated_moments(sampler):
    """20,000 pictures through the public trajectory, in float32: every moment within 4.5 standard errors."""
    gaussian, rows = correlated_gaussian(CosineBetas()), 20_000
    noise = Noise.rows(1, range(rows))
    start = gaussian.schedule.sigma(torch.tensor(1.0)).float() * noise.normal(SHAPE)
    *_, last = sampler.trajectory(gaussian, start, noise)
    assert last.x.dtype == torch.float32
    mean, covariance = propagated(sampler, gaussian, gaussian.prior(), SHAPE)
    x = last.x.double().flatten(1)
    variance = torch.diag(covariance)
    of_mean = (variance / rows).sqrt()
    of_covariance = ((torch.outer(variance, variance) + covariance**2) / rows).sqrt()
    assert ((x.mean(0) - mean).abs() < 4.5 * of_mean).all()
    assert ((torch.cov(x.T) - covariance).abs() < 4.5 * of_covariance).all()


def test_the_oracle_believes_in_the_mean_at_pure_noise_and_in_the_picture_at_none():
    gaussian = correlated_gaussian(CosineBetas())
    x = torch.tensor([0.9, -0.2, 0.4], dtype=torch.float64).reshape(1, 3, 1, 1)
    assert torch.allclose(gaussian(x, torch.tensor(1.0)).x0, gaussian.mean[None], atol=1e-4)
    assert torch.allclose(gaussian(x, torch.tensor(1e-7)).x0, x, atol=1e-3)


def test_the_oracle_is_the_regression_of_the_picture_on_its_noisy_version():
    """E[(x_0 - E[x_0 | x_t]) x_t^T] = 0, from the joint covariance."""
    gaussian = correlated_gaussian(LinearBetas())
    t = torch.tensor(0.3)
    alpha = gaussian.schedule.alpha(t)
    _, noisy = gaussian.marginal(t)
    unit = torch.eye(3, dtype=torch.float64).reshape(3, *SHAPE)
    at_unit, at_none = gaussian(unit, t).x0.flatten(1), gaussian(torch.zeros_like(unit), t).x0.flatten(1)
    assert torch.allclose((at_unit - at_none).T @ noisy, alpha * gaussian.covariance, atol=1e-14)
