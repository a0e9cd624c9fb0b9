"""With the same network and the same noise, the RePaint of Hugging Face diffusers and ours make the same trajectory.

Deviations that are our choice, each shown below:

- Our jumps start one step before the finished picture, as in the paper's Algorithm 1 (`resample_finished=False`);
  diffusers noises finished pictures again. Both make 4570 transitions at the published settings.
- Noised again, a picture of ours has the level of the time it is brought to. Where a step skips indices, diffusers
  takes the betas of the indices above it (`betas[t_last : t_last + n]` for a step that ended at t_last - n).
- We draw the noise of a step and that of the known part apart, as the paper does; diffusers uses one for both. Here
  our source of noise gives the same twice.
- Our own grid starts at pure noise for any number of steps; here it is given theirs.
"""

from itertools import pairwise

import pytest
import torch
from diffusers import RePaintScheduler
from diffusers.schedulers import scheduling_repaint
from torch import nn

from ediffuser.conditioning import RePaint
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ddim, Step
from ediffuser.samplers.base import walk
from ediffuser.tasks import Inpainting

pytestmark = pytest.mark.reference

T, SHAPE = 24, (2, 3, 8, 8)
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
SCHEDULES = {"linear": LinearBetas(steps=T), "cosine": CosineBetas(steps=T)}


class SmallNetwork(nn.Module):
    """Predicts eps: what noise there would be in a picture of little contrast, and something of its own."""

    def __init__(self, dtype):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, 3, padding=1)
        generator = torch.Generator().manual_seed(0)
        for weights in self.parameters():
            weights.data.normal_(std=0.2, generator=generator)
        self.to(dtype).requires_grad_(False)

    def forward(self, x, index):
        hidden = torch.tanh(self.first(x) + index.to(x).reshape(-1, 1, 1, 1) / T)
        return 0.8 * x + 0.1 * self.last(hidden)


class OnePerTransition:
    """Noise that belongs to the transition at hand, however often it is asked for."""

    def __init__(self, dtype):
        self.dtype, self.transition = dtype, 0

    def of(self, transition):
        generator = torch.Generator().manual_seed(1000 + transition)
        return torch.randn(SHAPE, generator=generator, dtype=torch.float64).to(self.dtype)

    def normal(self, shape):
        assert tuple(shape) == SHAPE[1:]
        return self.of(self.transition)


class Leading:
    """DDIM on the leading grid of diffusers: indices 0, n, 2n, ... of `T // steps` apart."""

    def __init__(self, ddim):
        self.ddim, self.step = ddim, ddim.step

    def times(self, schedule):
        indices = torch.arange(self.ddim.steps - 1, -1, -1) * (T // self.ddim.steps)
        return torch.cat([(indices + 1).double() / T, torch.zeros(1, dtype=torch.float64)])

    def trajectory(self, denoiser, x, noise):
        return walk(self, denoiser, x, noise)


def scheduler_of(schedule, eta=0.0):
    return RePaintScheduler(num_train_timesteps=T, trained_betas=SCHEDULES[schedule].betas().numpy(), eta=eta)


def given(dtype):
    """A picture, and a hole in it: 1 where to paint."""
    picture = 2 * torch.rand(SHAPE, generator=torch.Generator().manual_seed(7), dtype=torch.float64) - 1
    hole = torch.zeros(2, 1, 8, 8, dtype=dtype)
    hole[:, :, 2:7, 1:5] = 1
    return picture.to(dtype), hole


def theirs(monkeypatch, schedule, eta, steps, jump_length, passes, dtype):
    """States of diffusers after each transition, walked as its pipeline does."""
    scheduler, network, noise = scheduler_of(schedule, eta), SmallNetwork(dtype), OnePerTransition(dtype)
    scheduler.set_timesteps(steps, jump_length=jump_length, jump_n_sample=passes)
    monkeypatch.setattr(scheduling_repaint, "randn_tensor", lambda shape, **options: noise.normal(shape[1:]))
    (picture, hole), x = given(dtype), noise.of(-1)
    last = scheduler.timesteps[0] + 1
    for noise.transition, index in enumerate(scheduler.timesteps):
        if index < last:
            x = scheduler.step(network(x, index), int(index), x, picture, 1 - hole).prev_sample
        else:
            x = scheduler.undo_step(x, int(last))
        last = index
        yield x


def ours(schedule, sampler, repaint, dtype):
    """Our steps, with the noise of the same transitions."""
    network, noise = SmallNetwork(dtype), OnePerTransition(dtype)
    picture, hole = given(dtype)
    observation = Inpainting().observe(picture, Noise.rows(0, range(2)), hole)
    network_denoiser = NetworkDenoiser(network, SCHEDULES[schedule])
    denoiser, bound = repaint.bind(network_denoiser, sampler, observation)
    steps = bound.trajectory(denoiser, noise.of(-1), noise)
    while (step := next(steps, None)) is not None:
        noise.transition += 1
        yield step


def compare(found: list[Step], expected, dtype) -> float:
    """The largest difference of any state of a trajectory."""
    worst = 0.0
    for step, x in zip(found, expected, strict=True):
        assert step.x.dtype == x.dtype == dtype
        worst = max(worst, (step.x - x).abs().max().item())
    return worst


@pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
@pytest.mark.parametrize(("jump_length", "passes"), [(5, 3), (8, 2), (1, 2)])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_whole_trajectories_agree(monkeypatch, schedule, eta, jump_length, passes, dtype):
    """A step each index; pictures are clipped and the eps before it is kept, as diffusers does."""
    sampler = Ddim(steps=T, eta=eta, eps_after_clip="raw")
    repaint = RePaint(jump_length=jump_length, passes=passes, resample_finished=True)
    found = list(ours(schedule, sampler, repaint, dtype))
    expected = theirs(monkeypatch, schedule, eta, T, jump_length, passes, dtype)
    worst = compare(found, expected, dtype)
    print(f"{schedule}, eta {eta}, jumps of {jump_length}, {passes} passes, {dtype}: {worst:.1e}")  # noqa: T201
    assert worst < TOLERANCE[dtype]
    assert found[-1].x.std() > 0.1
    assert found[-1].calls.tolist() == [sum(b.t < a.t for a, b in pairwise(found)) + 1] * 2


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [12, 8, 7])
def test_trajectories_of_fewer_steps_agree_where_nothing_is_noised_again(monkeypatch, steps, eta):
    sampler = Leading(Ddim(steps=steps, eta=eta, eps_after_clip="raw"))
    found = list(ours("linear", sampler, RePaint(passes=1), torch.float64))
    worst = compare(found, theirs(monkeypatch, "linear", eta, steps, 10, 1, torch.float64), torch.float64)
    assert worst < 1e-6


@pytest.mark.parametrize("steps", [250, 100, 40])
@pytest.mark.parametrize(("jump_length", "passes"), [(10, 10), (5, 3), (1, 2)])
def test_the_jumps_agree(steps, jump_length, passes):
    scheduler = RePaintScheduler()
    scheduler.set_timesteps(steps, jump_length=jump_length, jump_n_sample=passes)
    indices = scheduler.timesteps // (1000 // steps)
    # Theirs is the index of the call, or the number of steps that the picture is noised again: ours after either.
    path = RePaint(jump_length=jump_length, passes=passes, resample_finished=True).levels(steps)
    assert path == [steps, *indices.tolist()]
    papers = RePaint(jump_length=jump_length, passes=passes).levels(steps)
    assert len(papers) == len(path)
    assert (papers.count(0), path.count(0)) == (1, passes)


def test_where_steps_skip_indices_diffusers_noises_to_another_level_than_that_of_the_time(monkeypatch):
    scheduler = scheduler_of("linear")
    scheduler.set_timesteps(12, jump_length=5, jump_n_sample=2)
    monkeypatch.setattr(scheduling_repaint, "randn_tensor", lambda shape, **options: torch.zeros(shape))
    alpha_bar = scheduler.alphas_cumprod
    # A step at index 10 has ended at 8; noised again, the picture is shown to the network at index 10.
    scale = scheduler.undo_step(torch.ones(1, 1, 1, 1, dtype=torch.float64), 10)
    assert scale.item() == pytest.approx((alpha_bar[11] / alpha_bar[9]).sqrt().item(), rel=1e-9)
    assert scale.item() != pytest.approx((alpha_bar[10] / alpha_bar[8]).sqrt().item(), rel=1e-3)
