"""Only a model that is told what is known is exact: what the other conditionings are off by, and that the docs say so.

The figures are those of `docs/conditioning.md`, which `scripts/conditioning_bias.py` prints.
"""

import dataclasses
from pathlib import Path

import pytest
import torch

from bias import (
    CASES,
    FLOW,
    SHAPE,
    STEPS,
    TASKS,
    Bias,
    Exact,
    PasteOnly,
    affine_bias,
    known_directions,
    observed,
    pictures,
    sampled_bias,
    table_line,
)
from ediffuser.conditioning import NullSpace, PiGdm, RePaint, Replacement, ScoreHeuristic
from ediffuser.diffusion.schedules import alpha_sigma
from ediffuser.samplers import Ancestral, Ddim, EulerMaruyama, PredictorCorrector, ProbabilityFlow
from oracles import ConditionalDenoiser, StreamNoise

DOCS = (Path(__file__).parents[2] / "docs" / "conditioning.md").read_text().splitlines()
every_task = pytest.mark.parametrize("task", TASKS)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def stated(case) -> dict[str, Bias]:
    """What the docs' table says of a case, by task."""
    wanted = cells(table_line(case, [Bias(0, 0, 0, 0)]))[:2]
    (figures,) = [cells(line)[2:] for line in DOCS if cells(line)[:2] == wanted]
    calls, *rest = figures
    return {task: Bias(*map(float, rest[3 * k : 3 * k + 3]), int(calls)) for k, task in enumerate(TASKS)}


def far_apart(found: Bias, wanted: Bias) -> float:
    return max(abs(getattr(found, name) - getattr(wanted, name)) for name in ("mean", "spread", "distance"))


def is_long(case) -> bool:
    return case.draws is None and getattr(case.conditioning, "passes", 0) > 2


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow) if is_long(case) else case for case in CASES],
    ids=lambda case: f"{case.name}-{case.sampler.kind}",
)
def test_the_docs_say_what_each_conditioning_is_off_by(case):
    """To the last digit stated, for what is exact; within four standard errors of a sixth of the draws for DPS."""
    if case.draws is not None:
        case = dataclasses.replace(case, draws=case.draws // 6)
    for task, wanted in stated(case).items():
        found = case.measured(task)
        assert far_apart(found, wanted) < (0.001 if case.draws is None else 0.08)
        assert found.calls == wanted.calls


def test_the_docs_table_has_no_other_lines():
    figures = [
        line for line in DOCS if line.startswith("|") and "." in cells(line)[-1] and cells(line)[-1][0].isdigit()
    ]
    assert len(figures) == len(CASES)


@every_task
def test_concatenation_with_the_exact_conditional_score_is_exact_to_discretisation(task):
    """Its mean is right at any number of steps, its spread off by what falls with them as it does without condition."""
    coarse, fine = (
        affine_bias(Exact(), Ancestral(steps=steps, variance="fixed_large", clip=False), task) for steps in (50, 100)
    )
    assert max(coarse.mean, fine.mean) < 1e-6
    assert fine.distance < 0.014
    assert 1.7 < coarse.distance / fine.distance < 2.1
    assert affine_bias(Exact(), ProbabilityFlow(solver="heun", steps=100, clip=False), task).distance < 3e-4


@every_task
@pytest.mark.parametrize("conditioning", [Replacement(), NullSpace(), PiGdm()], ids=lambda method: method.kind)
def test_all_others_are_approximations_whose_bias_no_number_of_steps_takes_away(conditioning, task):
    """With twice the steps they come hardly nearer, where discretisation's share falls to half or a quarter."""
    fine_steps = Ancestral(steps=100, variance="fixed_large", clip=False)
    fine_flow = ProbabilityFlow(solver="heun", steps=50, clip=False)
    for coarse, fine in ((STEPS, fine_steps), (FLOW, fine_flow)):
        found, limit = (affine_bias(conditioning, sampler, task).distance for sampler in (coarse, fine))
        assert found > 2 * affine_bias(Exact(), coarse, task).distance
        assert 0.8 * found < limit < found
        assert found < 0.7 * affine_bias(PasteOnly(), coarse, task).distance  # but better than nothing


@every_task
def test_with_one_call_a_step_the_score_heuristic_and_replacement_are_one_distribution(task):
    """Of one draw of the noise they make different pictures; the difference of the start is alpha(1)."""
    for sampler in (
        Ddim(steps=25, eta=0.5, clip=False),
        PredictorCorrector(predictor=EulerMaruyama(), steps=25, clip=False),
    ):
        pair = [affine_bias(conditioning, sampler, task) for conditioning in (Replacement(), ScoreHeuristic())]
        assert far_apart(*pair) < 1e-5


@every_task
def test_more_passes_of_repaint_come_closer(task):
    biases = [affine_bias(RePaint(passes=passes, jump_length=5), STEPS, task).distance for passes in (1, 2)]
    assert biases[0] == pytest.approx(affine_bias(Replacement(), STEPS, task).distance, abs=1e-9)
    assert biases[0] > 1.2 * biases[1]


@every_task
def test_both_ways_to_measure_agree(task):
    """Impulses and Monte Carlo, within five standard errors of 12,000 draws."""
    exact, drawn = affine_bias(NullSpace(), STEPS, task), sampled_bias(NullSpace(), STEPS, task, 2000)
    assert far_apart(exact, drawn) < 0.04
    assert drawn.calls == exact.calls == 50


@every_task
def test_the_oracle_is_the_regression_of_the_picture_on_noisy_state_and_known_part_together(task):
    """E[x_0 | x_t, Q^T x_0] from the joint covariance of all three, Q a basis of what is known."""
    gaussian, noise = pictures(), StreamNoise(6, 1)
    mean, covariance, basis = gaussian.mean.flatten(), gaussian.covariance, known_directions(task)
    assert basis.shape == (9, 3)
    x0, x_t = noise.normal(SHAPE), noise.normal(SHAPE)
    observation = observed(x0, task)
    for t in (torch.tensor(0.2), torch.tensor(0.8)):
        alpha, sigma = (value.item() for value in alpha_sigma(gaussian.schedule, t, like=mean[None]))
        looks = torch.cat([alpha * torch.eye(9, dtype=torch.float64), basis.T])
        spread = looks @ covariance @ looks.T
        spread[:9, :9] += sigma**2 * torch.eye(9, dtype=torch.float64)
        seen = torch.cat([x_t.flatten(1), observation.known.flatten(1) @ basis], 1)
        wanted = mean + (seen - looks @ mean) @ (covariance @ looks.T @ torch.linalg.inv(spread)).T
        found = ConditionalDenoiser(gaussian, observation)(x_t, t).x0
        assert torch.allclose(found.flatten(1), wanted, atol=1e-9)
        assert torch.allclose(observation.project(found), observation.known, atol=1e-9)
