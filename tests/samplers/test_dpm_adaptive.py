"""The adaptive DPM-Solver against the published algorithm row by row, and against the exact flow."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pydantic
import pytest
import torch

from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import DpmAdaptive, StepSampler
from ediffuser.samplers.grids import first_time
from flows import carried, every_schedule
from oracles import GivenNoise, correlated_gaussian, distance, mixture

ONE = torch.tensor(1.0, dtype=torch.float64)
QUIET = GivenNoise(torch.zeros(1))
either_order = pytest.mark.parametrize("order", [2, 3])


def last(sampler, denoiser, x):
    *_, step = sampler.trajectory(denoiser, x, QUIET)
    return step


def starts(schedule, rows=4, dtype=torch.float64):
    x = torch.randn(rows, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (schedule.sigma(ONE) * x).to(dtype)


def published(denoiser, x, order, rtol, atol, t_end, theta=0.9, h=0.05):
    """One row by the paper's algorithm in its own formulas; the state at t_end and the number of calls.

    Two things are ours: what is compared is divided by sqrt(alpha^2 + sigma^2), which is 1 in the paper, and steps are
    rounded down to powers of 2^(1/8).
    """
    schedule, calls = denoiser.schedule, 0

    def at(lam):
        t = schedule.time(torch.tensor(2 * lam, dtype=torch.float64))
        return schedule.alpha(t).item(), schedule.sigma(t).item(), t

    def eps(x, lam):
        nonlocal calls
        calls += 1
        return denoiser(x, at(lam)[2]).eps

    def grown(x):
        return torch.expm1(torch.tensor(x, dtype=torch.float64)).item()

    now, end = (float(schedule.log_snr(torch.tensor(t, dtype=torch.float64)) / 2) for t in (1.0, t_end))
    below = x / np.hypot(*at(now)[:2])
    while end - now > 1e-9:
        h = min(h, end - now)
        (alpha, _, _), (alpha_t, sigma_t, _) = at(now), at(now + h)
        base = eps(x, now)
        if order == 2:
            low = alpha_t / alpha * x - sigma_t * grown(h) * base
            alpha_1, sigma_1, _ = at(now + h / 2)
            middle = eps(alpha_1 / alpha * x - sigma_1 * grown(h / 2) * base, now + h / 2)
            high = alpha_t / alpha * x - sigma_t * grown(h) * middle
        else:
            (alpha_1, sigma_1, _), (alpha_2, sigma_2, _) = at(now + h / 3), at(now + 2 * h / 3)
            d1 = eps(alpha_1 / alpha * x - sigma_1 * grown(h / 3) * base, now + h / 3) - base
            low = alpha_t / alpha * x - sigma_t * grown(h) * (base + 3 / 2 * d1)
            u2 = alpha_2 / alpha * x - sigma_2 * grown(2 * h / 3) * base
            u2 = u2 - 2 * sigma_2 * (grown(2 * h / 3) / (2 * h / 3) - 1) * d1
            d2 = eps(u2, now + 2 * h / 3) - base
            high = alpha_t / alpha * x - sigma_t * grown(h) * base - 3 / 2 * sigma_t * (grown(h) / h - 1) * d2
        size = np.hypot(alpha_t, sigma_t)
        scale = torch.maximum(torch.full_like(x, atol), rtol * torch.maximum(low.abs() / size, below.abs()))
        error = ((high - low) / size / scale).square().mean().sqrt().item()
        if error <= 1:
            x, below, now = high, low / size, now + h
        h = 2 ** (np.floor(8 * np.log2(theta * h * error ** (-1 / order))) / 8)
    return x, calls


@pytest.mark.parametrize(("rtol", "atol"), [(0.05, 0.0078), (5e-3, 1e-3)])
@either_order
@pytest.mark.parametrize("schedule", [LinearBetas(), VarianceExploding()], ids=lambda schedule: schedule.kind)
def test_trap_20_every_row_is_the_published_algorithm_with_its_calls_rejected_steps_included(
    schedule, order, rtol, atol
):
    kinds, x = mixture(schedule), starts(schedule, 2)
    sampler = DpmAdaptive(order=order, tolerance=rtol, absolute_tolerance=atol, t_end=0.02, denoise=False, h_init=1.0)
    steps = list(sampler.trajectory(kinds, x, QUIET))
    for row in range(len(x)):
        wanted, calls = published(kinds, x[row : row + 1], order, rtol, atol, 0.02, h=1.0)
        assert (steps[-1].x[row] - wanted[0]).abs().max() < 1e-9
        assert steps[-1].calls[row] == calls
    denoised = last(replace(sampler, denoise=True), kinds, x)
    assert torch.equal(denoised.calls, steps[-1].calls + 1)
    assert torch.equal(denoised.x, kinds(steps[-1].x, torch.tensor(0.02, dtype=torch.float64)).x0)


@either_order
def test_a_first_step_that_is_too_long_is_refused_and_counted(order):
    kinds = mixture(VariancePreserving())
    sampler = DpmAdaptive(order=order, tolerance=1e-3, absolute_tolerance=1e-4, h_init=6.0, t_end=0.02)
    steps = list(sampler.trajectory(kinds, starts(kinds.schedule, 1), QUIET))
    assert steps[0].t.tolist() == [1.0]
    assert steps[0].calls.tolist() == [order]
    assert torch.equal(steps[0].x, starts(kinds.schedule, 1))
    assert steps[1].calls.tolist() == [2 * order]


@either_order
@every_schedule
def test_the_tolerance_is_met_on_the_gaussian(schedule, order):
    gaussian = correlated_gaussian(schedule)
    x, errors = starts(schedule), []
    wanted = carried(gaussian, x, first_time(schedule), 0.05)
    for tolerance in (1e-2, 1e-4):
        sampler = DpmAdaptive(order=order, tolerance=tolerance, absolute_tolerance=tolerance, t_end=0.05, denoise=False)
        errors.append((last(sampler, gaussian, x).x - wanted).abs().max().item())
        assert errors[-1] < 20 * tolerance  # local errors add up
    assert errors[1] < 0.15 * errors[0]


@either_order
@every_schedule
def test_the_moments_of_the_data_are_reached_the_nearer_the_smaller_the_tolerance(schedule, order):
    """From the marginal at t = 1, by unit vectors, since the flow of a Gaussian is affine."""
    gaussian = correlated_gaussian(schedule)
    mean, covariance = gaussian.marginal(ONE)
    factor = torch.linalg.cholesky(covariance)
    x = torch.cat([mean[None], mean + factor.T]).reshape(-1, 3, 1, 1)
    errors = []
    for tolerance in (0.05, 1e-3):
        found = last(DpmAdaptive(order=order, tolerance=tolerance, absolute_tolerance=tolerance / 6), gaussian, x).x
        moved = (found.flatten(1)[1:] - found.flatten(1)[0]).T
        errors.append(distance((found.flatten(1)[0], moved @ moved.T), (gaussian.mean.flatten(), gaussian.covariance)))
    assert errors[0] < 0.1
    assert errors[1] < 3e-3  # what t_end = 1e-3 leaves, about sigma^2


@pytest.mark.parametrize("schedule", [CosineBetas(), VarianceExploding()], ids=lambda schedule: schedule.kind)
def test_the_moments_of_a_mixture_are_reached(schedule):
    """1,000 starts: every moment within 4.5 standard errors, and the tolerance."""
    kinds, rows = mixture(schedule), 1_000
    found = last(DpmAdaptive(), kinds, starts(schedule, rows)).x.flatten(1)
    mean, covariance = kinds.moments()
    variances = torch.diag(covariance)
    assert ((found.mean(0) - mean).abs() < 4.5 * (variances / rows).sqrt() + 5e-3).all()
    spread = torch.outer(variances, variances).sqrt() / rows**0.5
    assert ((torch.cov(found.T) - covariance).abs() < 4.5 * 2**0.5 * spread + 5e-3).all()


@either_order
def test_trap_19_a_picture_does_not_depend_on_its_batch_and_a_finished_one_is_frozen(order):
    kinds, x = mixture(VariancePreserving()), starts(VariancePreserving(), 4)
    sampler = DpmAdaptive(order=order, tolerance=5e-3, absolute_tolerance=1e-3)
    whole = list(sampler.trajectory(kinds, x, QUIET))
    assert len(set(whole[-1].calls.tolist())) > 1
    for rows in ([0], [2, 1], [3, 0, 2]):
        part = last(sampler, kinds, x[rows])
        assert (part.x - whole[-1].x[rows]).abs().max() < 1e-10
        assert torch.equal(part.calls, whole[-1].calls[rows])
    for before, after in pairwise(whole[:-1]):  # the last one denoises all
        done = before.t == 1e-3
        assert torch.equal(after.x[done], before.x[done])
        assert torch.equal(after.calls[done], before.calls[done])
        assert (after.calls - before.calls)[~done].unique().tolist() == [order]


@pytest.mark.parametrize("denoise", [True, False])
def test_a_trajectory_reports_where_it_stands(denoise):
    kinds = mixture(CosineBetas())
    x = starts(kinds.schedule, 4, torch.float32)
    before, sampler = x.clone(), DpmAdaptive(denoise=denoise)
    steps = list(sampler.trajectory(kinds, x, QUIET))
    assert torch.equal(x, before)
    progress = [step.progress for step in steps]
    assert sorted(progress) == progress
    assert progress[-1] == 1
    assert progress.count(1.0) == 1
    assert steps[-1].t.tolist() == [0.0 if denoise else 1e-3] * 4
    assert all(step.x.shape == step.x0.shape == x.shape and step.x.dtype == torch.float32 for step in steps)


def test_it_is_no_markov_kernel_on_a_fixed_grid_that_could_be_wrapped():
    assert not isinstance(DpmAdaptive(), StepSampler)


def test_a_network_that_breaks_down_is_an_error_that_says_where():
    class Broken:
        schedule = VariancePreserving()

        def __call__(self, x_t, t):
            prediction = mixture(self.schedule)(x_t, t)
            return replace(prediction, x0=torch.where(t.reshape(-1, 1, 1, 1) < 0.5, torch.nan, prediction.x0))

    with pytest.raises(BadInputError, match=r"cannot be followed, row \d at t = 0\.\d+ needs too small a step"):
        last(DpmAdaptive(), Broken(), starts(Broken.schedule))


def test_bad_input_is_refused():
    gaussian = correlated_gaussian(CosineBetas())
    with pytest.raises(BadInputError, match=r"t_end of 0\.999 must lie between 0 and the time it starts at, 0\.99"):
        last(DpmAdaptive(t_end=0.999), gaussian, starts(gaussian.schedule))
    for bad in ({"order": 1}, {"tolerance": 0.0}, {"theta": 1.0}, {"h_init": -0.1}, {"t_end": 0.0}):
        with pytest.raises(pydantic.ValidationError, match=next(iter(bad))):
            DpmAdaptive(**bad)
