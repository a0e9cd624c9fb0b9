import pytest
import torch
from torch import nn

from ediffuser.conditioning import Concat, ConcatDenoiser
from ediffuser.diffusion.denoiser import Denoiser, NetworkDenoiser
from ediffuser.diffusion.schedules import CosineBetas, alpha_sigma
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.samplers import Ancestral, Ddim
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.tasks.colorization import luma

SAMPLERS = [
    Ancestral(steps=6, variance="fixed_small"),
    Ancestral(steps=6, variance="fixed_large"),
    Ancestral(steps=6, clip=False),
    Ddim(steps=6),
    Ddim(steps=6, eta=1),
    Ddim(steps=6, eta=0.5, clip=False),
    Ddim(steps=6, eps_after_clip="raw"),
]
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)


class Wrong(nn.Module):
    """Puts out numbers that have nothing to do with the picture, and remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x, time):
        self.shown.append(x.clone())
        return 3 * torch.sin(7 * x[:, :3] + time[:, None, None, None])


def photos(rows=2):
    """Every grey level occurs, the ends among them."""
    levels = torch.randint(0, 256, (rows, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    levels.flatten()[:256] = torch.arange(256, dtype=torch.uint8)
    return levels


def run(task, images, sampler, hole=None, parametrisation="x0", seed=0, network=None):
    noise = Noise.rows(seed, range(len(images)))
    observation = task.observe(images, noise, hole)
    denoiser = NetworkDenoiser(network or Wrong(), CosineBetas(), parametrisation)
    bound, sampler = Concat().bind(denoiser, sampler, observation)
    *_, last = sampler.trajectory(bound, noise.normal((3, 16, 16)), noise)
    return last.x, observation, bound


@pytest.mark.parametrize("parametrisation", ["x0", "eps", "v"])
@pytest.mark.parametrize("hole_channel", [True, False])
@every_sampler
def test_every_sampler_ends_with_the_known_pixels(sampler, hole_channel, parametrisation):
    levels = photos()
    x, observation, _ = run(Inpainting(hole_channel=hole_channel), from_uint8(levels), sampler, None, parametrisation)
    outside = (observation.weight == 0).expand_as(levels)
    assert torch.equal(to_uint8(x)[outside], levels[outside])
    assert not torch.equal(to_uint8(x)[~outside], levels[~outside])
    assert x.isfinite().all()
    assert torch.equal(observation.keep(x)[outside], from_uint8(levels)[outside])


@every_sampler
def test_what_lies_in_the_hole_has_no_influence(sampler):
    images = from_uint8(photos())
    hole = Inpainting().holes.draw(Noise.rows(5, range(2)), (16, 16))
    whole, _, _ = run(Inpainting(), images, sampler, hole)
    for garbage in (0.0, -1.0, 1e6, -1e30):
        assert torch.equal(run(Inpainting(), torch.where(hole == 1, garbage, images), sampler, hole)[0], whole)


def test_the_network_sees_clean_known_pixels_outside_the_hole_and_the_noisy_state_inside():
    images, network = from_uint8(photos()), Wrong()
    noise = Noise.rows(0, range(2))
    observation = Inpainting().observe(images, noise)
    bound, _ = Concat().bind(NetworkDenoiser(network, CosineBetas(), "x0"), Ddim(), observation)
    hole = observation.weight
    for t in (1.0, 0.5, 0.001):
        x_t, time = 2 * noise.normal((3, 16, 16)), torch.tensor(t)
        prediction = bound(x_t, time)
        bound.output(x_t, time)  # what training calls
        for shown in network.shown[-2:]:
            assert torch.equal(shown[:, :3], torch.where(hole == 1, x_t, images))
            assert torch.equal(shown[:, 3:6], torch.where(hole == 1, 0.0, images))
            assert torch.equal(shown[:, 6:], hole)
        assert torch.equal(prediction.x_t, x_t)  # the sampler's state keeps its own noise level
        assert torch.equal(prediction.x0, torch.where(hole == 1, network(shown, time.expand(2) * 1000 - 1), images))


def test_the_state_outside_the_hole_keeps_its_noise_level():
    """The eps that samplers move along belongs to x_t and the known pixels, not to what the network was shown."""
    images, noise = from_uint8(photos(64)), Noise.rows(0, range(64))
    observation = Inpainting().observe(images, noise)
    bound, sampler = Concat().bind(NetworkDenoiser(Wrong(), CosineBetas(), "x0"), Ancestral(steps=6), observation)
    outside = observation.weight.expand_as(images) == 0
    for step in sampler.trajectory(bound, noise.normal((3, 16, 16)), noise):
        alpha, sigma = alpha_sigma(bound.schedule, step.t, like=step.x)
        rest = (step.x - alpha * images)[outside]
        # fixed_large adds more noise than the posterior has, so the level may be higher, never lower.
        assert rest.std() < 2 * sigma.item() + 1e-6
        assert rest.std() > 0.95 * sigma.item() - 1e-6
        assert abs(rest.mean()) < 0.02


@every_sampler
def test_colorization_leaves_the_state_alone_and_knows_the_luma(sampler):
    images, network = from_uint8(photos()), Wrong()
    x, observation, bound = run(Colorization(), images, sampler, network=network)
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    prediction = bound(x_t, torch.tensor(0.5))
    assert torch.equal(network.shown[-1][:, :3], x_t)
    assert torch.equal(network.shown[-1][:, 3:], luma(images).expand(-1, 3, -1, -1))
    assert torch.allclose(luma(prediction.x0), luma(images), atol=1e-6)
    # Clipping to the range of pixels may cost luma; putting it back is the caller's last step.
    end = observation.keep(x) if sampler.clip else x
    assert torch.allclose(luma(end), luma(images), atol=2e-6)
    assert not torch.allclose(end, images, atol=0.1)


def test_only_the_luma_has_an_influence_on_colours():
    images = from_uint8(photos())
    grey = luma(images).expand_as(images)
    assert torch.allclose(
        run(Colorization(), images, Ddim(steps=4, clip=False))[0],
        run(Colorization(), grey, Ddim(steps=4, clip=False))[0],
        atol=1e-4,
    )


def test_binding_keeps_the_types():
    observation = Inpainting().observe(from_uint8(photos()), Noise.rows(0, range(2)))
    denoiser = NetworkDenoiser(Wrong(), CosineBetas(), "v")
    bound, sampler = Concat().bind(denoiser, Ddim(steps=3), observation)
    assert isinstance(bound, Denoiser)
    assert isinstance(bound, ConcatDenoiser)
    assert sampler == Ddim(steps=3)
    assert bound.schedule == denoiser.schedule
    assert bound.parametrisation == "v"
    assert denoiser.condition is None


def test_a_denoiser_that_was_not_trained_on_the_task_is_refused():
    images, noise = from_uint8(photos()), Noise.rows(0, range(2))
    trained, inpainting = NetworkDenoiser(Wrong(), CosineBetas()), Inpainting().observe(images, noise)
    with pytest.raises(TypeError, match="concat needs a network that was trained with"):
        Concat().bind(trained, Ddim(), Unconditional().observe(images, noise))
    bound, _ = Concat().bind(trained, Ddim(), inpainting)
    with pytest.raises(TypeError, match="concat needs a network that was trained with"):
        Concat().bind(bound, Ddim(), inpainting)
