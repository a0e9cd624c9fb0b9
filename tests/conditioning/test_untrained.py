"""What every conditioning of a model that was not trained on the task owes, on every sampler that it binds to."""

import dataclasses
import re
from typing import get_args

import pytest
import torch
from torch import nn

import ediffuser
from ediffuser.conditioning import AnyConditioning, Concat, Dps, NullSpace, RePaint, Replacement
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.generate import inpaint_steps
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.samplers import Ancestral, Ddim, FinalCorrector, PredictorCorrector, ProbabilityFlow, StepSampler
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.tasks.colorization import LUMA_WEIGHTS, luma
from test_registry import ONE_OF_EACH

ROWS, SIDE = 3, 8


def variants(cls) -> list:
    """The default, short where it can be, and each of its choices of words."""
    names = {field.name for field in dataclasses.fields(cls)}
    small = {name: 2 for name in ("jump_length", "passes") if name in names}
    choices = [{}] + [
        {field.name: word}
        for field in dataclasses.fields(cls)
        for words in (field.type, *get_args(field.type))
        for word in get_args(words)
        if isinstance(word, str) and field.name != "kind"
    ]
    return list(dict.fromkeys(cls(**small, **choice) for choice in choices))


KINDS = [cls for cls in get_args(get_args(AnyConditioning)[0]) if cls is not Concat]
CONDITIONINGS = [conditioning for cls in KINDS for conditioning in variants(cls)]


def fits(conditioning, sampler) -> bool:
    """Whether the pair should work: what redraws noise or moves between single steps needs single steps."""
    return isinstance(sampler, StepSampler) or not (
        isinstance(conditioning, Dps | RePaint) or getattr(conditioning, "known_noise", None) == "fresh"
    )


PAIRS = [(conditioning, sampler) for conditioning in CONDITIONINGS for sampler in ONE_OF_EACH]
# Unless it is said, the known noise is fresh on samplers of single steps and kept on others: no pair runs twice.
FITTING = [
    (conditioning, sampler)
    for conditioning, sampler in PAIRS
    if fits(conditioning, sampler)
    and getattr(conditioning, "known_noise", None) in (None, "kept" if isinstance(sampler, StepSampler) else None)
]


def parametrised(pairs):
    ids = [f"{conditioning}-{sampler.kind}" for conditioning, sampler in pairs]
    return pytest.mark.parametrize(("conditioning", "sampler"), pairs, ids=ids)


class Quick(nn.Module):
    """A network of one layer, in which every pixel depends on its neighbours and on time."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x, time):
        return torch.tanh(self.mix(x) + time[:, None, None, None] / 1000)


@pytest.fixture(scope="module")
def model() -> Model:
    network = UNetConfig(resolution=SIDE, widths=(8,), blocks=(1,), norm_groups=4)  # for its resolution only
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Unconditional(), parametrisation="v")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        quick = Quick().eval().requires_grad_(False)
    return Model(config, quick, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def levels():
    return torch.randint(0, 256, (ROWS, 3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def holes():
    holes = torch.zeros(ROWS, 1, SIDE, SIDE)
    holes[:, :, 2:6, 1:5] = 1
    return holes


def observed(task=None, images=None, hole=None):
    images = torch.zeros(ROWS, 3, SIDE, SIDE) if images is None else images
    return (task or Inpainting()).observe(images, Noise.rows(0, range(len(images))), hole)


def test_the_pairs_that_cannot_work_are_these():
    refused = {(c.kind, s.kind) for c in CONDITIONINGS for s in ONE_OF_EACH if not fits(c, s)}
    assert {("repaint", "probability_flow"), ("repaint", "final_corrector")} <= refused
    assert {("replacement", "probability_flow"), ("replacement", "final_corrector")} <= refused
    assert not {kind for kind, _ in refused} & {"null_space", "pigdm"}
    assert not {name for _, name in refused} & {"ancestral", "ddim", "predictor_corrector"}


@parametrised(PAIRS)
def test_a_pair_that_cannot_work_is_a_type_error_with_a_sentence_that_names_what_would(conditioning, sampler, model):
    if fits(conditioning, sampler):
        denoiser, bound = conditioning.bind(model.denoiser, sampler, observed())
        assert denoiser.schedule == model.denoiser.schedule
        assert callable(bound.trajectory)
        return
    said = re.escape(f"such as ancestral, ddim or predictor_corrector, and {sampler.kind} is none; ")
    with pytest.raises(TypeError, match=said) as error:
        conditioning.bind(model.denoiser, sampler, observed())
    assert isinstance(error.value, BadInputError)  # so the command line ends with one line, too


@parametrised(FITTING)
def test_known_pixels_are_bit_exact_in_the_returned_bytes(conditioning, sampler, model, levels, holes):
    """Traps 28 and 29: the state carries the known part at its own level, so the last one carries it as it is."""
    images, outside = from_uint8(levels), (holes == 0).expand(-1, 3, -1, -1)
    progress, step = [0.0], None
    for step in inpaint_steps(model, images, holes, sampler, conditioning):
        progress.append(step.progress)
        assert torch.equal(step.x0[outside], images[outside])  # previews show what is known
        assert step.calls.shape == (ROWS,)
    assert progress == sorted(progress)
    assert progress[-1] == 1
    result = step.x.clamp(-1, 1)
    assert torch.equal(to_uint8(result)[outside], levels[outside])
    assert torch.equal(result[outside], images[outside])
    assert result.isfinite().all()
    assert (result - images)[~outside].abs().mean() > 0.05


@parametrised(FITTING)
def test_a_picture_is_the_same_in_any_batch_and_whatever_lies_in_the_hole(conditioning, sampler, model, levels, holes):
    images, options = from_uint8(levels), {"sampler": sampler, "conditioning": conditioning}
    whole = ediffuser.inpaint(model, images, holes, **options)
    hidden = torch.where(holes > 0, -images, images)
    assert torch.equal(ediffuser.inpaint(model, hidden, holes, **options), whole)
    alone = ediffuser.inpaint(model, images[1:2], holes[1:2], first_index=1, **options)
    assert (to_uint8(alone).int() - to_uint8(whole[1:2]).int()).abs().max() <= 1


@parametrised(FITTING)
def test_an_empty_hole_gives_the_picture_back(conditioning, sampler, model, levels, holes):
    """Trap 32, first half."""
    result = ediffuser.inpaint(model, from_uint8(levels), 0 * holes, sampler=sampler, conditioning=conditioning)
    assert torch.equal(to_uint8(result), levels)


@parametrised(FITTING)
def test_a_full_hole_is_unconditional_sampling(conditioning, sampler, model, levels, holes):
    """Trap 32, second half. What draws noise for the known part, or jumps, has the same pictures at other noise."""
    full, options = torch.ones_like(holes), {"sampler": sampler, "seed": 3}
    result = ediffuser.inpaint(model, from_uint8(levels), full, conditioning=conditioning, **options)
    assert result.isfinite().all()
    draws = getattr(conditioning, "known_noise", "kept") != "kept" and isinstance(sampler, StepSampler)
    if not isinstance(conditioning, RePaint) and (not draws or isinstance(sampler, Ddim)):
        free = ediffuser.generate(model, count=ROWS, **options)
        torch.testing.assert_close(result, free, atol=1e-5, rtol=0)


@torch.no_grad()
def coloured(model, images, conditioning, sampler):
    """As `ediffuser.colorize` does it, but not clamped to the range of pixels, which costs luma."""
    noise = Noise.rows(0, range(ROWS))
    observation = Colorization().observe(images, noise)
    denoiser, bound = conditioning.bind(model.denoiser, sampler, observation)
    *_, last = bound.trajectory(denoiser, noise.normal(images.shape[1:]), noise)
    return observation.keep(last.x)


@parametrised(FITTING)
def test_the_same_projection_serves_colorization(conditioning, sampler, model, levels):
    """Trap 33: the luma comes back, and nothing else of the picture has an influence."""
    images = from_uint8(levels)
    result = coloured(model, images, conditioning, sampler)
    size = result.abs().max().clamp(min=1)
    assert (luma(result) - luma(images)).abs().max() < 1e-6 * size
    assert (result - images).abs().mean() > 0.05
    clamped = ediffuser.colorize(model, images, sampler=sampler, conditioning=conditioning)
    assert torch.equal(clamped, result.clamp(-1, 1))
    if not isinstance(sampler, ProbabilityFlow | FinalCorrector):  # a rounding error may choose other steps
        grey = coloured(model, luma(images).expand_as(images), conditioning, sampler)
        assert (result - grey).abs().max() < 1e-3 * size


def test_the_luma_direction_is_orthonormal_and_the_grey_of_a_picture_comes_back():
    """Trap 33, with the direction of ITU-R 601 in place of score_sde's (1, 1, 1) / sqrt(3)."""
    basis = torch.eye(3).reshape(3, 3, 1, 1)
    matrix = observed(Colorization(), basis).project(basis).reshape(3, 3)
    direction = torch.tensor(LUMA_WEIGHTS) / torch.tensor(LUMA_WEIGHTS).norm()
    assert torch.allclose(matrix, torch.outer(direction, direction), atol=1e-6)
    assert torch.allclose(matrix @ matrix, matrix, atol=1e-6)
    assert torch.trace(matrix).item() == pytest.approx(1, abs=1e-6)
    every_grey = from_uint8(torch.arange(256, dtype=torch.uint8)).reshape(256, 1, 1, 1).expand(-1, 3, 1, 1)
    wild = 2 * torch.rand(256, 3, 1, 1, generator=torch.Generator().manual_seed(0)) - 1
    kept = observed(Colorization(), every_grey).keep(wild)
    assert torch.equal(to_uint8(luma(kept)), to_uint8(every_grey[:, :1]))


# ------------------------------------------------------------------------------------------------ refusals


def trained(task) -> Model:
    network = UNetConfig(
        resolution=SIDE, in_channels=3 + task.condition_channels, widths=(8,), blocks=(1,), norm_groups=4
    )
    config = ModelConfig(network=network, schedule=CosineBetas(), task=task, parametrisation="v")
    return Model(config, network.build().eval(), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("conditioning", [kind() for kind in KINDS], ids=lambda conditioning: conditioning.kind)
def test_a_model_trained_on_the_task_takes_no_other_conditioning(conditioning, levels, holes):
    said = f"was trained for inpainting and is told itself what is known: .* {conditioning.kind} is for models"
    with pytest.raises(BadInputError, match=said):
        ediffuser.inpaint(trained(Inpainting()), from_uint8(levels), holes, conditioning=conditioning)
    said = f"was trained for colorization and is told itself what is known: .* {conditioning.kind} is for models"
    with pytest.raises(BadInputError, match=said):
        ediffuser.colorize(trained(Colorization()), from_uint8(levels), conditioning=conditioning)
    with pytest.raises(BadInputError, match="trained for colorization; inpainting needs a model trained for it"):
        ediffuser.inpaint(trained(Colorization()), from_uint8(levels), holes, conditioning=conditioning)


@pytest.mark.parametrize("conditioning", [None, Concat()])
def test_an_unconditional_model_needs_a_conditioning_and_is_told_which_there_are(conditioning, model, levels, holes):
    said = "trained for unconditional; {} needs a model trained for it, or one of the conditionings .*null_space, .*"
    with pytest.raises(BadInputError, match=said.format("inpainting")) as error:
        ediffuser.inpaint(model, from_uint8(levels), holes, conditioning=conditioning)
    assert all(kind().kind in str(error.value) for kind in KINDS)
    assert "concat" not in str(error.value)
    with pytest.raises(BadInputError, match=said.format("colorization")):
        ediffuser.colorize(model, from_uint8(levels), conditioning=conditioning)


def test_concat_on_a_network_that_was_not_trained_on_a_task_is_a_type_error(model):
    with pytest.raises(TypeError, match="concat needs a network that was trained with"):
        Concat().bind(model.denoiser, Ddim(), observed(Unconditional()))


def test_colours_need_a_model_of_rgb_pictures(levels):
    network = UNetConfig(resolution=SIDE, in_channels=1, out_channels=1, widths=(8,), blocks=(1,), norm_groups=4)
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Unconditional())
    grey = Model(config, network.build().eval(), torch.device("cpu"), torch.float32)
    with pytest.raises(BadInputError, match="needs a model of RGB pictures, 3 channels; this one's have 1"):
        ediffuser.colorize(grey, from_uint8(levels)[:, :1], conditioning=NullSpace())
    inpainted = ediffuser.inpaint(
        grey, from_uint8(levels)[:, :1], torch.ones(ROWS, 1, SIDE, SIDE), conditioning=NullSpace()
    )
    assert inpainted.shape == (ROWS, 1, SIDE, SIDE)


def test_step_samplers_stay_step_samplers_under_replacement_but_not_under_repaint(model):
    for sampler in (Ancestral(steps=4), Ddim(steps=4), PredictorCorrector(steps=4)):
        for replacement in (Replacement(), Replacement(known_noise="kept")):
            _, bound = replacement.bind(model.denoiser, sampler, observed())
            assert isinstance(bound, StepSampler)
        _, bound = RePaint().bind(model.denoiser, sampler, observed())
        assert not isinstance(bound, StepSampler)
        with pytest.raises(TypeError, match="ResamplingSampler is none"):
            RePaint().bind(model.denoiser, bound, observed())
