import pytest
import torch

from ediffuser.runtime.noise import Noise
from ediffuser.tasks import Colorization, Inpainting, Task, Unconditional
from ediffuser.tasks.colorization import LUMA_WEIGHTS, luma
from ediffuser.tasks.masks import CentreBox
from ediffuser.tasks.smooth_fill import smooth_fill

TASKS = [
    Colorization(),
    Inpainting(),
    Inpainting(fill="smooth"),
    Inpainting(hole_channel=False, holes=CentreBox()),
    Unconditional(),
]
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)


def pictures(count=3):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 4, 3, 16, 16, dtype=torch.float64, generator=generator).mul(2).sub(1).unbind(0)


@every_task
def test_what_is_known_is_an_orthogonal_projection(task):
    x0, x, y = pictures()
    observation = task.observe(x0, Noise.rows(0, range(4)))
    project = observation.project
    assert torch.allclose(project(project(x)), project(x), atol=1e-14)
    assert (project(x) * y).sum().item() == pytest.approx((x * project(y)).sum().item(), rel=1e-12)
    assert torch.allclose(project(2 * x - y), 2 * project(x) - project(y), atol=1e-14)
    assert torch.allclose(observation.known, project(x0), atol=1e-14)


@every_task
def test_keeping_puts_back_what_is_known_and_changes_nothing_else(task):
    x0, x, _ = pictures()
    observation = task.observe(x0, Noise.rows(0, range(4)))
    kept = observation.keep(x)
    assert torch.allclose(observation.project(kept), observation.known, atol=1e-14)
    assert torch.allclose(kept - observation.project(kept), x - observation.project(x), atol=1e-14)
    assert torch.allclose(observation.keep(kept), kept, atol=1e-14)
    assert torch.allclose(observation.keep(x0), x0, atol=1e-14)


@every_task
def test_tasks_say_how_many_channels_they_add(task):
    x0, *_ = pictures()
    observation = task.observe(x0.float(), Noise.rows(0, range(4)))
    channels = 0 if observation.condition is None else observation.condition.shape[1]
    assert channels == task.condition_channels
    assert isinstance(task, Task)
    assert observation.known.dtype == torch.float32


def test_inpainting_keeps_pixels_outside_the_hole_exactly():
    x0, x, _ = (picture.float() for picture in pictures())
    hole = Inpainting().holes.draw(Noise.rows(1, range(4)), (16, 16))
    observation = Inpainting().observe(x0, Noise.rows(0, range(4)), hole)
    assert torch.equal(observation.keep(x), torch.where(hole == 1, x, x0))
    assert torch.equal(observation.weight, hole)
    assert torch.equal(observation.condition, torch.cat([torch.where(hole == 1, 0.0, x0), hole], dim=1))
    assert observation.known_in_input


@pytest.mark.parametrize("hole_channel", [True, False])
def test_the_network_may_be_given_the_hole_filled_smoothly(hole_channel):
    x0, *_ = (picture.float() for picture in pictures())
    zeros, smooth = (Inpainting(hole_channel=hole_channel, fill=fill) for fill in ("zeros", "smooth"))
    hole = zeros.holes.draw(Noise.rows(1, range(4)), (16, 16))
    before, after = (task.observe(x0, Noise.rows(0, range(4)), hole) for task in (zeros, smooth))
    assert torch.equal(after.condition[:, :3], smooth_fill(before.condition[:, :3], hole))
    assert torch.equal(after.condition[:, 3:], before.condition[:, 3:])
    assert torch.equal(after.known, before.known)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_full_and_an_empty_hole_work(value):
    x0, x, _ = pictures()
    observation = Inpainting().observe(x0, Noise.rows(0, range(4)), torch.full((4, 1, 16, 16), value))
    assert torch.equal(observation.keep(x), x if value else x0)


def test_without_a_hole_inpainting_draws_its_own():
    x0, *_ = pictures()
    drawn = Inpainting().observe(x0, Noise.rows(3, range(4)))
    assert torch.equal(drawn.weight.float(), Inpainting().holes.draw(Noise.rows(3, range(4)), (16, 16)))


def test_luma_is_that_of_itu_r_601():
    assert LUMA_WEIGHTS == (0.299, 0.587, 0.114)
    assert sum(LUMA_WEIGHTS) == pytest.approx(1)
    colours = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1], [-1, -1, -1], [0.5, 0.5, 0.5]])
    assert luma(colours[:, :, None, None]).flatten().tolist() == pytest.approx([-0.402, 0.174, -0.772, 1, -1, 0.5])


def test_colorization_is_given_the_luma_thrice_and_all_of_the_picture_counts():
    x0, *_ = pictures()
    observation = Colorization().observe(x0, Noise.rows(0, range(4)))
    assert torch.equal(observation.condition, luma(x0).repeat(1, 3, 1, 1))
    assert observation.weight is None
    assert not observation.known_in_input


def test_nothing_is_known_of_an_unconditional_picture():
    x0, x, _ = pictures()
    observation = Unconditional().observe(x0, Noise.rows(0, range(4)))
    assert observation.condition is None
    assert torch.equal(observation.keep(x), x)
