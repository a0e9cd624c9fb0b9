import pytest
import torch

from ediffuser.diffusion.schedules import CosineBetas, VarianceExploding, VariancePreserving
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    AnySampler,
    Ddim,
    FinalCorrector,
    Langevin,
    NoCorrector,
    PredictorCorrector,
    ProbabilityFlow,
)
from oracles import correlated_gaussian

WRAPPED = [
    Ancestral(steps=5),
    Ddim(steps=5),
    PredictorCorrector(steps=5),
    ProbabilityFlow(),
    ProbabilityFlow(solver="heun", steps=5, denoise=False),
    FinalCorrector(sampler=Ddim(steps=5)),
]


def start(schedule, rows=4):
    x = torch.randn(rows, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return schedule.sigma(torch.tensor(1.0)) * x


@pytest.mark.parametrize("sampler", WRAPPED, ids=repr)
@pytest.mark.parametrize("schedule", [CosineBetas(), VariancePreserving(), VarianceExploding()], ids=lambda s: s.kind)
def test_one_move_follows_any_sampler_and_is_counted(sampler, schedule):
    gaussian, corrector = correlated_gaussian(schedule), Langevin(snr=0.1, steps=2)
    *inner, before = sampler.trajectory(gaussian, start(schedule), Noise.rows(0, range(4)))
    wrapper = FinalCorrector(sampler=sampler, corrector=corrector)
    *steps, after = wrapper.trajectory(gaussian, start(schedule), Noise.rows(0, range(4)))
    assert len(steps) == len(inner) + 1
    assert torch.equal(steps[-1].x, before.x)
    assert torch.equal(after.calls, before.calls + 2)
    assert torch.equal(after.t, before.t)
    progress = [step.progress for step in steps]
    assert sorted(progress) == progress
    assert progress[-1] < 1 == after.progress
    assert not torch.equal(after.x, before.x)


@pytest.mark.parametrize("end", [0.0, 0.02])
def test_the_last_move_follows_the_score_where_the_sampler_ends_without_noise(end):
    schedule = VariancePreserving()
    gaussian = correlated_gaussian(schedule)
    sampler = ProbabilityFlow(t_end=0.02, denoise=end == 0)
    *_, before = sampler.trajectory(gaussian, start(schedule), Noise.rows(0, range(4)))
    *_, after = FinalCorrector(sampler=sampler).trajectory(gaussian, start(schedule), Noise.rows(0, range(4)))
    score = gaussian(before.x, torch.tensor(end or 1e-3, dtype=torch.float64)).score
    factor = ((after.x - before.x) / score).flatten(1)
    assert torch.allclose(factor, factor[:, :1].expand_as(factor), rtol=1e-6)
    assert (factor > 0).all()


def test_without_a_corrector_nothing_changes():
    gaussian = correlated_gaussian(CosineBetas())
    *_, before = Ddim(steps=5).trajectory(gaussian, start(gaussian.schedule), Noise.rows(0, range(4)))
    wrapper = FinalCorrector(sampler=Ddim(steps=5), corrector=NoCorrector())
    *_, after = wrapper.trajectory(gaussian, start(gaussian.schedule), Noise.rows(0, range(4)))
    assert torch.equal(after.x, before.x)
    assert torch.equal(after.calls, before.calls)


@pytest.mark.parametrize("sampler", WRAPPED, ids=repr)
def test_a_wrapped_sampler_survives_json(sampler):
    wrapper = FinalCorrector(sampler=sampler)
    assert from_json(to_json(wrapper, AnySampler), AnySampler) == wrapper
