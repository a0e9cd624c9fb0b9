"""The SDE heuristic of Eq. 2.37, on a Gaussian whose score is known and on solvers of every sort."""

import pytest
import torch

from bias import SHAPE, TASKS, observed, pictures
from ediffuser.conditioning import NullSpace, ScoreHeuristic
from ediffuser.conditioning.score_heuristic import HeuristicDenoiser
from ediffuser.diffusion.schedules import SubVariancePreserving, VarianceExploding, VariancePreserving, alpha_sigma
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    Ddim,
    DpmSolver,
    DpmSolverPlusPlus,
    FinalCorrector,
    Langevin,
    PredictorCorrector,
    ProbabilityFlow,
    StepSampler,
)
from ediffuser.tasks import Unconditional
from oracles import GivenNoise, StreamNoise

ROWS = 64
every_task = pytest.mark.parametrize("task", TASKS)


class Shown:
    """A denoiser that remembers what it was shown, and when."""

    def __init__(self, denoiser):
        self.denoiser, self.schedule, self.calls = denoiser, denoiser.schedule, []

    def __call__(self, x_t, t):
        self.calls.append((x_t, torch.as_tensor(t)))
        return self.denoiser(x_t, t)


@pytest.fixture
def truth():
    return pictures().mean + 0.5 * StreamNoise(ROWS, 1).normal(SHAPE)


def ended(denoiser, sampler, observation, x=None, seed=0, conditioning=None):
    bound, sampler = (conditioning or ScoreHeuristic()).bind(denoiser, sampler, observation)
    noise = StreamNoise(ROWS, seed)
    start = noise.normal(SHAPE)
    x = denoiser.schedule.sigma(torch.tensor(1.0)) * start if x is None else x
    with torch.no_grad():
        *_, last = sampler.trajectory(bound, x, noise)
    return last


@every_task
def test_the_score_is_the_networks_at_the_noised_known_part_and_exact_for_what_is_known(task, truth):
    """The unknown part of grad log p([x_t; y_t]), and (alpha y - P x_t) / sigma^2, for one time and for one a row."""
    gaussian, observation = pictures(), observed(truth, task)
    x_t, z = 2 * StreamNoise(ROWS, 2).normal(SHAPE), StreamNoise(ROWS, 3).normal(SHAPE)
    for t in (torch.tensor(0.3), torch.linspace(0.1, 1, ROWS)):
        alpha, sigma = alpha_sigma(gaussian.schedule, t, like=x_t)
        project, y = observation.project, observation.known
        u = x_t - project(x_t) + alpha * y + sigma * project(z)
        score, wanted = HeuristicDenoiser(gaussian, observation, lambda _: z)(x_t, t).score, gaussian(u, t).score
        assert torch.allclose(score - project(score), wanted - project(wanted), atol=1e-9)
        assert torch.allclose(project(score), (alpha * y - project(x_t)) / sigma**2, atol=1e-9)


@every_task
@pytest.mark.parametrize(
    "sampler",
    [
        PredictorCorrector(steps=8, corrector=Langevin(steps=2), clip=False),
        Ancestral(steps=8, clip=False),
        ProbabilityFlow(tolerance=0.05, t_end=0.1, clip=False),
        FinalCorrector(sampler=DpmSolver(steps=6)),
    ],
    ids=lambda sampler: sampler.kind,
)
def test_the_pasted_region_has_the_very_noise_level_of_each_call_correctors_and_rejected_ones_too(task, sampler, truth):
    """Trap 28; the published code pastes y of time t into the state at s < t."""
    shown, observation = Shown(pictures()), observed(truth, task)
    last = ended(shown, sampler, observation)
    assert len(shown.calls) >= last.calls.max() >= 6
    drawn, share = [], 1 / 3  # of nine numbers three are known
    for u, t in shown.calls:
        alpha, sigma = alpha_sigma(shown.schedule, t, like=u)
        z = (observation.project(u) - alpha * observation.known) / sigma
        assert abs(z.mean()) < 5 / (ROWS * 9) ** 0.5
        assert abs((z**2).mean() - share) < 5 * share * (2 / (ROWS * 3)) ** 0.5
        drawn.append(z)
    kept = all(torch.allclose(z, drawn[0], atol=1e-6) for z in drawn)
    assert kept != isinstance(sampler, StepSampler)  # steps draw anew, solvers keep one z


@every_task
@pytest.mark.parametrize(
    "schedule", [VariancePreserving(), SubVariancePreserving(), VarianceExploding()], ids=lambda schedule: schedule.kind
)
@pytest.mark.parametrize(
    ("sampler", "bound"),
    [
        (Ddim(steps=8, clip=False), 1e-9),
        (DpmSolver(steps=9), 1e-9),
        (DpmSolverPlusPlus(steps=8, thresholding="none"), 1e-9),
        (ProbabilityFlow(solver="heun", steps=200, spacing="log_snr", clip=False), 1e-3),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_with_kept_noise_a_deterministic_sampler_makes_of_it_the_null_space_method(
    sampler, bound, schedule, task, truth
):
    """From x_1 = alpha y + sigma z the known part of the state runs along alpha y + sigma z by itself.

    DDIM and exponential integrators take a known x_0 without error, Runge-Kutta steps with their own.
    """
    gaussian, observation = pictures(schedule), observed(truth, task)
    alpha, sigma = alpha_sigma(schedule, torch.tensor(1.0), like=truth)
    start = sigma * StreamNoise(ROWS, 4).normal(SHAPE)
    kept = ended(gaussian, sampler, observation, start, conditioning=ScoreHeuristic(known_noise="kept"))
    null_space = ended(gaussian, sampler, observation, start + alpha * observation.known, conditioning=NullSpace())
    assert (kept.x - null_space.x).abs().max() < bound
    assert kept.x.std(0).mean() > 0.1


@every_task
def test_rk45_and_dpm_solver_follow_the_same_guided_flow(task, truth):
    """The dissertation's RK45_colour, RK45_inpaint and DPM-Solver of Table 4.17, against a fine grid."""
    gaussian, observation = pictures(), observed(truth, task)
    fine = ended(gaussian, ProbabilityFlow(solver="heun", steps=200, clip=False), observation).x
    for sampler, bound in ((ProbabilityFlow(tolerance=1e-4, clip=False), 2e-3), (DpmSolver(steps=60), 2e-3)):
        assert (ended(gaussian, sampler, observation).x - fine).abs().max() < bound
    assert (
        fine - ended(gaussian, ProbabilityFlow(steps=None, clip=False), observed(truth + 1, task)).x
    ).abs().max() > 1


def test_a_call_of_the_guided_denoiser_is_one_call_of_the_network(truth):
    observation = observed(truth, "inpainting")
    for sampler in (Ancestral(steps=5), PredictorCorrector(steps=5, corrector=Langevin()), DpmSolver(steps=5)):
        shown = Shown(pictures())
        assert (ended(shown, sampler, observation).calls == len(shown.calls)).all()


def test_where_nothing_is_known_nothing_changes(truth):
    noise = Noise.rows(0, range(ROWS))
    observation = Unconditional().observe(truth, noise)
    for sampler in (Ddim(steps=6, eta=1), ProbabilityFlow(tolerance=0.01)):
        guided = ended(pictures(), sampler, observation, conditioning=ScoreHeuristic(known_noise="kept"))
        assert torch.equal(guided.x, ended(pictures(), sampler, observation, conditioning=NullSpace()).x)


def test_a_step_sampler_with_fresh_noise_stays_one_and_others_are_refused_it(truth):
    observation, gaussian = observed(truth, "inpainting"), pictures()
    _, bound = ScoreHeuristic().bind(gaussian, Ancestral(steps=4), observation)
    assert isinstance(bound, StepSampler)
    assert len(bound.times(gaussian.schedule)) == 5
    given = GivenNoise(torch.zeros(ROWS, 9))
    bound.step(gaussian, truth, torch.tensor(0.5), torch.tensor(0.25), given)
    assert given.draws == 2  # for what is known, and for the step
    for sampler in (ProbabilityFlow(), DpmSolver(), FinalCorrector()):
        assert not isinstance(ScoreHeuristic().bind(gaussian, sampler, observation)[1], StepSampler)
        with pytest.raises(TypeError, match=f"{sampler.kind} is none; known_noise=kept works with any sampler"):
            ScoreHeuristic(known_noise="fresh").bind(gaussian, sampler, observation)
