"""UniPC against the scheduler of Hugging Face diffusers, over whole trajectories of the same small network.

What is ours: with lower_order_final orders fall at the end of less than 15 steps, theirs always; the step to sigma = 0
is of first order and returns the x_0 expected, theirs is nan with bh1 and in the noise form; a grid on the cosine
schedule starts at lambda = -5.1; x_0 is clipped by default.
"""

import pytest
import torch
from diffusers import UniPCMultistepScheduler
from torch import nn

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas
from ediffuser.samplers import UniPc
from ediffuser.samplers.exponential import DataForm, NoiseForm
from ediffuser.samplers.multistep import walk_back
from ediffuser.samplers.thresholding import Threshold
from ediffuser.samplers.unipc import PredictorCorrectorRule

pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of their numpy.array(tensor)
]

T = 1000
SHAPE = (2, 3, 8, 8)
SCHEDULES = {"linear": LinearBetas(), "squaredcos_cap_v2": CosineBetas()}
PREDICTIONS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}


class Network(nn.Module):
    """A smooth random function of picture and index."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        generator = torch.Generator().manual_seed(0)
        for weight in self.parameters():
            weight.data.normal_(std=0.3, generator=generator)

    def forward(self, x, index):
        time = (index.to(x) / T).reshape(-1, 1, 1, 1)
        return self.last(torch.tanh(self.first(x) * (1 + time)))


def start(dtype):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def theirs(schedule, steps, dtype, **settings):
    """The scheduler's trajectory, and the grid it took as our times."""
    scheduler = UniPCMultistepScheduler(beta_schedule=schedule, **settings)
    scheduler.set_timesteps(steps)
    # Its table is in float32 whatever the pictures are.
    alpha_bar = (1 - SCHEDULES[schedule].betas()).cumprod(0)
    sigmas = ((1 - alpha_bar) / alpha_bar).sqrt()
    last = sigmas[0] if settings.get("final_sigmas_type") == "sigma_min" else 0 * sigmas[0]
    torch.testing.assert_close(scheduler.sigmas[:-1].double(), sigmas[scheduler.timesteps], rtol=1e-3, atol=1e-5)
    scheduler.sigmas = torch.cat([sigmas[scheduler.timesteps], last[None]])
    network, x = Network().to(dtype).requires_grad_(False), start(dtype)
    states = []
    for index in scheduler.timesteps:
        x = scheduler.step(network(x, index.expand(len(x))), index, x).prev_sample
        states.append(x)
    times = [(index + 1) / T for index in scheduler.timesteps.tolist()]
    times.append(1 / T if settings.get("final_sigmas_type") == "sigma_min" else 0.0)
    return states, torch.tensor(times, dtype=torch.float64)


def ours(schedule, prediction, dtype):
    return NetworkDenoiser(Network().to(dtype).requires_grad_(False), SCHEDULES[schedule], PREDICTIONS[prediction])


def agree(found, wanted, dtype):
    """To 1e-6 in float64 and 1e-3 in float32, absolute; the states are as large as 10, one of them 200."""
    assert len(found) == len(wanted)
    tolerance = 1e-6 if dtype == torch.float64 else 1e-3
    for step, x in zip(found, wanted, strict=True):
        assert step.x.dtype == x.dtype == dtype
        torch.testing.assert_close(step.x, x, rtol=0, atol=tolerance)


ENDINGS = [("data", "zero"), ("data", "sigma_min"), ("noise", "sigma_min")]
CASES = [
    (schedule, form, final, dtype)
    for schedule in SCHEDULES
    for form, final in ENDINGS
    for dtype in (torch.float64, torch.float32)
    # Down from the cosine schedule's alpha = 5e-5, where none of our own grids starts, the noise form multiplies the
    # rounding of float32 to 2e-3 of the largest value.
    if (schedule, form, dtype) != ("squaredcos_cap_v2", "noise", torch.float32)
]


@pytest.mark.parametrize(("schedule", "form", "final", "dtype"), CASES)
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
def test_trajectories_agree(schedule, variant, order, form, final, dtype):
    steps, lower = (12, True) if final == "zero" else (20, False)
    settings = {
        "solver_order": order,
        "solver_type": variant,
        "predict_x0": form == "data",
        "final_sigmas_type": final,
        "lower_order_final": lower,
        "prediction_type": "v_prediction",
    }
    wanted, times = theirs(schedule, steps, dtype, **settings)
    rule = PredictorCorrectorRule(DataForm(Threshold()) if form == "data" else NoiseForm(), variant)
    found = list(walk_back(rule, ours(schedule, "v_prediction", dtype), start(dtype), times, order, lower))
    if variant == "bh1" and final == "zero":
        # Their B(h) = h is infinite, and the picture nan; ours is the x_0 expected, as with bh2.
        assert wanted.pop().isnan().all()
        last = found.pop()
        assert torch.equal(last.x, last.x0)
    agree(found, wanted, dtype)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_sampler_itself_agrees_where_its_grid_can_be_theirs(prediction):
    """Their 9 indices from 999 down by 111 are evenly spaced in time, as ours then are."""
    wanted, times = theirs(
        "linear", 9, torch.float64, solver_order=3, prediction_type=prediction, final_sigmas_type="sigma_min"
    )
    sampler = UniPc(steps=9, order=3, spacing="time", t_end=1e-3, denoise=False, thresholding="none")
    found = list(sampler.trajectory(ours("linear", prediction, torch.float64), start(torch.float64), None))
    assert torch.allclose(torch.stack([step.t for step in found]), times[1:], atol=1e-12)
    agree(found, wanted, torch.float64)


def test_disabled_correctors_and_dynamic_thresholding_agree():
    settings = {"solver_order": 2, "prediction_type": "v_prediction", "final_sigmas_type": "sigma_min"}
    denoiser, x = ours("linear", "v_prediction", torch.float64), start(torch.float64)
    choice = {"steps": 9, "order": 2, "spacing": "time", "t_end": 1e-3, "denoise": False}
    wanted, _ = theirs("linear", 9, torch.float64, disable_corrector=list(range(9)), **settings)
    predictor_only = UniPc(corrector=False, thresholding="none", **choice)
    agree(list(predictor_only.trajectory(denoiser, x, None)), wanted, torch.float64)
    wanted, _ = theirs("linear", 9, torch.float64, thresholding=True, sample_max_value=1.5, **settings)
    dynamic = UniPc(thresholding="dynamic", limit=1.5, **choice)
    agree(list(dynamic.trajectory(denoiser, x, None)), wanted, torch.float64)
