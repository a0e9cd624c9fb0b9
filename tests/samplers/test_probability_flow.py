"""The probability flow of a Gaussian and of a mixture is known: every solver must follow it."""

from dataclasses import replace

import numpy as np
import pydantic
import pytest
import torch
from scipy.integrate import solve_ivp

from ediffuser.diffusion.dynamics import clock, clock_time, clock_velocity
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import ProbabilityFlow
from flows import carried
from oracles import GivenNoise, correlated_gaussian, distance, line_mixture, mixture

CONTINUOUS = [VariancePreserving(), SubVariancePreserving(), VarianceExploding()]
ALL = [LinearBetas(), CosineBetas(), LinearBetas(steps=4000), *CONTINUOUS]
ONE = torch.tensor(1.0, dtype=torch.float64)
QUIET = GivenNoise(torch.zeros(1))
every_schedule = pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: schedule.kind)


def exact(**choice) -> ProbabilityFlow:
    """The flow of data that need not stay in [-1, 1]."""
    return ProbabilityFlow(clip=False, **choice)


def last(sampler, denoiser, x):
    *_, step = sampler.trajectory(denoiser, x, QUIET)
    return step


def starts(schedule, rows=5, dtype=torch.float64):
    x = torch.randn(rows, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (schedule.sigma(ONE) * x).to(dtype)


@pytest.mark.parametrize("solver", ["rk23", "rk45", "dop853"])
@every_schedule
def test_adaptive_solvers_meet_their_tolerance_on_the_gaussian(schedule, solver):
    gaussian, x = correlated_gaussian(schedule), starts(schedule)
    for tolerance in (1e-3, 1e-5):
        sampler = exact(solver=solver, tolerance=tolerance, t_end=0.05, denoise=False)
        error = (last(sampler, gaussian, x).x - carried(gaussian, x, 1.0, 0.05)).abs().max()
        assert error < 20 * tolerance  # local errors add up


@pytest.mark.parametrize("solver", ["rk45", "heun"])
@every_schedule
def test_the_flow_of_a_mixture_keeps_every_quantile(schedule, solver):
    """In one dimension the flow is monotone: F_t(x(t)) is the same at all times."""
    humps, end = line_mixture(schedule), torch.tensor(0.02, dtype=torch.float64)
    x = float(schedule.sigma(ONE)) * torch.linspace(-2.5, 2.5, 21, dtype=torch.float64).reshape(-1, 1, 1, 1)
    before, errors = humps.cumulative(x, ONE), []
    for effort in (0, 1):
        choice = {"tolerance": (1e-3, 1e-5)[effort]} if solver == "rk45" else {"steps": (60, 120)[effort]}
        sampler = exact(solver=solver, t_end=0.02, denoise=False, **choice)
        after = humps.cumulative(last(sampler, humps, x).x, end)
        errors.append((after - before).abs().max().item())
    assert errors[0] < 0.05
    assert errors[1] < 0.4 * errors[0]


@every_schedule
def test_the_moments_of_the_data_are_reached(schedule):
    """From the marginal at t = 1, by unit vectors, since the flow of a Gaussian is affine."""
    gaussian = correlated_gaussian(schedule)
    mean, covariance = gaussian.marginal(ONE)
    factor = torch.linalg.cholesky(covariance)
    x = torch.cat([mean[None], mean + factor.T]).reshape(-1, 3, 1, 1)
    errors = []
    for tolerance in (1e-3, 1e-5):
        found = last(exact(tolerance=tolerance), gaussian, x).x.flatten(1)
        moved = (found[1:] - found[0]).T
        errors.append(distance((found[0], moved @ moved.T), (gaussian.mean.flatten(), gaussian.covariance)))
    assert errors[0] < 0.01
    assert errors[1] < 2e-3  # what t_end = 1e-3 leaves, about sigma^2


@every_schedule
def test_the_moments_of_a_mixture_are_reached(schedule):
    """4,000 starts: every moment within 4.5 standard errors."""
    kinds, rows = mixture(schedule), 4_000
    x = starts(schedule, rows)
    found = last(exact(solver="rk23"), kinds, x).x.flatten(1)
    mean, covariance = kinds.moments()
    scale = (torch.diag(covariance) / rows).sqrt()
    assert ((found.mean(0) - mean).abs() < 4.5 * scale + 2e-3).all()
    spread = torch.outer(torch.diag(covariance), torch.diag(covariance)).sqrt() / rows**0.5
    assert ((torch.cov(found.T) - covariance).abs() < 4.5 * 2**0.5 * spread + 2e-3).all()


@pytest.mark.reference
@pytest.mark.parametrize("solver", ["rk23", "rk45", "dop853"])
@pytest.mark.parametrize("schedule", [CosineBetas(), SubVariancePreserving()], ids=lambda schedule: schedule.kind)
def test_trap_20_calls_are_those_that_scipy_counts_and_one_for_the_denoising(schedule, solver):
    kinds, x = mixture(schedule), starts(schedule, 2)
    sampler = exact(solver=solver, tolerance=1e-4, t_end=1e-3, denoise=False)
    found, denoised = last(sampler, kinds, x), last(replace(sampler, denoise=True), kinds, x)
    assert torch.equal(denoised.calls, found.calls + 1)
    assert torch.equal(denoised.x, kinds(found.x, torch.tensor(1e-3, dtype=torch.float64)).x0)
    for row, start in enumerate(x):

        def velocity(u, y):
            time = clock_time(schedule, torch.tensor([u], dtype=torch.float64))
            return clock_velocity(schedule, kinds(torch.from_numpy(y).reshape(1, 3, 1, 1), time), time).flatten()

        ends = clock(schedule, torch.tensor([1, 1e-3], dtype=torch.float64)).tolist()
        wanted = solve_ivp(velocity, ends, start.flatten(), method=solver.upper(), rtol=1e-4, atol=1e-4)
        assert np.abs(found.x[row].flatten().numpy() - wanted.y[:, -1]).max() < 1e-6
        assert abs(found.calls[row] - wanted.nfev) <= {"rk23": 3, "rk45": 6, "dop853": 12}[solver]


def test_trap_19_a_picture_does_not_depend_on_its_batch():
    kinds, x = mixture(VariancePreserving()), starts(VariancePreserving(), 4)
    whole = last(exact(), kinds, x)
    assert len(set(whole.calls.tolist())) > 1
    for rows in ([0], [2, 1], [3, 0, 2]):
        part = last(exact(), kinds, x[rows])
        assert (part.x - whole.x[rows]).abs().max() < 1e-10
        assert torch.equal(part.calls, whole.calls[rows])


def test_trap_24_a_single_precision_network_inside_a_double_precision_solver():
    kinds, x = mixture(VariancePreserving()), starts(VariancePreserving(), 4)
    sampler = exact(tolerance=1e-5)
    double, single = last(sampler, kinds, x), last(sampler, kinds, x.float())
    assert single.x.dtype == torch.float32
    assert (single.x - double.x).abs().max() < 1e-4
    assert (single.calls <= 1.25 * double.calls).all()


def test_a_network_that_breaks_down_is_an_error_that_says_where():
    class Broken:
        schedule = VariancePreserving()

        def __call__(self, x_t, t):
            prediction = mixture(self.schedule)(x_t, t)
            return replace(prediction, x0=torch.where(t.reshape(-1, 1, 1, 1) < 0.5, torch.nan, prediction.x0))

    with pytest.raises(BadInputError, match=r"cannot be followed, row \d at t = 0\.5.*: the network's output"):
        last(exact(), Broken(), starts(Broken.schedule))


@pytest.mark.parametrize("sampler", [exact(), exact(denoise=False), exact(solver="heun")])
def test_a_trajectory_reports_where_it_stands(sampler):
    kinds = mixture(VarianceExploding())
    x = starts(kinds.schedule, 4, torch.float32)
    before, steps = x.clone(), list(sampler.trajectory(kinds, x, QUIET))
    assert torch.equal(x, before)
    progress = [step.progress for step in steps]
    assert progress[0] > 0
    assert sorted(progress) == progress
    assert progress[-1] == 1
    assert progress.count(1.0) == 1
    assert steps[-1].t.tolist() == [0.0 if sampler.denoise else 1e-5] * 4
    assert all(step.x.shape == step.x0.shape == x.shape and step.x.dtype == x.dtype for step in steps)
    assert steps[-1].x.abs().max() < 3


@pytest.mark.parametrize(("solver", "calls"), [("euler", 7), ("heun", 14)])
def test_fixed_grids_take_the_calls_they_are_given(solver, calls):
    gaussian = correlated_gaussian(CosineBetas())
    for spacing in ("quadratic", "time", "log_snr"):
        sampler = exact(solver=solver, steps=7, spacing=spacing)
        assert last(sampler, gaussian, starts(gaussian.schedule)).calls.tolist() == [calls + 1] * 5


def test_trap_17_the_solver_stops_where_the_process_permits():
    class Watched:
        schedule, times = VariancePreserving(), []

        def __call__(self, x_t, t):
            self.times.append(t.min().item())
            return correlated_gaussian(self.schedule)(x_t, t)

    for schedule, wanted in ((VariancePreserving(), 1e-3), (VarianceExploding(), 1e-5), (CosineBetas(steps=50), 0.02)):
        watched = Watched()
        watched.schedule, watched.times = schedule, []
        last(exact(), watched, starts(schedule))
        assert min(watched.times) == pytest.approx(wanted, rel=1e-12)


def test_clipping_is_a_choice():
    class Bright:
        schedule = VariancePreserving()

        def __call__(self, x_t, t):
            return replace(correlated_gaussian(self.schedule)(x_t, t), x0=torch.full_like(x_t, 1.5))

    for clip, wanted in ((False, 1.5), (True, 1.0)):
        found = last(ProbabilityFlow(solver="euler", clip=clip), Bright(), starts(Bright.schedule)).x
        assert torch.equal(found, torch.full_like(found, wanted))


def test_adaptive_solvers_choose_their_own_steps():
    with pytest.raises(pydantic.ValidationError, match="rk45 chooses its steps itself: set tolerance"):
        ProbabilityFlow(steps=20)
