"""DPM-Solver and DPM-Solver++ on data whose flow is known: their order, their ends, their calls."""

from dataclasses import replace
from itertools import pairwise

import pydantic
import pytest
import torch

from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import (
    CosineBetas,
    VariancePreserving,
    alpha_sigma,
)
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Ddim, DpmSolver, DpmSolverPlusPlus, StepSampler
from ediffuser.samplers.grids import first_time, solver_times
from ediffuser.samplers.multistep import step_orders
from ediffuser.samplers.singlestep import orders_of
from flows import SCHEDULES, carried, every_schedule, measured_order
from oracles import GivenNoise, correlated_gaussian, distance, line_mixture, mixture

ONE = torch.tensor(1.0, dtype=torch.float64)
QUIET = GivenNoise(torch.zeros(1))
FREE = {DpmSolver: {}, DpmSolverPlusPlus: {"thresholding": "none"}}
METHODS = [(form, method) for form in FREE for method in ("multistep", "singlestep")]
every_order = pytest.mark.parametrize("order", [1, 2, 3])
every_method = pytest.mark.parametrize(
    ("form", "method"), METHODS, ids=[f"{form.__name__}-{method}" for form, method in METHODS]
)


def exact(form, method, order, **choice):
    """A solver of data that need not stay in [-1, 1]."""
    return form(method=method, order=order, **FREE[form], **choice)


def last(sampler, denoiser, x):
    *_, step = sampler.trajectory(denoiser, x, QUIET)
    return step


def starts(schedule, shape=(4, 3, 1, 1), dtype=torch.float64):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (schedule.sigma(ONE) * x).to(dtype)


class Constant:
    """Believes in one brightness, whatever it is shown."""

    schedule = CosineBetas()

    def __init__(self, brightness):
        self.brightness = brightness

    def __call__(self, x_t, t):
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), torch.full_like(x_t, self.brightness))


# ------------------------------------------------------------------------------------------------ order

TARGETS = {
    **{f"gaussian-{name}": correlated_gaussian(SCHEDULES[name]) for name in ("cosine", "vp", "sub_vp", "ve")},
    **{f"mixture-{name}": line_mixture(SCHEDULES[name]) for name in ("vp", "ve")},
}


@every_order
@every_method
@pytest.mark.parametrize("denoiser", TARGETS.values(), ids=TARGETS.keys())
def test_trap_27_the_measured_order_is_the_declared_one(denoiser, form, method, order):
    """In float64, uniform in log-SNR, to log-SNR 1, against the closed form of the flow; by root mean square.

    The multistep methods start by themselves, at order 1 and 2: where hardly any picture is left nothing bends yet.
    """
    schedule = denoiser.schedule
    end = schedule.time(torch.tensor(1.0, dtype=torch.float64)).item()
    x = starts(schedule, (4, 3, 1, 1) if "mean" in vars(denoiser) else (4, 1, 1, 1))
    wanted = carried(denoiser, x, first_time(schedule), end)
    sampler = exact(form, method, order, t_end=end, denoise=False, lower_order_final=False)
    calls, steps = (order, 30) if method == "singlestep" else (1, 30 if order == 1 else 80)

    def error(count):
        found = last(replace(sampler, steps=calls * count), denoiser, x).x
        return (found - wanted).square().mean().sqrt().item()

    assert abs(measured_order(error, steps) - order) < 0.2


@every_method
@every_schedule
def test_order_1_is_ddim(schedule, form, method):
    gaussian, x = correlated_gaussian(schedule), starts(schedule)
    sampler = exact(form, method, 1, steps=9)
    wanted = x
    times = pairwise(solver_times(schedule, 9))
    for (t, s), step in zip(times, sampler.trajectory(gaussian, x, QUIET), strict=True):
        wanted, _ = Ddim(clip=False).step(gaussian, wanted, t, s, QUIET)
        assert step.t == s
        torch.testing.assert_close(step.x, wanted, atol=1e-10, rtol=1e-10)


# ------------------------------------------------------------------------------------------------ moments


@every_order
@every_method
@every_schedule
def test_the_moments_of_the_data_are_reached(schedule, form, method, order):
    """From the marginal at the grid's start, by unit vectors, since the flow of a Gaussian is affine."""
    gaussian = correlated_gaussian(schedule)
    mean, covariance = gaussian.marginal(torch.tensor(first_time(schedule), dtype=torch.float64))
    factor = torch.linalg.cholesky(covariance)
    x = torch.cat([mean[None], mean + factor.T]).reshape(-1, 3, 1, 1)
    errors = []
    for steps in (10, 40):
        found = last(exact(form, method, order, steps=steps, t_end=2e-3), gaussian, x).x.flatten(1)
        moved = (found[1:] - found[0]).T
        errors.append(distance((found[0], moved @ moved.T), (gaussian.mean.flatten(), gaussian.covariance)))
    print(f"{schedule.kind} {form.__name__} {method} {order}: {errors[0]:.1e} {errors[1]:.1e}")  # noqa: T201
    assert errors[0] < 0.5
    assert errors[1] < (0.08, 0.025, 0.005)[order - 1]
    assert errors[1] < errors[0] / (2, 4, 4)[order - 1]


@pytest.mark.parametrize(
    ("form", "method", "order"), [(DpmSolverPlusPlus, "multistep", 2), (DpmSolver, "singlestep", 3)]
)
@every_schedule
def test_the_moments_of_a_mixture_are_reached(schedule, form, method, order):
    """4,000 starts: every moment within 4.5 standard errors."""
    kinds, rows = mixture(schedule), 4_000
    found = last(exact(form, method, order, steps=40), kinds, starts(schedule, (rows, 3, 1, 1))).x.flatten(1)
    mean, covariance = kinds.moments()
    scale = (torch.diag(covariance) / rows).sqrt()
    assert ((found.mean(0) - mean).abs() < 4.5 * scale + 2e-3).all()
    spread = torch.outer(torch.diag(covariance), torch.diag(covariance)).sqrt() / rows**0.5
    assert ((torch.cov(found.T) - covariance).abs() < 4.5 * 2**0.5 * spread + 2e-3).all()


# ------------------------------------------------------------------------------------------------ calls and ends


@every_order
@every_method
def test_trap_20_a_picture_costs_exactly_the_calls_asked_for_denoising_included(form, method, order):
    class Watched:
        schedule, calls = VariancePreserving(), 0

        def __call__(self, x_t, t):
            self.calls += 1
            return correlated_gaussian(self.schedule)(x_t, t)

    for steps in (1, 2, 3, 4, 5, 6, 7, 8, 16):
        for denoise in (True, False):
            watched = Watched()
            sampler = exact(form, method, order, steps=steps, denoise=denoise)
            found = list(sampler.trajectory(watched, starts(watched.schedule), QUIET))
            assert watched.calls == steps
            assert found[-1].calls.tolist() == [steps] * 4
            assert found[-1].t == (0 if denoise else solver_times(watched.schedule, len(found), denoise=False)[-1])


@every_method
def test_trap_26_the_step_to_0_returns_the_x0_believed_before_it(form, method):
    """There sigma is 0 and lambda infinite: no formula is evaluated, and the pixels are those of the last belief."""
    gaussian = correlated_gaussian(CosineBetas())
    for order in (1, 2, 3):
        *_, before, end = exact(form, method, order, steps=12).trajectory(gaussian, starts(gaussian.schedule), QUIET)
        assert end.t == 0
        assert torch.equal(end.x, gaussian(before.x, before.t).x0)
        assert torch.equal(end.x, end.x0)


def test_trap_26_the_calls_of_a_singlestep_method_are_divided_into_k_steps():
    """K = calls // 3 + 1 at order 3, the rest at the end."""
    paper = {"denoise": False, "lower_order_final": True}
    assert orders_of(12, 3, **paper) == [3, 3, 3, 2, 1]
    assert orders_of(13, 3, **paper) == [3, 3, 3, 3, 1]
    assert orders_of(14, 3, **paper) == [3, 3, 3, 3, 2]
    for calls in range(1, 60):
        assert sum(orders_of(calls, 3, **paper)) == calls
        assert len(orders_of(calls, 3, **paper)) == calls // 3 + 1
    assert orders_of(12, 3, denoise=False, lower_order_final=False) == [3, 3, 3, 3]
    assert orders_of(12, 3, denoise=True, lower_order_final=True) == [3, 3, 3, 2, 1]
    assert orders_of(9, 2, denoise=True, lower_order_final=True) == [2, 2, 2, 2, 1]
    assert orders_of(1, 3, denoise=True, lower_order_final=True) == [1]


def test_trap_26_orders_fall_at_the_end_of_less_than_15_steps():
    """As in diffusers' code and dpm-solver's documentation; dpm-solver's code has 10."""
    assert step_orders(14, 3, lower_order_final=True) == [1, 2, *[3] * 10, 2, 1]
    assert step_orders(15, 3, lower_order_final=True) == [1, 2, *[3] * 13]
    assert step_orders(6, 2, lower_order_final=True) == [1, 2, 2, 2, 2, 1]
    assert step_orders(6, 2, lower_order_final=False) == [1, 2, 2, 2, 2, 2]
    assert step_orders(1, 3, lower_order_final=False) == [1]


# ------------------------------------------------------------------------------------------------ thresholding


def test_trap_26_x0_thresholding_belongs_to_the_data_form_alone():
    x = starts(CosineBetas())
    for choice, wanted in (("none", 1.6), ("clip", 1.0), ("dynamic", 1.0)):
        for method in ("multistep", "singlestep"):
            step = last(DpmSolverPlusPlus(steps=4, method=method, thresholding=choice), Constant(1.6), x)
            assert torch.equal(step.x, torch.full_like(x, wanted))
    for method in ("multistep", "singlestep"):
        assert torch.equal(last(DpmSolver(steps=4, method=method), Constant(1.6), x).x, torch.full_like(x, 1.6))
    with pytest.raises(pydantic.ValidationError, match="thresholding"):
        DpmSolver(thresholding="clip")


def test_trap_6_a_limit_of_1_makes_dynamic_thresholding_a_clip_and_no_limit_does_not():
    class Gradient(Constant):
        def __call__(self, x_t, t):
            x0 = torch.linspace(-3, 3, 192, dtype=x_t.dtype).reshape(1, 3, 8, 8).expand_as(x_t)
            return replace(super().__call__(x_t, t), x0=x0)

    x = starts(CosineBetas(), (2, 3, 8, 8))
    clip, limited, free = (
        last(DpmSolverPlusPlus(steps=5, **choice), Gradient(0.0), x).x
        for choice in ({}, {"thresholding": "dynamic", "limit": 1.0}, {"thresholding": "dynamic"})
    )
    assert torch.equal(clip, limited)
    assert (free - clip).abs().max() > 0.5
    assert free.abs().max() == 1


# ------------------------------------------------------------------------------------------------ contracts


@every_method
def test_nothing_is_drawn_and_the_trajectory_says_where_it_stands(form, method):
    schedule = CosineBetas()
    gaussian, noise = correlated_gaussian(schedule), GivenNoise(torch.zeros(4, 3))
    x = starts(schedule)
    before, steps = x.clone(), list(exact(form, method, 3, steps=12).trajectory(gaussian, x, noise))
    assert noise.draws == 0
    assert torch.equal(x, before)
    times = [first_time(schedule), *(step.t.item() for step in steps)]
    assert all(s < t for t, s in pairwise(times))
    progress = [step.progress for step in steps]
    assert all(a < b for a, b in pairwise([0.0, *progress]))
    assert progress[-1] == 1
    assert all(step.x.shape == step.x0.shape == x.shape for step in steps)


@every_method
def test_a_solver_is_no_markov_kernel_that_could_be_wrapped(form, method):
    assert not isinstance(form(method=method), StepSampler)


@every_method
@every_schedule
def test_single_precision_follows_double(schedule, form, method):
    gaussian, sampler = correlated_gaussian(schedule), exact(form, method, 3, steps=20)
    x = starts(schedule)
    found = last(sampler, gaussian, x.float()).x
    assert found.dtype == torch.float32
    assert (found - last(sampler, gaussian, x).x).abs().max() < 1e-4


def test_an_end_before_the_start_is_refused():
    with pytest.raises(BadInputError, match=r"t_end of 0\.9999"):
        last(DpmSolverPlusPlus(t_end=0.9999), Constant(0.0), starts(CosineBetas()))
