"""Pictures on one device, times on another: "meta" stands for an accelerator, and like one refuses to be mixed."""

import pytest
import torch
from torch import nn

from ediffuser.conditioning import Dps, NullSpace, PiGdm, RePaint, Replacement, ScoreHeuristic
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.losses import Hybrid, LikelihoodWeight, Simple, Vlb
from ediffuser.diffusion.schedules import CosineBetas, SubVariancePreserving, VarianceExploding, VariancePreserving
from ediffuser.likelihood.vlb import vlb_terms
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    AncestralStep,
    Ddim,
    DpmSolver,
    DpmSolverPlusPlus,
    EulerMaruyama,
    FinalCorrector,
    Langevin,
    PredictorCorrector,
    UniPc,
)
from ediffuser.tasks import Colorization, Inpainting

ROWS = 2
SAMPLERS = [
    Ancestral(steps=2),
    Ddim(steps=2, eta=1),
    PredictorCorrector(steps=2, corrector=Langevin()),
    PredictorCorrector(steps=2, predictor=EulerMaruyama(), corrector=Langevin(norm="batch")),
    PredictorCorrector(steps=2, predictor=AncestralStep(variance="fixed_large")),
    DpmSolver(steps=6),
    DpmSolver(steps=4, method="multistep"),
    DpmSolverPlusPlus(steps=4, order=3, thresholding="dynamic"),
    UniPc(steps=4),
    UniPc(steps=4, form="noise", variant="bh1", spacing="karras"),
    FinalCorrector(sampler=Ddim(steps=2)),
]
SCHEDULES = [CosineBetas(), VariancePreserving(), SubVariancePreserving(), VarianceExploding()]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)


class Network(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.mix = nn.Conv2d(3, channels, 1, device="meta")

    def forward(self, x, time):
        assert time.device == x.device
        return self.mix(x) * time[:, None, None, None]


def elsewhere():
    return torch.empty(ROWS, 3, 4, 4, device="meta")


def noise():
    return Noise.rows(0, range(ROWS), "meta")


def reached(sampler, denoiser):
    *_, step = sampler.trajectory(denoiser, elsewhere(), noise())
    assert step.x.device == step.x0.device == torch.device("meta")
    assert step.calls.device == torch.device("cpu")
    return step


def test_the_stand_in_refuses_to_be_mixed_as_an_accelerator_does():
    with pytest.raises(RuntimeError, match="device"):
        elsewhere() * torch.ones(ROWS, 1, 1, 1)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@every_schedule
def test_a_sampler_stays_on_the_device_of_the_picture(schedule, sampler):
    reached(sampler, NetworkDenoiser(Network().requires_grad_(False), schedule, time_input="continuous"))


def test_learned_variances_stay_on_the_device_of_the_picture():
    denoiser = NetworkDenoiser(Network(6), CosineBetas(), learned_variance=True)
    reached(Ancestral(steps=2, variance="learned"), denoiser)
    terms = vlb_terms(denoiser, elsewhere(), noise(), steps=3)
    for _ in range(2):  # the decoder picks its rows by value, of which there are none here
        assert next(terms).value.device == torch.device("meta")


@pytest.mark.parametrize("task", [Inpainting(), Colorization()], ids=lambda task: task.kind)
@pytest.mark.parametrize(
    "conditioning",
    [Dps(), NullSpace(), PiGdm(), RePaint(jump_length=1, passes=2), Replacement(), ScoreHeuristic()],
    ids=lambda conditioning: conditioning.kind,
)
def test_a_conditioning_stays_on_the_device_of_the_picture(conditioning, task):
    observation = task.observe(elsewhere(), noise(), torch.ones(ROWS, 1, 4, 4, device="meta"))
    denoiser = NetworkDenoiser(Network().requires_grad_(False), CosineBetas())
    with torch.no_grad():
        bound, sampler = conditioning.bind(denoiser, Ddim(steps=3), observation)
        reached(sampler, bound)


@pytest.mark.parametrize("objective", [Simple(), Hybrid(), Vlb()], ids=lambda objective: objective.kind)
def test_a_loss_stays_on_the_device_of_the_picture(objective):
    denoiser = NetworkDenoiser(Network(6), CosineBetas(), learned_variance=True)
    t = torch.full((ROWS,), 0.5, dtype=torch.float64)
    losses = objective.losses(denoiser, elsewhere(), elsewhere(), t, weighting=LikelihoodWeight())
    assert losses.device == torch.device("meta")
