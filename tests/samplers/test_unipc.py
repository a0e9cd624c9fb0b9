from dataclasses import replace

import pydantic
import pytest
import torch

from ediffuser.diffusion.schedules import (
    CosineBetas,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.samplers import DpmSolverPlusPlus, StepSampler, UniPc
from ediffuser.samplers.grids import first_time
from flows import every_schedule
from oracles import GivenNoise, correlated_gaussian, distance, mixture

ONE = torch.tensor(1.0, dtype=torch.float64)
QUIET = GivenNoise(torch.zeros(1))


def last(sampler, denoiser, x):
    *_, step = sampler.trajectory(denoiser, x, QUIET)
    return step


def starts(schedule, rows, dtype=torch.float64):
    x = torch.randn(rows, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (schedule.sigma(ONE) * x).to(dtype)


@pytest.mark.parametrize("form", ["data", "noise"])
@every_schedule
def test_the_moments_of_the_data_are_reached_by_every_order_with_more_steps(schedule, form):
    """From the marginal where the grid starts, by unit vectors, since the flow of a Gaussian is affine.

    What t_end leaves is in the tolerance: sigma^2, 1e-4 at most.
    """
    gaussian = correlated_gaussian(schedule)
    mean, covariance = gaussian.marginal(torch.tensor(first_time(schedule), dtype=torch.float64))
    factor = torch.linalg.cholesky(covariance)
    x = torch.cat([mean[None], mean + factor.T]).reshape(-1, 3, 1, 1)
    for order in (1, 2, 3):
        errors = []
        for steps in (20, 80):
            sampler = UniPc(steps=steps, order=order, form=form, thresholding="none")
            found = last(sampler, gaussian, x).x.flatten(1)
            moved = (found[1:] - found[0]).T
            errors.append(distance((found[0], moved @ moved.T), (gaussian.mean.flatten(), gaussian.covariance)))
        assert errors[0] < 0.12
        assert errors[1] < max(errors[0] / 4, 1e-3)
        assert errors[1] < 8e-3


@pytest.mark.parametrize("schedule", [CosineBetas(), VarianceExploding()], ids=lambda schedule: schedule.kind)
def test_the_moments_of_a_mixture_are_reached_in_twenty_calls(schedule):
    """4,000 starts: every moment within 4.5 standard errors, and a hundredth for what 20 steps are off."""
    kinds, rows = mixture(schedule), 4_000
    found = last(UniPc(thresholding="none"), kinds, starts(schedule, rows)).x.flatten(1)
    mean, covariance = kinds.moments()
    variances = torch.diag(covariance)
    assert ((found.mean(0) - mean).abs() < 4.5 * (variances / rows).sqrt() + 0.01).all()
    spread = torch.outer(variances, variances).sqrt() / rows**0.5
    assert ((torch.cov(found.T) - covariance).abs() < 4.5 * 2**0.5 * spread + 0.01).all()


@pytest.mark.parametrize("corrector", [True, False])
@pytest.mark.parametrize("denoise", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20])
def test_trap_20_a_step_costs_one_call_with_or_without_the_corrector(steps, denoise, corrector):
    kinds = mixture(CosineBetas())
    x = starts(kinds.schedule, 2, torch.float32)
    before, sampler = x.clone(), UniPc(steps=steps, denoise=denoise, corrector=corrector)
    found = list(sampler.trajectory(kinds, x, QUIET))
    assert torch.equal(x, before)
    assert [step.calls.tolist() for step in found] == [[done] * 2 for done in range(1, steps + 1)]
    assert [step.progress for step in found] == [done / steps for done in range(1, steps + 1)]
    assert all(step.x.dtype == torch.float32 and step.x.isfinite().all() for step in found)
    assert (found[-1].t == 0) == denoise


def test_the_corrector_brings_the_flow_nearer_at_the_same_calls():
    kinds, x = mixture(VariancePreserving()), starts(VariancePreserving(), 32)
    fine = last(UniPc(steps=200, thresholding="none", t_end=1e-3), kinds, x).x
    errors = {
        corrector: (last(UniPc(steps=12, corrector=corrector, thresholding="none"), kinds, x).x - fine).square().mean()
        for corrector in (True, False)
    }
    assert errors[True] < 0.5 * errors[False]


def test_without_its_corrector_the_second_order_is_dpm_solver_plus_plus_2m():
    kinds, x = mixture(VariancePreserving()), starts(VariancePreserving(), 8)
    for steps in (5, 20):
        ours = UniPc(steps=steps, order=2, corrector=False, variant="bh2", thresholding="none")
        theirs = DpmSolverPlusPlus(steps=steps, order=2, thresholding="none")
        assert (last(ours, kinds, x).x - last(theirs, kinds, x).x).abs().max() < 1e-10


def test_trap_26_thresholding_belongs_to_the_data_form_alone():
    for kind in ("clip", "dynamic"):
        with pytest.raises(pydantic.ValidationError, match=f"thresholding '{kind}' belongs to the data form"):
            UniPc(form="noise", thresholding=kind)

    class Bright:
        schedule = VariancePreserving()

        def __call__(self, x_t, t):
            return replace(correlated_gaussian(self.schedule)(x_t, t), x0=torch.full_like(x_t, 1.5))

    for choice, wanted in (({}, 1.0), ({"thresholding": "none"}, 1.5), ({"form": "noise"}, 1.5)):
        found = last(UniPc(steps=5, **choice), Bright(), starts(Bright.schedule, 2)).x
        assert torch.allclose(found, torch.full_like(found, wanted))


def test_it_looks_back_and_is_therefore_no_markov_kernel_that_could_be_wrapped():
    assert not isinstance(UniPc(), StepSampler)
