from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from ediffuser.diffusion.forward import transition
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    AncestralStep,
    EulerMaruyama,
    Langevin,
    NoCorrector,
    PredictorCorrector,
    ReverseDiffusion,
)
from oracles import (
    GaussianMixtureDenoiser,
    GivenNoise,
    StreamNoise,
    copies,
    correlated_gaussian,
    distance,
    mixture,
    propagated,
)

SHAPE = (3, 1, 1)
ONE = torch.tensor(1.0, dtype=torch.float64)
TABLES = [LinearBetas(), CosineBetas(), LinearBetas(steps=4000)]
SCHEDULES = [*TABLES, VariancePreserving(), SubVariancePreserving(), VarianceExploding()]
PREDICTORS = [EulerMaruyama(), ReverseDiffusion(), AncestralStep(), AncestralStep(variance="fixed_large")]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)
every_predictor = pytest.mark.parametrize("predictor", PREDICTORS, ids=repr)


def standard(rows=8, seed=0):
    return torch.randn(rows, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@every_predictor
@every_schedule
def test_the_moments_of_the_data_are_reached_in_proportion_to_the_steps(schedule, predictor):
    gaussian = correlated_gaussian(schedule)
    start, wanted = gaussian.marginal(ONE), (gaussian.mean.flatten(), gaussian.covariance)
    errors = [
        distance(
            propagated(PredictorCorrector(predictor=predictor, steps=n, clip=False), gaussian, start, SHAPE), wanted
        )
        for n in (100, 200)
    ]
    assert errors[1] < 0.75 * errors[0]
    assert errors[1] < 0.12


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@every_schedule
def test_the_ancestral_step_is_the_ancestral_sampler(schedule, variance):
    gaussian, z = correlated_gaussian(schedule), GivenNoise(standard(seed=1))
    steps = PredictorCorrector(predictor=AncestralStep(variance=variance), steps=10)
    ancestral, x = Ancestral(variance=variance, steps=10), standard()
    for t, s in pairwise(steps.times(schedule)):
        wanted, _ = ancestral.step(gaussian, x, t, s, z)
        assert torch.allclose(steps.step(gaussian, x, t, s, z)[0], wanted, atol=1e-12)
        x = wanted


def test_the_kernels_are_the_formulas_of_song_et_al():
    """VP in its discrete form: f = (sqrt(1 - beta) - 1) x, G = sqrt(beta); VE: G^2 = sigma_t^2 - sigma_s^2."""
    vp, x, t, s = LinearBetas(), standard(), torch.tensor(0.4), torch.tensor(0.399)
    beta, prediction = vp.betas()[399], correlated_gaussian(vp)(x, t)
    mean, deviation = ReverseDiffusion().kernel(vp, prediction, t, s)
    assert torch.allclose(mean, (2 - (1 - beta).sqrt()) * x + beta * prediction.score, rtol=1e-6)
    assert deviation.item() == pytest.approx(beta.sqrt().item(), rel=1e-5)
    mean, _ = AncestralStep().kernel(vp, prediction, t, s)
    assert torch.allclose(mean, (x + beta * prediction.score) / (1 - beta).sqrt(), rtol=1e-6)
    mean, deviation = EulerMaruyama().kernel(vp, prediction, t.double(), s.double())
    assert torch.allclose(mean, x + beta * (x / 2 + prediction.score), atol=1e-2 * beta.item())
    assert deviation.item() == pytest.approx(beta.sqrt().item(), rel=1e-2)

    ve, t, s = VarianceExploding(), torch.tensor(0.4), torch.tensor(0.39)
    gain, prediction = ve.sigma(t) ** 2 - ve.sigma(s) ** 2, correlated_gaussian(ve)(x, t)
    mean, deviation = ReverseDiffusion().kernel(ve, prediction, t, s)
    assert torch.allclose(mean, x + gain * prediction.score, rtol=1e-9)
    assert deviation.item() ** 2 == pytest.approx(gain.item(), rel=1e-9)
    mean, deviation = AncestralStep().kernel(ve, prediction, t, s)
    assert torch.allclose(mean, x + gain * prediction.score, rtol=1e-9)
    assert deviation.item() ** 2 == pytest.approx((ve.sigma(s) ** 2 * gain / ve.sigma(t) ** 2).item(), rel=1e-9)


@pytest.mark.parametrize("corrections", [0, 1, 3])
@every_predictor
def test_trap_20_calls_are_steps_times_one_more_than_the_corrections(predictor, corrections):
    gaussian = correlated_gaussian(VariancePreserving())
    corrector = Langevin(steps=corrections) if corrections else NoCorrector()
    sampler = PredictorCorrector(predictor=predictor, corrector=corrector, steps=6)
    steps = list(sampler.trajectory(gaussian, standard(), StreamNoise(8)))
    assert [step.calls.tolist() for step in steps] == [[k * (corrections + 1)] * 8 for k in range(1, 7)]
    assert steps[-1].progress == 1


@every_predictor
def test_trap_21_the_last_step_returns_its_mean(predictor):
    schedule = VariancePreserving()
    gaussian, x, t, s = correlated_gaussian(schedule), standard(), torch.tensor(0.01), torch.tensor(0.0)
    sampler, noise = PredictorCorrector(predictor=predictor, clip=False), GivenNoise(standard(seed=1))
    found, prediction = sampler.step(gaussian, x, t, s, noise)
    mean, deviation = predictor.kernel(schedule, prediction, t, s)
    assert torch.equal(found, mean)
    assert noise.draws == 0
    noisy, _ = replace(sampler, denoise=False).step(gaussian, x, t, s, noise)
    assert torch.equal(noisy, mean + deviation * noise.rows)


@every_schedule
def test_trap_22_the_corrector_has_its_scale_on_every_schedule(schedule):
    """The step is 2 alpha (snr |z| / |score|)^2, alpha = 1 - beta of the step; sub-VP has none in the paper's code."""
    gaussian, t, s = correlated_gaussian(schedule), torch.tensor(0.5), torch.tensor(0.49)
    x, noise = standard(), GivenNoise(standard(seed=1))
    scale, _ = transition(schedule, t, s, like=x)
    alpha = 1.0 if schedule.kind == "ve" else ((schedule.alpha(t) / schedule.alpha(s)) ** 2).item()
    found, mean = Langevin(snr=0.2).correct(gaussian, x, t, scale, noise)
    score, z = gaussian(x, t).score, noise.rows
    lengths = [value.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) for value in (z, score)]
    size = 2 * alpha * (0.2 * lengths[0] / lengths[1]) ** 2
    assert torch.allclose(mean, x + size * score)
    assert torch.allclose(found, mean + (2 * size).sqrt() * z)


@pytest.mark.parametrize("norm", ["sample", "batch"])
def test_trap_23_lengths_of_each_picture_keep_pictures_independent_and_means_of_the_batch_do_not(norm):
    gaussian, start = correlated_gaussian(VariancePreserving()), standard(4)
    sampler = PredictorCorrector(corrector=Langevin(norm=norm), steps=5)

    def made(rows):
        *_, last = sampler.trajectory(gaussian, start[rows], Noise.rows(0, rows))
        return last.x

    difference = (made([0, 1, 2, 3])[1:2] - made([1])).abs().max()
    assert difference < 1e-9 if norm == "sample" else difference > 1e-4


def pixels(x):
    """Mean and covariance of all pixels, shape (3,) and (3, 3)."""
    values = x.movedim(1, 0).flatten(1)
    return values.mean(1), torch.cov(values)


@pytest.mark.parametrize("norm", ["sample", "batch"])
def test_the_corrector_brings_samples_to_the_marginal(norm):
    """From white noise, 400 pictures of 16 pixels: lengths of the score vary little only where numbers are many."""
    single, t = correlated_gaussian(VariancePreserving()), torch.tensor(0.2)
    x, noise = StreamNoise(400, seed=0).normal((3, 4, 4)), StreamNoise(400, seed=1)
    corrector = Langevin(snr=0.25, steps=60, norm=norm)
    moved, _ = corrector.correct(copies(single, 4), x, t, 1.0, noise)
    assert distance(pixels(x), single.marginal(t)) > 0.4
    assert distance(pixels(moved), single.marginal(t)) < 0.1


@pytest.mark.parametrize("corrector", [NoCorrector(), Langevin(snr=0.1)], ids=lambda corrector: corrector.kind)
@pytest.mark.parametrize("predictor", PREDICTORS[:3], ids=lambda predictor: predictor.kind)
def test_the_moments_of_a_mixture_are_reached(predictor, corrector):
    """1,000 draws of 16 pixels: moments within 5 standard errors of the kinds' shares, and what 100 steps are off."""
    kinds, rows = mixture(VariancePreserving()), 1000
    larger = GaussianMixtureDenoiser(kinds.weights.tolist(), [copies(part, 4) for part in kinds.parts])
    sampler = PredictorCorrector(predictor=predictor, corrector=corrector, steps=100, clip=False)
    start = StreamNoise(rows, seed=0).normal((3, 4, 4))
    *_, last = sampler.trajectory(larger, start, StreamNoise(rows, seed=1))
    mean, covariance = kinds.moments()
    found = pixels(last.x)
    assert ((found[0] - mean).abs() < 5 * (torch.diag(covariance) / rows).sqrt() + 0.02).all()
    assert (found[1] - covariance).abs().max() < 0.06


def test_with_a_thousand_steps_the_times_are_the_published_ones():
    times = PredictorCorrector().times(VariancePreserving())
    assert torch.allclose(times[:-1], torch.linspace(1, 1e-3, 1000, dtype=torch.float64))
    assert times[-1] == 0
