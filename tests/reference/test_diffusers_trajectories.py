"""Whole trajectories: our network under our sampler, and the same network under the scheduler of diffusers.

Both see the same weights, the same start and the same noise. What is ours by choice:

- The grid is the trailing one of diffusers (`timestep_spacing="trailing"`), which starts at pure noise; its default,
  "leading", does not. Where the number of steps does not divide T, DDIM in diffusers takes steps of T // steps and so
  leaves its own grid; ours stays on it, as DDPM in diffusers does.
- No noise is drawn in the last step, which leads to the finished picture. DDPM in diffusers draws it wherever the last
  time is not index 0, so with less than T steps; with fixed-large variance that leaves visible noise in the picture.
- `Ddim` moves along the eps of the clipped x_0, `use_clipped_model_output=True` in diffusers, whose default is False.
- `Ddim` takes models that learn their variance and ignores it; diffusers takes only their first channels.
- Tables are float64; in diffusers they are float32, and only the comparison in float64 replaces them.
"""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from test_diffusers import PREDICTIONS, SCHEDULES, T, exact, normal, randomised
from torch import nn

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.samplers import Ancestral, Ddim

pytestmark = pytest.mark.reference

PRECISIONS = {torch.float64: 1e-6, torch.float32: 1e-3}
VARIANCES = {"learned": "learned_range", "fixed_large": "fixed_large", "fixed_small": "fixed_small"}

every_precision = pytest.mark.parametrize("dtype", PRECISIONS, ids=["float64", "float32"])
every_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """On a busy machine, small operations wait far longer for a second thread than they gain from it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class SmallNetwork(nn.Module):
    """Any function of picture and time that is not linear will do; this one has 6 output channels."""

    def __init__(self):
        super().__init__()
        self.first, self.time, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(1, 16), nn.Conv2d(16, 6, 3)

    def forward(self, x, time):
        levels = self.time(time.to(x.dtype)[:, None] / T)[:, :, None, None]
        return self.last(nn.functional.pad(torch.tanh(self.first(x) + levels), (1, 1, 1, 1)))


@pytest.fixture(scope="module")
def network():
    return randomised(SmallNetwork(), seed=0)


class Draws:
    """The noise of each step, one tensor after the other."""

    def __init__(self, dtype, count):
        self.tensors, self.drawn = [normal(seed + 10).to(dtype) for seed in range(count)], 0

    def normal(self, shape):
        self.drawn += 1
        return self.tensors[self.drawn - 1]


def scheduler_of(cls, schedule, prediction, dtype, steps, **settings):
    """Trailing and, for float64, with exact tables."""
    settings |= {"beta_schedule": schedule, "prediction_type": prediction, "timestep_spacing": "trailing"}
    scheduler = cls(**settings)
    scheduler = exact(scheduler, schedule) if dtype == torch.float64 else scheduler
    scheduler.set_timesteps(steps)
    return scheduler


def ours(sampler, network, schedule, prediction, dtype, learned, draws):
    """The states after each step."""
    network = network.to(dtype)
    output = network if learned else lambda x, t: network(x, t)[:, :3]
    denoiser = NetworkDenoiser(output, SCHEDULES[schedule], PREDICTIONS[prediction], learned_variance=learned)
    with torch.no_grad():
        return [step.x for step in sampler.trajectory(denoiser, normal(3).to(dtype), draws)]


def agree(states, expected, dtype):
    assert len(states) == len(expected)
    for state, wanted in zip(states, expected, strict=True):
        assert state.dtype == wanted.dtype == dtype
        torch.testing.assert_close(state, wanted, atol=PRECISIONS[dtype], rtol=PRECISIONS[dtype])


def ancestral_pair(monkeypatch, network, schedule, prediction, variance, dtype, steps, noisy_end=False):
    """Our states and theirs; `noisy_end` lets diffusers have its noise in the last step."""
    scheduler = scheduler_of(DDPMScheduler, schedule, prediction, dtype, steps, variance_type=VARIANCES[variance])
    learned, network, x, expected = variance == "learned", network.to(dtype), normal(3).to(dtype), []
    draws = Draws(dtype, steps)
    given = [*draws.tensors[:-1], draws.tensors[-1] * noisy_end]
    with torch.no_grad():
        for index, noise in zip(scheduler.timesteps, given, strict=True):
            monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, noise=noise, **__: noise)
            output = network(x, index.expand(len(x)))
            x = scheduler.step(output if learned else output[:, :3], index, x).prev_sample
            expected.append(x)
    states = ours(Ancestral(steps=steps, variance=variance), network, schedule, prediction, dtype, learned, draws)
    assert draws.drawn == steps - 1
    return states, expected


@every_precision
@pytest.mark.parametrize("steps", [10, 30])
@pytest.mark.parametrize("variance", VARIANCES)
@every_prediction
@every_schedule
def test_ancestral_trajectories_agree(monkeypatch, network, schedule, prediction, variance, steps, dtype):
    agree(*ancestral_pair(monkeypatch, network, schedule, prediction, variance, dtype, steps), dtype)


def test_ancestral_trajectories_of_every_step_agree(monkeypatch, network):
    """At index 0, the last of all T, diffusers draws no noise either."""
    states, expected = ancestral_pair(
        monkeypatch, network, "squaredcos_cap_v2", "epsilon", "learned", torch.float64, T, noisy_end=True
    )
    agree(states, expected, torch.float64)


def test_trap_7_noise_in_the_last_step_is_left_in_the_picture_by_diffusers_and_not_by_us(monkeypatch, network):
    arguments = (monkeypatch, network, "linear", "v_prediction", "fixed_large", torch.float64, 10)
    states, expected = ancestral_pair(*arguments, noisy_end=True)
    agree(states[:-1], expected[:-1], torch.float64)
    assert (expected[-1] - states[-1]).std() > 0.2


@every_precision
@pytest.mark.parametrize("steps", [10, 50])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@every_prediction
@every_schedule
def test_trap_5_ddim_trajectories_agree_also_where_the_model_learns_its_variance(
    network, schedule, prediction, eta, steps, dtype
):
    scheduler = scheduler_of(DDIMScheduler, schedule, prediction, dtype, steps, set_alpha_to_one=True)
    network, x, expected, draws = network.to(dtype), normal(3).to(dtype), [], Draws(dtype, steps)
    with torch.no_grad():
        for index, noise in zip(scheduler.timesteps, draws.tensors, strict=True):
            output = network(x, index.expand(len(x)))[:, :3]
            x = scheduler.step(
                output, index, x, eta=eta, use_clipped_model_output=True, variance_noise=noise
            ).prev_sample
            expected.append(x)
    states = ours(Ddim(steps=steps, eta=eta), network, schedule, prediction, dtype, True, draws)
    assert draws.drawn == (steps - 1 if eta else 0)
    agree(states, expected, dtype)


@every_schedule
def test_ddim_with_eta_1_is_ddpm_with_fixed_small_variance_of_diffusers(monkeypatch, network, schedule):
    """Trap 1, across the two implementations."""
    _, expected = ancestral_pair(monkeypatch, network, schedule, "epsilon", "fixed_small", torch.float64, 20)
    draws = Draws(torch.float64, 20)
    states = ours(Ddim(steps=20, eta=1), network, schedule, "epsilon", torch.float64, True, draws)
    agree(states, expected, torch.float64)
