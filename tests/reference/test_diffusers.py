"""With the same weights and the same noise, Hugging Face diffusers and we compute the same numbers."""

import re

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from diffusers.schedulers import scheduling_ddpm
from torch import Tensor, nn

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.prediction import target
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, alpha_sigma
from ediffuser.networks import UNet, UNetConfig
from ediffuser.samplers import Ancestral, Ddim
from ediffuser.samplers.base import trailing_times

pytestmark = pytest.mark.reference

T = 1000
SHAPE = (2, 3, 8, 8)
SCHEDULES = {"linear": LinearBetas(), "squaredcos_cap_v2": CosineBetas()}
PREDICTIONS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """On a busy machine, small operations wait far longer for a second thread than they gain from it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------ networks

DOWN, DOWN_ATTENDING, UP, UP_ATTENDING = "DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D"
PUBLISHED = {
    "layers_per_block": 2,
    "attention_head_dim": None,  # one head over all channels
    "downsample_padding": 0,  # right and below only
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
    "norm_num_groups": 32,
}
CIFAR10_32 = PUBLISHED | {
    "sample_size": 32,
    "block_out_channels": (128, 256, 256, 256),
    "down_block_types": (DOWN, DOWN_ATTENDING, DOWN, DOWN),
    "up_block_types": (UP, UP, UP_ATTENDING, UP),
}
CELEBAHQ_256 = PUBLISHED | {
    "sample_size": 256,
    "block_out_channels": (128, 128, 256, 256, 512, 512),
    "down_block_types": (DOWN, DOWN, DOWN, DOWN, DOWN_ATTENDING, DOWN),
    "up_block_types": (UP, UP_ATTENDING, UP, UP, UP, UP),
}
SMALL_16 = PUBLISHED | {
    "sample_size": 16,
    "block_out_channels": (32, 64),
    "down_block_types": (DOWN, DOWN_ATTENDING),
    "up_block_types": (UP_ATTENDING, UP),
}


def our_config(theirs: dict) -> UNetConfig:
    """The network that a diffusers configuration of this family describes."""
    side, levels = theirs["sample_size"], len(theirs["block_out_channels"])
    attends = [kind == DOWN_ATTENDING for kind in theirs["down_block_types"]]
    return UNetConfig(
        resolution=side,
        widths=theirs["block_out_channels"],
        blocks=(theirs["layers_per_block"],) * levels,
        attention=tuple(side // 2**level for level in range(levels) if attends[level]),
        convolutional_resampling=True,
        asymmetric_padding=True,
    )


RENAMED = (
    (r"time_embedding\.linear_(\d)", r"time.linear\1"),
    (r"conv_norm_out", "norm_out"),
    (r"mid_block\.resnets\.0", "middle1"),
    (r"mid_block\.resnets\.1", "middle2"),
    (r"mid_block\.attentions\.0", "middle_attention"),
    (r"(down|up)_blocks\.(\d)\.resnets\.(\d)", r"\1.\2.\3.block"),
    (r"(down|up)_blocks\.(\d)\.attentions\.(\d)", r"\1.\2.\3.attention"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"downsamplers.\1"),
    (r"up_blocks\.(\d)\.upsamplers\.0", r"upsamplers.\1"),
    (r"time_emb_proj", "time"),
    (r"conv_shortcut", "shortcut"),
    (r"group_norm", "norm"),
    (r"to_out\.0", "out"),
)


def our_weights(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a UNet2DModel under our names; the three projections of an attention become one."""
    weights = {}
    for name, value in theirs.items():
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        weights[name] = value
    for query in [name for name in weights if ".to_q." in name]:
        parts = [weights.pop(query.replace(".to_q.", f".to_{part}.")) for part in "qkv"]
        weights[query.replace(".to_q.", ".qkv.")] = torch.cat(parts)
    return weights


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """The network with every weight and bias random, none of them zero, and activations that keep their size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.normal_(generator=generator)
            value.mul_(value[0].numel() ** -0.5 if value.ndim > 1 else 0.1)
            value.add_(1 if "norm" in name and name.endswith("weight") else 0)
    return network.eval().requires_grad_(False)


def pair(theirs: dict) -> tuple[UNet2DModel, UNet]:
    """Both implementations of a network, with the same random weights (and, but for attention, the same memory)."""
    with torch.device("meta"):
        reference, network = UNet2DModel(**theirs), our_config(theirs).build()
    reference = randomised(reference.to_empty(device="cpu"), seed=0)
    network.load_state_dict(our_weights(reference.state_dict()), assign=True)
    return reference, network.eval().requires_grad_(False)


def outputs(networks: tuple[UNet2DModel, UNet], side: int, times: list[int], dtype: torch.dtype) -> list[Tensor]:
    reference, network = (each.to(dtype) for each in networks)
    x = torch.randn(len(times), 3, side, side, generator=torch.Generator().manual_seed(1)).to(dtype)
    time = torch.tensor(times)
    return [network(x, time), reference(x, time).sample]


# Times that are powers of two: diffusers multiplies them in float32 even in a float64 network, and these are exact.
@pytest.mark.parametrize(
    ("theirs", "float32_input", "float64_input"),
    [
        pytest.param(CIFAR10_32, (32, [0, 17, 500, 999]), (32, [1, 512]), id="ddpm-cifar10-32"),
        pytest.param(CELEBAHQ_256, (256, [750]), (64, [512]), id="ddpm-ema-celebahq-256"),
    ],
)
def test_networks_agree(theirs, float32_input, float64_input):
    networks = pair(theirs)
    ours, expected = outputs(networks, *float32_input, torch.float32)
    assert expected.std() > 0.3
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)
    ours, expected = outputs(networks, *float64_input, torch.float64)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


# ------------------------------------------------------------------------------------------------ schedules and steps


class Given:
    """A source of noise that always gives the same."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        assert self.noise.shape[1:] == tuple(shape)
        return self.noise


def normal(seed: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(scheduler, name: str):
    """The scheduler with its table of alpha-bar in float64; by itself it has float32."""
    betas = SCHEDULES[name].betas()
    torch.testing.assert_close(scheduler.betas, betas.float(), atol=1e-7, rtol=1e-5)
    scheduler.alphas_cumprod = (1 - betas).cumprod(0)
    return scheduler


def belief(output: Tensor, schedule: str, prediction: str) -> NetworkDenoiser:
    """A denoiser whose network always puts out the same."""
    return NetworkDenoiser(lambda x, t: output, SCHEDULES[schedule], PREDICTIONS[prediction])


def moment(index: int) -> Tensor:
    """Our time of an index of diffusers, which counts from 0 and takes -1 for the clean picture."""
    return torch.tensor((index + 1) / T, dtype=torch.float64)


def close(ours: Tensor, expected: Tensor) -> None:
    assert ours.dtype == expected.dtype == torch.float64
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noising_and_velocity_agree(schedule):
    scheduler = exact(DDPMScheduler(beta_schedule=schedule), schedule)
    x0, eps, index = normal(0, (4, 3, 8, 8)), normal(1, (4, 3, 8, 8)), torch.tensor([0, 1, 500, 999])
    t = (index + 1).double() / T
    close(noised(SCHEDULES[schedule], x0, eps, t), scheduler.add_noise(x0, eps, index))
    alpha, sigma = alpha_sigma(SCHEDULES[schedule], t, like=x0)
    close(target("v", x0, eps, alpha, sigma), scheduler.get_velocity(x0, eps, index))


@pytest.mark.parametrize("steps", [20, 30, T])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("variance", ["fixed_large", "fixed_small"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ancestral_steps_agree(monkeypatch, schedule, prediction, variance, clip, steps):
    scheduler = exact(
        DDPMScheduler(
            beta_schedule=schedule,
            prediction_type=prediction,
            variance_type=variance,
            clip_sample=clip,
            timestep_spacing="trailing",
        ),
        schedule,
    )
    scheduler.set_timesteps(steps)
    x_t, output, noise = normal(0), normal(1), normal(2)
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *args, **options: noise)
    sampler, denoiser = Ancestral(variance=variance, clip=clip), belief(output, schedule, prediction)
    grid = [*scheduler.timesteps.tolist(), -1]
    # diffusers adds noise to the finished picture where the last of fewer steps starts above index 0; see below.
    last = steps - 1 if variance == "fixed_small" or steps == T else steps - 2
    for position in (0, 1, steps // 2, steps - 2, last):
        expected = scheduler.step(output, grid[position], x_t)
        t, s = moment(grid[position]), moment(grid[position + 1])
        x_s, believed = sampler.step(denoiser, x_t, t, s, Given(noise))
        close(x_s, expected.prev_sample)
        close(believed.x0, expected.pred_original_sample)


@pytest.mark.parametrize("variance", ["fixed_large", "fixed_small"])
def test_the_last_step_adds_no_noise(variance):
    denoiser = belief(normal(1), "linear", "epsilon")
    t, s = moment(49), moment(-1)
    x_s, believed = Ancestral(variance=variance).step(denoiser, normal(0), t, s, Given(normal(2)))
    close(x_s, believed.x0)


@pytest.mark.parametrize("steps", [20, 30])
@pytest.mark.parametrize(("clip", "eps"), [(True, "derived"), (True, "raw"), (False, "derived"), (False, "raw")])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddim_steps_agree(schedule, prediction, eta, clip, eps, steps):
    scheduler = exact(
        DDIMScheduler(
            beta_schedule=schedule,
            prediction_type=prediction,
            clip_sample=clip,
            set_alpha_to_one=True,
            timestep_spacing="trailing",
        ),
        schedule,
    )
    scheduler.set_timesteps(steps)
    x_t, output, noise = normal(0), normal(1), normal(2)
    sampler, denoiser = Ddim(eta=eta, clip=clip, eps_after_clip=eps), belief(output, schedule, prediction)
    for index in scheduler.timesteps.tolist():
        expected = scheduler.step(
            output, index, x_t, eta=eta, use_clipped_model_output=eps == "derived", variance_noise=noise
        )
        # diffusers goes back T // steps from wherever it is, which leaves its own grid where steps does not divide T.
        t, s = moment(index), moment(max(index - T // steps, -1))
        x_s, believed = sampler.step(denoiser, x_t, t, s, Given(noise))
        close(x_s, expected.prev_sample)
        close(believed.x0, expected.pred_original_sample)


@pytest.mark.parametrize("steps", [1, 2, 7, 10, 13, 20, 25, 30, 50, 100, 250, T])
def test_the_grid_is_the_trailing_grid_of_diffusers(steps):
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    ours = trailing_times(LinearBetas(), steps) * T
    assert (ours[:-1].round() - 1).tolist() == scheduler.timesteps.tolist()


@pytest.mark.parametrize("total", [T, 4000])
def test_the_grid_has_exactly_that_many_steps_from_pure_noise_to_the_picture(total):
    for steps in [*range(1, 130), 333, 499, 500, 501, 667, 998, 999, T]:
        indices = trailing_times(LinearBetas(steps=total), steps) * total
        torch.testing.assert_close(indices, indices.round(), atol=1e-9, rtol=0)
        assert len(indices) == steps + 1
        assert indices[0] == total
        assert indices[-1] == 0
        assert (indices.diff() <= -1 + 1e-9).all()


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("schedule", SCHEDULES)
@torch.no_grad()
def test_trajectories_agree(schedule, eta):
    """Our network under our sampler, and theirs under theirs, both in float32 as they come."""
    reference, network = pair(SMALL_16)
    # v, and little of it: a random network that predicts eps is no denoiser, and its first steps divide every
    # difference by alpha, which is 0.006.
    for weight in (reference.conv_out.weight, reference.conv_out.bias):  # shared with ours
        weight.mul_(0.2)
    scheduler = DDIMScheduler(
        beta_schedule=schedule, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=True
    )
    scheduler.set_timesteps(20)
    start, noise = normal(3, (2, 3, 16, 16)).float(), normal(4, (2, 3, 16, 16)).float()
    sampler = Ddim(steps=20, eta=eta, eps_after_clip="raw")
    denoiser = NetworkDenoiser(network, SCHEDULES[schedule], "v")
    x = start
    for index, step in zip(scheduler.timesteps, sampler.trajectory(denoiser, start, Given(noise)), strict=True):
        x = scheduler.step(reference(x, index).sample, index, x, eta=eta, variance_noise=noise).prev_sample
        torch.testing.assert_close(step.x, x, atol=1e-4, rtol=0)
