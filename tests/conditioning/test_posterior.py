"""DPS and PiGDM: their gradients through the denoiser against closed forms on a Gaussian."""

import pytest
import torch

from bias import SHAPE, SIZE, TASKS, observed, pictures
from ediffuser.conditioning import Dps, PiGdm
from ediffuser.conditioning.posterior import PiGdmDenoiser, pulled_back
from ediffuser.diffusion.schedules import CosineBetas, SubVariancePreserving, VarianceExploding, alpha_sigma
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ancestral, Ddim, DpmSolver, Langevin, PredictorCorrector, ProbabilityFlow, StepSampler
from ediffuser.tasks import Inpainting, Unconditional
from oracles import ConditionalDenoiser, GaussianDenoiser, GivenNoise, StreamNoise

ROWS = 5
T = torch.linspace(0.1, 1, ROWS, dtype=torch.float64)
every_task = pytest.mark.parametrize("task", TASKS)
every_schedule = pytest.mark.parametrize(
    "schedule", [CosineBetas(), SubVariancePreserving(), VarianceExploding()], ids=lambda schedule: schedule.kind
)


@pytest.fixture
def truth():
    return pictures().mean + 0.5 * StreamNoise(ROWS, 1).normal(SHAPE)


@pytest.fixture
def x_t():
    return StreamNoise(ROWS, 2).normal(SHAPE)


def jacobian(gaussian, t):
    """d E[x_0 | x_t] / d x_t = alpha C (alpha^2 C + sigma^2 I)^-1, symmetric; shape (d, d)."""
    _, noisy = gaussian.marginal(t)
    return gaussian.schedule.alpha(t) * gaussian.covariance @ torch.linalg.inv(noisy)


@every_schedule
def test_the_gradient_through_the_denoiser_is_the_closed_form(schedule, x_t):
    gaussian, v = pictures(schedule), StreamNoise(ROWS, 3).normal(SHAPE)
    with torch.no_grad():
        belief, gradient = pulled_back(gaussian, x_t, T, lambda x0: v)
    wanted = torch.stack([jacobian(gaussian, t) @ row for t, row in zip(T, v.flatten(1), strict=True)])
    assert torch.allclose(gradient.flatten(1), wanted, atol=1e-12)
    assert torch.equal(belief.x0, gaussian(x_t, T).x0)
    assert belief.x_t is x_t
    assert not any(value.requires_grad for value in (belief.x0, gradient, x_t))


@every_schedule
@every_task
def test_pigdm_adds_the_gradient_of_its_gaussian_likelihood_to_the_score(task, schedule, truth, x_t):
    """log N(P y; P x_0(x_t), r^2 P), differentiated by the closed form; eq. 7-8 of the paper."""
    gaussian, observation = pictures(schedule), observed(truth, task)
    with torch.no_grad():
        guided = PiGdmDenoiser(gaussian, observation)(x_t, T)
    plain = gaussian(x_t, T)
    alpha, sigma = alpha_sigma(schedule, T, like=x_t)
    r_squared = sigma**2 / (alpha**2 + sigma**2)
    residual = (observation.known - observation.project(plain.x0)) / r_squared
    wanted = torch.stack([jacobian(gaussian, t) @ row for t, row in zip(T, residual.flatten(1), strict=True)])
    assert torch.allclose(guided.score - plain.score, wanted.reshape(x_t.shape), rtol=1e-9, atol=1e-9)


@every_task
def test_pigdm_is_exact_for_independent_pixels_of_unit_variance(task, truth, x_t):
    """There r_t^2 is the true variance of x_0 given x_t; and for no other variance is it."""
    for variance, exact in ((1.0, True), (0.25, False)):
        gaussian = GaussianDenoiser(pictures().mean, variance * torch.eye(SIZE, dtype=torch.float64), CosineBetas())
        observation = observed(truth, task)
        guided = PiGdmDenoiser(gaussian, observation)(x_t, T).x0
        assert torch.allclose(guided, ConditionalDenoiser(gaussian, observation)(x_t, T).x0, atol=1e-8) == exact


@every_task
def test_dps_moves_a_step_down_the_gradient_of_the_distance_to_what_is_known(task, truth, x_t):
    gaussian, observation = pictures(), observed(truth, task)
    t, s = torch.tensor(0.5), torch.tensor(0.4)

    def distance(x):
        return torch.linalg.vector_norm(observation.known - observation.project(gaussian(x, t).x0), dim=(1, 2, 3))

    gradient = torch.zeros_like(x_t).flatten(1)
    for number, unit in enumerate(torch.eye(SIZE, dtype=torch.float64).reshape(-1, *SHAPE)):
        gradient[:, number] = (distance(x_t + 1e-6 * unit) - distance(x_t - 1e-6 * unit)) / 2e-6
    noise = GivenNoise(StreamNoise(ROWS, 4).normal(SHAPE).flatten(1))
    plain, belief = Ancestral(clip=False).step(gaussian, x_t, t, s, noise)
    _, sampler = Dps(scale=0.3).bind(gaussian, Ancestral(clip=False), observation)
    with torch.no_grad():
        moved, same = sampler.step(gaussian, x_t, t, s, noise)
    assert torch.allclose(plain - moved, 0.3 * gradient.reshape(x_t.shape), atol=1e-8)
    assert torch.equal(same.x0, belief.x0)
    assert isinstance(sampler, StepSampler)


def test_dps_follows_the_predictors_call_not_the_correctors(truth, x_t):
    gaussian, observation = pictures(), observed(truth, "inpainting")
    t, s = torch.tensor(0.5), torch.tensor(0.4)
    noise = GivenNoise(StreamNoise(ROWS, 4).normal(SHAPE).flatten(1))
    steps = PredictorCorrector(corrector=Langevin(), clip=False)
    scale = gaussian.schedule.alpha(t) / gaussian.schedule.alpha(s)
    corrected, _ = steps.corrector.correct(gaussian, x_t, t, scale, noise)
    moves = [
        Dps().bind(gaussian, sampler, observation)[1].step(gaussian, x, t, s, noise)[0]
        - sampler.step(gaussian, x, t, s, noise)[0]
        for sampler, x in ((steps, x_t), (PredictorCorrector(clip=False), corrected))
    ]
    assert torch.allclose(*moves, atol=1e-12)


def test_dps_is_no_score_and_refuses_solvers_without_single_steps(truth):
    for sampler in (ProbabilityFlow(), DpmSolver()):
        with pytest.raises(TypeError, match=f"{sampler.kind} is none; pigdm guides any sampler"):
            Dps().bind(pictures(), sampler, observed(truth, "inpainting"))


@pytest.mark.parametrize("conditioning", [Dps(), PiGdm()], ids=repr)
def test_where_nothing_is_known_nothing_changes(conditioning, x_t):
    for observation in (
        Unconditional().observe(x_t, Noise.rows(0, range(ROWS))),
        Inpainting(hole_channel=False).observe(x_t, Noise.rows(0, range(ROWS)), torch.ones(ROWS, 1, 1, 3)),
    ):
        bound, sampler = conditioning.bind(pictures(), Ddim(steps=5, eta=1), observation)
        *_, guided = sampler.trajectory(bound, x_t, StreamNoise(ROWS, 5))
        *_, plain = Ddim(steps=5, eta=1).trajectory(pictures(), x_t, StreamNoise(ROWS, 5))
        assert torch.equal(guided.x, plain.x)
        assert (guided.calls == 5).all()


@pytest.mark.parametrize(
    "sampler", [Ancestral(steps=50, clip=False), ProbabilityFlow(clip=False), DpmSolver()], ids=repr
)
@every_task
def test_pigdm_comes_close_to_what_is_known_with_every_kind_of_sampler(task, sampler, truth, x_t):
    """Exact it is made by the projection that finishes a picture; `test_untrained.py` shows that for every pair."""
    gaussian, observation = pictures(), observed(truth, task)
    guided, sampler = PiGdm().bind(gaussian, sampler, observation)
    with torch.no_grad():
        *_, last = sampler.trajectory(guided, x_t, StreamNoise(ROWS, 5))
    off = (observation.project(last.x) - observation.known).abs().max()
    assert off < 0.06
    assert off > 0  # close, but not bit for bit


# ------------------------------------------------------------------------------------------------------- networks

PHOTO = (3, 16, 16)


def photo_observation(rows):
    noise = Noise.rows(7, rows)
    return Inpainting().observe(noise.normal(PHOTO).clamp(-1, 1), noise)


@pytest.mark.parametrize("parametrisation", ["eps", "x0", "v"])
def test_gradients_flow_through_frozen_networks_under_no_grad_and_rows_stay_apart(random_denoiser, parametrisation):
    denoiser = random_denoiser(parametrisation=parametrisation)
    x, t = Noise.rows(1, range(3)).normal(PHOTO), torch.tensor(0.5)
    with torch.no_grad():
        whole = PiGdmDenoiser(denoiser, photo_observation(range(3)))(x, t)
        alone = PiGdmDenoiser(denoiser, photo_observation([1]))(x[1:2], t)
    assert (whole.x0 - denoiser(x, t).x0).abs().max() > 0.01
    assert torch.allclose(whole.x0[1:2], alone.x0, atol=1e-4)
    assert not whole.x0.requires_grad
    assert all(parameter.grad is None for parameter in denoiser.network.parameters())


def test_gradients_in_bf16_point_where_those_in_float32_do(random_denoiser):
    x, t, observation = Noise.rows(1, range(2)).normal(PHOTO), torch.tensor(0.5), photo_observation(range(2))

    def move(precision):
        denoiser = random_denoiser(parametrisation="v", precision=precision)
        with torch.no_grad():
            belief, gradient = pulled_back(denoiser, x, t, lambda x0: observation.known - observation.project(x0))
        assert belief.x0.dtype == gradient.dtype == torch.float32
        return gradient.flatten()

    half, single = move(torch.bfloat16), move(torch.float32)
    assert torch.cosine_similarity(half, single, dim=0) > 0.999
    assert not torch.equal(half, single)
