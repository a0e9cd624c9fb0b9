"""The facade, on a small untrained network whose output is not zero."""

import dataclasses

import pytest
import torch

import ediffuser
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.generate import inpaint_steps, painted_rows
from ediffuser.model import Model, ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import to_uint8
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Unconditional
from ediffuser.tasks.colorization import luma
from ediffuser.tasks.sharpening import Sharpening

CPU = torch.device("cpu")
SAMPLERS = [ediffuser.Ddim(steps=5), ediffuser.Ddim(steps=5, eta=1.0), ediffuser.Ancestral(steps=5)]


def small_model(task: AnyTask, parametrisation: str = "v") -> Model:
    network = UNetConfig(
        resolution=16, in_channels=3 + task.condition_channels, widths=(16, 16), blocks=(1, 1), norm_groups=4
    )
    config = ModelConfig(network=network, schedule=CosineBetas(), task=task, parametrisation=parametrisation)
    torch.manual_seed(0)
    built = network.build().eval().requires_grad_(False)
    for parameter in built.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return Model(config, built, CPU, torch.float32)


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def holes():
    hole = torch.zeros(3, 1, 16, 16)
    hole[:, :, 4:12, 2:9] = 1
    return hole


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_known_pixels_are_the_given_numbers_and_the_hole_is_painted(images, holes, sampler):
    result = ediffuser.inpaint(small_model(Inpainting()), images, holes, sampler=sampler)
    outside = (holes == 0).expand_as(images)
    assert torch.equal(result[outside], images[outside])
    assert not torch.allclose(result[~outside], images[~outside], atol=0.05)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_what_lies_in_the_hole_does_not_matter(images, holes, sampler):
    model = small_model(Inpainting())
    other = torch.where(holes > 0, -images, images)
    first = ediffuser.inpaint(model, images, holes, sampler=sampler)
    assert torch.equal(first, ediffuser.inpaint(model, other, holes, sampler=sampler))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_picture_depends_on_seed_and_index_alone(sampler):
    model = small_model(Unconditional())
    together = to_uint8(ediffuser.generate(model, count=5, sampler=sampler, seed=7))
    apart = to_uint8(ediffuser.generate(model, count=5, sampler=sampler, seed=7, batch=2))
    third = to_uint8(ediffuser.generate(model, count=1, sampler=sampler, seed=7, first_index=2))
    assert (together.int() - apart.int()).abs().max() <= 1
    assert (together[2:3].int() - third.int()).abs().max() <= 1
    assert (together[0].int() - together[1].int()).abs().max() > 20
    again = to_uint8(ediffuser.generate(model, count=5, sampler=sampler, seed=7))
    assert torch.equal(together, again)


def test_colorize_keeps_the_luma_where_the_gamut_permits(images):
    grey = luma(images).expand_as(images)
    model, sampler = small_model(Colorization()), ediffuser.Ddim(steps=5)
    result = ediffuser.colorize(model, images, sampler=sampler)
    assert torch.allclose(result, ediffuser.colorize(model, grey, sampler=sampler), atol=1e-4)
    inside = (result.abs() < 1).all(dim=1, keepdim=True)
    assert inside.float().mean() > 0.2
    assert torch.allclose(luma(result)[inside], luma(images)[inside], atol=1e-5)


def test_steps_show_progress_and_end_in_the_result(images, holes):
    model, sampler = small_model(Inpainting()), ediffuser.Ddim(steps=4)
    steps = list(inpaint_steps(model, images, holes, sampler))
    assert [step.progress for step in steps] == [0.25, 0.5, 0.75, 1.0]
    assert steps[-1].calls.tolist() == [4, 4, 4]
    assert torch.equal(steps[-1].x.clamp(-1, 1), ediffuser.inpaint(model, images, holes, sampler=sampler))


@pytest.mark.parametrize("task", [Inpainting(), Unconditional()], ids=lambda task: task.kind)
def test_a_model_that_asks_for_it_is_sharpened_at_the_end_alone(task, images, holes):
    plain, sharpening = small_model(task), Sharpening(amount=0.5)
    asks = dataclasses.replace(plain, config=dataclasses.replace(plain.config, sharpening=sharpening))
    given = (images, holes) if isinstance(task, Inpainting) else (None, None)
    keys = [(0, 0), (0, 1), (0, 2)]
    *before, end = painted_rows(plain, keys, *given)
    *same, sharp = painted_rows(asks, keys, *given)
    assert all(torch.equal(one.x, other.x) for one, other in zip(before, same, strict=True))
    assert torch.equal(end.x0, sharp.x0)
    wanted = sharpening(end.x.clamp(-1, 1))
    if isinstance(task, Inpainting):
        wanted = sharpening.within(end.x.clamp(-1, 1), holes)
        assert torch.equal(torch.where(holes > 0, 0, sharp.x), torch.where(holes > 0, 0, images))
    torch.testing.assert_close(sharp.x, wanted)
    assert not torch.allclose(sharp.x, end.x, atol=0.01)


def test_a_run_can_be_cancelled_by_leaving_the_loop(images, holes):
    calls = []
    model = small_model(Inpainting())
    model.network.register_forward_pre_hook(lambda *_: calls.append(1))
    steps = inpaint_steps(model, images, holes, ediffuser.Ddim(steps=10))
    next(steps)
    steps.close()
    assert len(calls) == 1


def test_empty_and_full_holes_work(images):
    model = small_model(Inpainting())
    nothing = torch.zeros(3, 1, 16, 16)
    assert torch.equal(ediffuser.inpaint(model, images, nothing, sampler=ediffuser.Ddim(steps=3)), images)
    everything = ediffuser.inpaint(model, images, nothing + 1, sampler=ediffuser.Ddim(steps=3))
    assert everything.isfinite().all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda images, holes: (images[:, :, :8], holes), "images must have the model's shape"),
        (lambda images, holes: (images * 3, holes), r"finite numbers in \[-1, 1\]"),
        (lambda images, holes: (images * float("nan"), holes), r"finite numbers in \[-1, 1\]"),
        (lambda images, holes: (images, holes[:1]), "holes must be 0 or 1 with shape"),
        (lambda images, holes: (images, holes * 0.5), "holes must be 0 or 1"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(images, holes, change, said):
    with pytest.raises(BadInputError, match=said):
        ediffuser.inpaint(small_model(Inpainting()), *change(images, holes))


def test_a_model_of_another_task_is_refused(images, holes):
    with pytest.raises(BadInputError, match="trained for unconditional; inpainting needs"):
        ediffuser.inpaint(small_model(Unconditional()), images, holes)
    with pytest.raises(BadInputError, match="trained for inpainting; unconditional needs"):
        ediffuser.generate(small_model(Inpainting()))
    with pytest.raises(BadInputError, match="at least 1"):
        ediffuser.generate(small_model(Unconditional()), count=0)


def test_a_model_can_be_loaded_from_a_checkpoint_or_a_run(tmp_path, images, holes):
    model = small_model(Inpainting())
    for images_seen in (9, 10):
        write_checkpoint(tmp_path / "checkpoints" / f"{images_seen}", model_files(model.config, model.network))
    expected = ediffuser.inpaint(model, images, holes, sampler=ediffuser.Ddim(steps=3))
    for path in (tmp_path, tmp_path / "checkpoints" / "10"):
        loaded = ediffuser.load(path, device="cpu", precision="float32")
        assert torch.equal(ediffuser.inpaint(loaded, images, holes, sampler=ediffuser.Ddim(steps=3)), expected)


def test_an_unknown_model_names_the_nearest(tmp_path):
    with pytest.raises(BadInputError, match=r"unknown model 'photos-12'.*photos-128"):
        ediffuser.load("photos-12")
    (tmp_path / "model.txt").write_text("x")
    with pytest.raises(BadInputError, match="is a file; a model is a checkpoint directory"):
        ediffuser.load(tmp_path / "model.txt")
