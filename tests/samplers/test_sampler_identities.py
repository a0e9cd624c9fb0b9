from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from ediffuser.diffusion.forward import posterior
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    VarianceExploding,
    VariancePreserving,
    alpha_sigma,
)
from ediffuser.runtime.component import from_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    AncestralStep,
    Ddim,
    DpmAdaptive,
    DpmSolver,
    DpmSolverPlusPlus,
    PredictorCorrector,
    ProbabilityFlow,
    UniPc,
)
from oracles import GivenNoise, correlated_gaussian

SCHEDULES = [LinearBetas(), CosineBetas(), LinearBetas(steps=4000), VariancePreserving()]


class Constant:
    """Believes in one picture, whatever it is shown."""

    def __init__(self, x0, schedule=CosineBetas()):  # noqa: B008
        self.x0, self.schedule = x0, schedule

    def __call__(self, x_t, t):
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), self.x0.to(x_t).expand_as(x_t))


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("steps", [2, 5, 50, 1000])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=["linear", "cosine", "linear4000", "continuous"])
def test_ddim_with_eta_1_is_the_ancestral_sampler_with_fixed_small_variance(schedule, steps, clip):
    ancestral = Ancestral(steps=steps, variance="fixed_small", clip=clip)
    ddim = Ddim(steps=steps, eta=1, clip=clip)
    gaussian = correlated_gaussian(schedule)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(ddim.times(schedule), ancestral.times(schedule))
    x = torch.randn(16, 3, 1, 1, dtype=torch.float64, generator=generator)
    for t, s in list(pairwise(ancestral.times(schedule)))[:: max(1, steps // 25)]:
        z = GivenNoise(torch.randn(16, 3, dtype=torch.float64, generator=generator))
        wanted, _ = ancestral.step(gaussian, x, t, s, z)
        assert (ddim.step(gaussian, x, t, s, z)[0] - wanted).abs().max() < 1e-11
        single = GivenNoise(z.rows.float())
        assert (ddim.step(gaussian, x.float(), t, s, single)[0] - wanted).abs().max() < 3e-6
        x = wanted


def test_clipping_can_keep_the_raw_eps_or_derive_it_anew():
    schedule, t, s = CosineBetas(), torch.tensor(0.5), torch.tensor(0.25)
    x_t = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
    denoiser = Constant(torch.tensor(1.6), schedule)
    alpha_t, sigma_t, alpha_s, sigma_s = (f(u) for u in (t, s) for f in (schedule.alpha, schedule.sigma))
    for choice, x0_of_eps in (("derived", 1.0), ("raw", 1.6)):
        x_s, prediction = Ddim(eps_after_clip=choice).step(denoiser, x_t, t, s, GivenNoise(x_t))
        wanted = alpha_s * 1.0 + sigma_s * (x_t - alpha_t * x0_of_eps) / sigma_t
        assert torch.allclose(x_s, wanted, rtol=1e-14)
        assert prediction.x0.max() == 1


@pytest.mark.parametrize("sampler", [Ancestral(), Ddim()])
def test_without_clipping_a_belief_outside_the_range_is_the_result(sampler):
    denoiser, x = Constant(torch.tensor(1.6)), torch.zeros(1, 3, 2, 2)
    for clip, wanted in ((True, 1.0), (False, 1.6)):
        unclipped = type(sampler)(steps=3, clip=clip)
        *_, last = unclipped.trajectory(denoiser, x, Noise.rows(0, [0]))
        assert torch.allclose(last.x, torch.full_like(x, wanted), atol=1e-6)


@pytest.mark.parametrize(
    ("sampler", "draws"),
    [
        (Ancestral(steps=7, variance="fixed_small"), 6),
        (Ancestral(steps=7, variance="fixed_large"), 6),
        (Ddim(steps=7, eta=0.5), 6),
        (Ddim(steps=7), 0),
        (Ancestral(steps=1), 0),
    ],
)
def test_no_noise_is_drawn_in_the_last_step(sampler, draws):
    noise = GivenNoise(torch.randn(2, 12, generator=torch.Generator().manual_seed(0)))
    x0 = torch.linspace(-1, 1, 12).reshape(1, 3, 2, 2)
    *_, last = sampler.trajectory(Constant(x0), torch.zeros(2, 3, 2, 2), noise)
    assert noise.draws == draws
    assert torch.allclose(last.x, x0.expand_as(last.x), atol=1e-6)


@pytest.mark.parametrize(
    "sampler",
    [
        Ancestral(steps=5),
        Ddim(steps=5),
        Ddim(steps=5, eta=1),
        PredictorCorrector(steps=5, predictor=AncestralStep()),
        ProbabilityFlow(solver="heun", steps=5),
        DpmSolver(steps=5),
        DpmSolverPlusPlus(steps=5),
        UniPc(steps=5),
        DpmAdaptive(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("schedule", [*SCHEDULES, VarianceExploding()], ids=lambda schedule: repr(schedule)[:20])
def test_the_last_step_leads_to_alpha_bar_1_where_a_right_belief_is_the_result(schedule, sampler):
    """Trap 2: with the alpha-bar of the first index in its place a part of the noise would be left."""
    x0 = torch.linspace(-0.9, 0.9, 12, dtype=torch.float64).reshape(1, 3, 2, 2)
    x = schedule.sigma(torch.tensor(1.0)) * torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    *_, last = sampler.trajectory(Constant(x0, schedule), x.double(), Noise.rows(0, [0]))
    assert last.t.max() == 0
    assert (last.x - x0).abs().max() < 1e-12


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_the_noise_of_an_ancestral_step_has_the_variance_of_the_paper(variance):
    schedule, i = LinearBetas(), 400
    t, s = torch.tensor(i / 1000, dtype=torch.float64), torch.tensor((i - 1) / 1000, dtype=torch.float64)
    x, unit = torch.zeros(1, 3, 1, 1, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    sampler, denoiser = Ancestral(variance=variance), Constant(torch.tensor(0.0), schedule)
    gain = (
        sampler.step(denoiser, x, t, s, GivenNoise(unit))[0] - sampler.step(denoiser, x, t, s, GivenNoise(0 * unit))[0]
    )
    betas = schedule.betas()
    alpha_bar = (1 - betas).cumprod(0)
    small = (1 - alpha_bar[i - 2]) / (1 - alpha_bar[i - 1]) * betas[i - 1]  # Ho et al. 2020, eq. 7
    wanted = small if variance == "fixed_small" else betas[i - 1]
    assert gain.square().flatten() == pytest.approx([wanted.item()] * 3, rel=1e-10)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["linear", "cosine", "linear4000", "continuous"])
def test_a_deterministic_step_keeps_picture_and_noise_apart(schedule):
    """If the belief is right, DDIM lands on alpha_s x_0 + sigma_s eps with the very eps that x_t was made with."""
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64, generator=generator).unbind(0)
    for t, s in pairwise(Ddim(steps=10).times(schedule)):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = (alpha_sigma(schedule, u, like=x0) for u in (t, s))
        x_s, _ = Ddim(clip=False).step(Constant(x0, schedule), alpha_t * x0 + sigma_t * eps, t, s, GivenNoise(eps))
        assert torch.allclose(x_s, alpha_s * x0 + sigma_s * eps, atol=1e-11)


@pytest.mark.parametrize("sampler", [Ancestral(steps=12), Ddim(steps=12), Ddim(steps=12, eta=1)])
def test_a_trajectory_reports_where_it_stands(sampler):
    gaussian = correlated_gaussian(CosineBetas())
    noise = Noise.rows(0, range(5))
    start = noise.normal((3, 1, 1))
    before = start.clone()
    steps = list(sampler.trajectory(gaussian, start, noise))
    assert torch.equal(start, before)  # the caller's own
    assert [step.calls.tolist() for step in steps] == [[done] * 5 for done in range(1, 13)]
    progress = [step.progress for step in steps]
    assert progress[-1] == 1
    assert all(a < b for a, b in pairwise([0.0, *progress]))
    assert [step.t.item() for step in steps] == sampler.times(gaussian.schedule)[1:].tolist()
    assert all(step.x.shape == step.x0.shape == start.shape for step in steps)
    assert torch.allclose(steps[-1].x, steps[-1].x0, atol=1e-6)


def test_the_mean_of_an_ancestral_step_is_the_posteriors():
    schedule, t, s = CosineBetas(), torch.tensor(0.7), torch.tensor(0.4)
    x_t, x0 = torch.randn(2, 1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).clamp(-1, 1).unbind(0)
    found, _ = Ancestral().step(Constant(x0, schedule), x_t, t, s, GivenNoise(torch.zeros(1, 12)))
    assert torch.equal(found, posterior(schedule, x0, x_t, t, s)[0])


# ------------------------------------------------------------------------------------------------ learned variance


class WithFraction:
    """A denoiser that says where the reverse variance lies."""

    def __init__(self, denoiser, fraction):
        self.denoiser, self.fraction, self.schedule = denoiser, fraction, denoiser.schedule

    def __call__(self, x_t, t):
        return replace(self.denoiser(x_t, t), variance_fraction=self.fraction.to(x_t).expand_as(x_t))


FRACTIONS = torch.tensor([-0.1, 0.3, 1.2], dtype=torch.float64).reshape(3, 1, 1)


@pytest.mark.parametrize("steps", [7, 50, 1000])
@pytest.mark.parametrize("schedule", SCHEDULES[:3], ids=["linear", "cosine", "linear4000"])
def test_a_learned_variance_lies_between_the_bounds_of_the_pair_of_times_of_the_step(schedule, steps):
    """exp(v log beta + (1 - v) log beta-tilde), both by hand from alpha-bar at t and s (errata of Eq. 5.1)."""
    learned = Ancestral(steps=steps, variance="learned", clip=False)
    denoiser, alpha_bar = (
        WithFraction(Constant(torch.tensor(0.0), schedule), FRACTIONS),
        (1 - schedule.betas()).cumprod(0),
    )
    x, unit = torch.zeros(1, 3, 1, 1, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)
    grid = learned.times(schedule)
    for t, s in list(pairwise(grid))[: -1 : max(1, steps // 7)]:
        at_t, at_s = (alpha_bar[round(u.item() * schedule.steps) - 1] for u in (t, s))
        beta = 1 - at_t / at_s
        beta_tilde = (1 - at_s) / (1 - at_t) * beta
        wanted = torch.exp(FRACTIONS.flatten() * beta.log() + (1 - FRACTIONS.flatten()) * beta_tilde.log())
        variance = learned.step(denoiser, x, t, s, GivenNoise(unit))[0].square().flatten()
        assert torch.allclose(variance, wanted, rtol=1e-8)


def test_the_learned_variance_is_used_where_there_is_one_and_fixed_large_elsewhere():
    without = Constant(torch.tensor(0.1))
    within, x = WithFraction(without, FRACTIONS), torch.zeros(1, 3, 1, 1, dtype=torch.float64)
    t, s, z = torch.tensor(0.5), torch.tensor(0.4), GivenNoise(torch.ones(1, 3, dtype=torch.float64))

    def drawn(denoiser, **choice):
        return Ancestral(**choice).step(denoiser, x, t, s, z)[0]

    assert torch.equal(drawn(within), drawn(within, variance="learned"))
    assert torch.equal(drawn(without), drawn(without, variance="fixed_large"))
    for fixed in ("fixed_large", "fixed_small"):  # a model that learns its variance need not use it
        assert torch.equal(drawn(within, variance=fixed), drawn(without, variance=fixed))
    assert len({drawn(within, variance=kind).sum().item() for kind in ("learned", "fixed_large", "fixed_small")}) == 3


@pytest.mark.parametrize("steps", [1, 5])
def test_a_learned_variance_of_a_model_that_learns_none_is_refused(steps):
    sampler = Ancestral(steps=steps, variance="learned")
    with pytest.raises(BadInputError, match=r'^variance "learned" needs a model that predicts its variance, and this'):
        next(sampler.trajectory(Constant(torch.tensor(0.0)), torch.zeros(1, 3, 1, 1), Noise.rows(0, [0])))


def test_a_sampler_saved_with_a_fixed_variance_keeps_it():
    assert from_json('{"kind": "ancestral", "variance": "fixed_large"}', Ancestral).variance == "fixed_large"
    assert from_json('{"kind": "ancestral"}', Ancestral).variance == "auto"


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_trap_5_ddim_takes_six_channel_models_and_ignores_their_variance(random_denoiser, eta):
    learned = random_denoiser(learned_variance=True)
    plain = replace(learned, network=lambda x, t: learned.network(x, t)[:, :3], learned_variance=False)
    results = []
    for denoiser in (learned, plain):
        noise = Noise.rows(0, range(2))
        *_, last = Ddim(steps=5, eta=eta).trajectory(denoiser, noise.normal((3, 16, 16)), noise)
        results.append(last.x)
    assert torch.equal(*results)
    assert results[0].shape == (2, 3, 16, 16)
