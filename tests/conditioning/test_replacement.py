"""The mathematics of replacement, RePaint and null space: noise levels, kernels, jumps and identities."""

from itertools import pairwise

import pytest
import torch
from torch.nn.functional import conv2d

from ediffuser.conditioning import NullSpace, RePaint, Replacement
from ediffuser.conditioning.null_space import NullSpaceDenoiser
from ediffuser.conditioning.repaint import noised_on
from ediffuser.diffusion.forward import posterior
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
    alpha_sigma,
)
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ancestral, Ddim, PredictorCorrector, ProbabilityFlow
from ediffuser.tasks import Colorization, Inpainting
from oracles import GivenNoise, StreamNoise

SCHEDULES = [LinearBetas(), CosineBetas(), VariancePreserving(), SubVariancePreserving(), VarianceExploding()]
STEPPING = [Ancestral(steps=6), Ancestral(steps=6, variance="fixed_small"), Ddim(steps=6), Ddim(steps=6, eta=0.7)]
STEPPING += [PredictorCorrector(steps=6), PredictorCorrector(steps=6, denoise=False)]
TASKS = [Inpainting(), Colorization()]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)
every_stepping = pytest.mark.parametrize("sampler", STEPPING, ids=repr)
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)

ROWS, SHAPE = 200, (3, 4, 4)


class Mixing:
    """Believes in something bounded that mixes pixels and channels; it is no denoiser of anything."""

    def __init__(self, schedule):
        self.schedule = schedule
        self.mix = torch.randn(3, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) / 3

    def __call__(self, x_t, t):
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        believed = torch.tanh(conv2d(x_t / (alpha**2 + sigma**2).sqrt(), self.mix.to(x_t), padding=1))
        return Prediction(x_t, alpha, sigma, believed)


def pictures(rows=ROWS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(rows, *SHAPE, dtype=torch.float64, generator=generator) - 1


def observation_of(task, x0):
    hole = torch.zeros(len(x0), 1, *x0.shape[2:])
    hole[:, :, 1:3, :2] = 1
    return task.observe(x0, Noise.rows(0, range(len(x0))), hole)


def steps_of(conditioning, sampler, schedule, observation, seed=100):
    """The trajectory from pure noise in float64."""
    noise = StreamNoise(len(observation.known), seed)
    denoiser, bound = conditioning.bind(Mixing(schedule), sampler, observation)
    sigma = schedule.sigma(torch.tensor(1.0))
    return list(bound.trajectory(denoiser, sigma * noise.normal(SHAPE), noise))


# ------------------------------------------------------------------------------------------------ noise levels

REPLACING = [
    Replacement(),
    Replacement(known_noise="kept"),
    RePaint(jump_length=2, passes=2),
    RePaint(jump_length=1, passes=3, resample_finished=True),
]


@every_task
@pytest.mark.parametrize("conditioning", REPLACING, ids=str)
@pytest.mark.parametrize("sampler", [Ancestral(steps=6), PredictorCorrector(steps=6)], ids=lambda one: one.kind)
@pytest.mark.parametrize("schedule", SCHEDULES[::2], ids=lambda schedule: schedule.kind)
def test_the_known_part_has_the_noise_level_of_the_state_that_it_is_put_into(schedule, sampler, conditioning, task):
    """Trap 28: at every step, up or down, P (x_t - alpha_t x_0) / sigma_t is standard normal noise on P's range."""
    observation = observation_of(task, pictures())
    rank = 36 if isinstance(task, Inpainting) else 16  # of P: 12 of 16 pixels in three channels, or 16 lumas
    numbers = ROWS * rank
    for step in steps_of(conditioning, sampler, schedule, observation):
        alpha, sigma = alpha_sigma(schedule, step.t, like=step.x)
        rest = observation.project(step.x) - alpha * observation.known
        if step.t == 0:
            assert rest.abs().max() < 1e-14
            continue
        eps = rest / sigma
        assert eps.square().sum().item() / numbers == pytest.approx(1, abs=5 * (2 / numbers) ** 0.5)
        assert eps.mean().item() == pytest.approx(0, abs=5 * ROWS**-0.5 / 4)
        on_picture = (eps * observation.known).sum() / observation.known.norm()
        assert on_picture.abs() < 5  # standard normal: no part of the picture is left in it


@every_task
@every_stepping
def test_fresh_noise_is_independent_of_the_step_before_and_kept_noise_is_the_same(sampler, task):
    observation = observation_of(task, pictures())

    def noises(known_noise):
        steps = steps_of(Replacement(known_noise=known_noise), sampler, CosineBetas(), observation)
        for step in steps[:-1]:
            alpha, sigma = alpha_sigma(CosineBetas(), step.t, like=step.x)
            yield ((observation.project(step.x) - alpha * observation.known) / sigma).flatten()

    for one, other in pairwise(noises("fresh")):
        assert abs(torch.nn.functional.cosine_similarity(one, other, dim=0)) < 0.05
    for one, other in pairwise(noises("kept")):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


@every_task
@pytest.mark.parametrize("conditioning", REPLACING, ids=str)
@every_stepping
def test_the_truth_is_put_back_at_the_end_by_the_sampler_itself(sampler, conditioning, task):
    """Trap 29: the published RePaint returns the known part as the network left it."""
    observation = observation_of(task, pictures(8))
    last = steps_of(conditioning, sampler, CosineBetas(), observation)[-1]
    assert last.t == 0
    assert (observation.project(last.x) - observation.known).abs().max() < 1e-15
    if isinstance(task, Inpainting):
        outside = observation.weight.expand_as(last.x) == 0
        assert torch.equal(last.x[outside], observation.known[outside])


@every_stepping
@every_schedule
def test_what_is_not_known_is_what_the_wrapped_step_makes_it(schedule, sampler):
    x0, z = pictures(5), torch.randn(5, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    observation, denoiser = observation_of(Inpainting(), x0), Mixing(schedule)
    _, bound = Replacement().bind(denoiser, sampler, observation)
    assert torch.equal(bound.times(schedule), sampler.times(schedule))
    t, s = bound.times(schedule)[2:4]
    x_t = schedule.sigma(t) * pictures(5, seed=2)
    expected, believed = sampler.step(denoiser, x_t, t, s, GivenNoise(z))
    x_s, prediction = bound.step(denoiser, x_t, t, s, GivenNoise(z))
    inside = observation.weight.expand_as(x_s) == 1
    assert torch.equal(x_s[inside], expected[inside])
    assert torch.equal(prediction.x0, believed.x0)
    assert not torch.equal(x_s[~inside], expected[~inside])


# ------------------------------------------------------------------------------------------------ jumps


def test_repaint_makes_4570_transitions_and_2410_calls_at_the_published_settings():
    """Trap 30."""
    observation = observation_of(Inpainting(), pictures(1))
    steps = steps_of(RePaint(), Ddim(steps=250), VariancePreserving(), observation)
    assert len(steps) == 4570
    assert steps[-1].calls.tolist() == [2410]
    assert [step.progress for step in steps] == [done / 4570 for done in range(1, 4571)]
    calls = [0, *(step.calls.item() for step in steps)]
    times = [1.0, *(step.t.item() for step in steps)]
    down = [after < before for before, after in pairwise(times)]
    assert [after - before for before, after in pairwise(calls)] == [int(each) for each in down]
    assert all(step.t == 0 for step in steps if step.progress == 1)
    assert min(times[:-1]) > 0  # finished pictures are not noised again


def test_the_published_settings_of_diffusers_make_as_many():
    path = RePaint(resample_finished=True).levels(250)
    assert len(path) - 1 == 4570
    assert sum(after < before for before, after in pairwise(path)) == 2410
    assert path.count(0) == 10


def test_a_stretch_is_walked_as_often_as_asked_and_the_jumps_have_their_length():
    assert RePaint(jump_length=2, passes=2).levels(6) == [6, 5, 4, 3, 4, 5, 4, 3, 2, 1, 2, 3, 2, 1, 0]
    assert RePaint(jump_length=3, passes=3).levels(4) == [4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 0]
    finished = RePaint(jump_length=2, passes=2, resample_finished=True)
    assert finished.levels(5) == [5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0]
    assert RePaint(passes=1).levels(5) == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("steps", [2, 3, 7, 20, 50])
@pytest.mark.parametrize("jump_length", [1, 2, 5])
@pytest.mark.parametrize("passes", [1, 2, 4])
def test_jumps_stay_on_the_grid_and_end_at_the_picture(steps, jump_length, passes):
    if steps <= jump_length and passes > 1:
        return
    path = RePaint(jump_length=jump_length, passes=passes).levels(steps)
    assert (path[0], path[-1], max(path), min(path[:-1])) == (steps, 0, steps, 1)
    assert all(abs(after - before) == 1 for before, after in pairwise(path))
    sites = len(range(1, steps - jump_length + 1, jump_length))
    assert len(path) - 1 == steps + 2 * sites * (passes - 1) * jump_length


@pytest.mark.parametrize(("steps", "jump_length"), [(10, 10), (5, 10), (1, 1)])
def test_a_jump_longer_than_the_grid_is_refused(steps, jump_length):
    observation = observation_of(Inpainting(), pictures(1))
    with pytest.raises(BadInputError, match=f"jumps {jump_length} steps at a time and the sampler has {steps} steps"):
        steps_of(RePaint(jump_length=jump_length), Ddim(steps=steps), LinearBetas(), observation)


@pytest.mark.parametrize("steps", [1000, 250, 7])
def test_a_jump_up_uses_the_betas_between_the_very_two_times(steps):
    """Trap 30: x_s to x_t takes the betas s < i <= t, not those one index lower."""
    schedule, betas = LinearBetas(), LinearBetas().betas()
    x, z = pictures(2), pictures(2, seed=1)
    for t, s in list(pairwise(Ddim(steps=steps).times(schedule)))[:: max(1, steps // 20)]:
        between = betas[round(s.item() * 1000) : round(t.item() * 1000)]
        kept = (1 - between).prod()
        expected = kept.sqrt() * x + (1 - kept).sqrt() * z
        torch.testing.assert_close(noised_on(schedule, x, s, t, GivenNoise(z.flatten(1))), expected, atol=1e-10, rtol=0)


@every_schedule
def test_a_jump_up_leads_from_the_marginal_of_s_to_that_of_t(schedule):
    s, t = torch.tensor([0.0, 0.3], dtype=torch.float64), torch.tensor([0.2, 0.9], dtype=torch.float64)
    one, none = torch.ones(2, 1, 1, 1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    scale = noised_on(schedule, one, s, t, GivenNoise(none))
    variance = noised_on(schedule, 0 * one, s, t, GivenNoise(none + 1)) ** 2
    alpha_s, sigma_s = alpha_sigma(schedule, s, like=one)
    alpha_t, sigma_t = alpha_sigma(schedule, t, like=one)
    torch.testing.assert_close(scale * alpha_s, alpha_t, atol=1e-12, rtol=1e-10)
    torch.testing.assert_close(scale**2 * sigma_s**2 + variance, sigma_t**2, atol=1e-12, rtol=1e-10)


@every_stepping
def test_one_pass_of_repaint_is_replacement(sampler):
    observation = observation_of(Inpainting(), pictures(3))
    once = steps_of(RePaint(passes=1), sampler, CosineBetas(), observation)
    replaced = steps_of(Replacement(known_noise="fresh"), sampler, CosineBetas(), observation)
    for one, other in zip(once, replaced, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.x0, other.x0)
        assert (one.t, one.progress) == (other.t, other.progress)
        assert torch.equal(one.calls, other.calls)


# ------------------------------------------------------------------------------------------------ null space


@every_task
@every_schedule
def test_the_null_space_keeps_the_belief_where_nothing_is_known_and_the_known_part_elsewhere(schedule, task):
    x0, x_t, t = pictures(3), pictures(3, seed=1), torch.tensor(0.4)
    observation = observation_of(task, x0)
    denoiser, sampler = NullSpace().bind(Mixing(schedule), Ddim(), observation)
    assert sampler == Ddim()
    believed, corrected = Mixing(schedule)(x_t, t), denoiser(x_t, t)
    assert (observation.project(corrected.x0) - observation.known).abs().max() < 1e-14
    rest = believed.x0 - observation.project(believed.x0)
    torch.testing.assert_close(corrected.x0 - observation.project(corrected.x0), rest, atol=1e-14, rtol=0)
    assert torch.equal(corrected.x_t, x_t)


def test_an_ancestral_step_in_the_null_space_is_the_posterior_at_the_corrected_picture():
    """DDNM, Algorithm 1."""
    schedule, x0, z = LinearBetas(), pictures(3), pictures(3, seed=1)
    observation, (t, s) = observation_of(Inpainting(), x0), torch.tensor([0.5, 0.4], dtype=torch.float64)
    denoiser, sampler = NullSpace().bind(Mixing(schedule), Ancestral(variance="fixed_small"), observation)
    x_s, _ = sampler.step(denoiser, z, t, s, GivenNoise(z))
    corrected = torch.where(observation.weight == 1, Mixing(schedule)(z, t).x0, x0)
    mean, variance = posterior(schedule, corrected, z, t, s)
    torch.testing.assert_close(x_s, mean + variance.sqrt() * z, atol=1e-14, rtol=0)


@every_task
@every_schedule
def test_on_a_deterministic_sampler_the_null_space_is_replacement_with_kept_noise(schedule, task):
    observation, sampler = observation_of(task, pictures(4)), Ddim(steps=10, clip=False)
    pair = (NullSpace(), Replacement(known_noise="kept"))
    runs = [steps_of(conditioning, sampler, schedule, observation) for conditioning in pair]
    for one, other in zip(*runs, strict=True):
        torch.testing.assert_close(one.x, other.x, atol=1e-9, rtol=1e-9)


@every_schedule
def test_a_solver_carries_the_known_part_along_one_noise_by_itself(schedule):
    """Replacement on an ODE solver: P x_t = alpha x_0 + sigma eps to the solver's tolerance, though none is put in."""
    observation = observation_of(Inpainting(), pictures(4))
    denoiser, sampler = Replacement().bind(Mixing(schedule), ProbabilityFlow(), observation)
    assert isinstance(denoiser, NullSpaceDenoiser)
    assert sampler == ProbabilityFlow()
    start = schedule.sigma(torch.tensor(1.0)) * StreamNoise(4).normal(SHAPE)
    alpha, sigma = alpha_sigma(schedule, torch.tensor(1.0), like=start)
    eps = (observation.project(start) - alpha * observation.known) / sigma
    solver = ProbabilityFlow(tolerance=1e-6, t_end=0.01, denoise=False)
    *_, last = solver.trajectory(denoiser, start, Noise.rows(0, range(4)))
    alpha, sigma = alpha_sigma(schedule, last.t, like=start)
    expected = alpha * observation.known + sigma * observation.project(eps)
    torch.testing.assert_close(observation.project(last.x), expected, atol=1e-4, rtol=1e-4)
