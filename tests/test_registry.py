"""What every member of every union owes to the command line, the checkpoint's JSON and the web form."""

import dataclasses
import json
from typing import get_args

import pydantic
import pytest
import torch

from ediffuser.conditioning import AnyConditioning, Concat, Conditioning
from ediffuser.data import AnyOrder, DataSet
from ediffuser.diffusion.losses import AnyObjective, AnyWeighting
from ediffuser.diffusion.schedules import AnySchedule, Schedule
from ediffuser.likelihood import AnyTrace
from ediffuser.networks import Network
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.samplers import AnyCorrector, AnyPredictor, AnySampler, Ddim, Sampler
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Task
from ediffuser.tasks.masks import AnyHoles, CentreBox
from ediffuser.training.ema import AnyEma
from ediffuser.training.times import AnyTimes

UNIONS = {
    "samplers": AnySampler,
    "predictors": AnyPredictor,
    "correctors": AnyCorrector,
    "traces": AnyTrace,
    "tasks": AnyTask,
    "holes": AnyHoles,
    "conditionings": AnyConditioning,
    "schedules": AnySchedule,
    "objectives": AnyObjective,
    "weightings": AnyWeighting,
    "times": AnyTimes,
    "orders": AnyOrder,
    "ema": AnyEma,
    "data": DataSet,
    "networks": Network,
}
NEEDED = {"unet": {"resolution": 16}}
"""Fields without a default, by kind."""


def members(union) -> tuple[type, ...]:
    """The classes of a union, which may have only one so far."""
    return (union,) if isinstance(union, type) else get_args(get_args(union)[0])


def kind_of(cls) -> str:
    return next(field.default for field in dataclasses.fields(cls) if field.name == "kind")


def make(cls):
    return cls(**NEEDED.get(kind_of(cls), {}))


PAIRS = [
    pytest.param(union, cls, id=f"{name}-{cls.__name__}") for name, union in UNIONS.items() for cls in members(union)
]
every_member = pytest.mark.parametrize(("union", "cls"), PAIRS)


@pytest.mark.parametrize("union", UNIONS.values(), ids=UNIONS.keys())
def test_kinds_are_unique_in_a_union(union):
    kinds = [kind_of(cls) for cls in members(union)]
    assert len(set(kinds)) == len(kinds)


@every_member
def test_json_brings_back_an_equal_component(union, cls):
    value = make(cls)
    text = to_json(value, union)
    assert json.loads(text)["kind"] == value.kind
    back = from_json(text, union)
    assert back == value
    assert type(back) is cls
    assert hash(back) == hash(value)


@every_member
def test_every_numeric_field_survives_json(union, cls):
    """A value that is not the default comes back too, to the last bit."""
    for field in dataclasses.fields(cls):
        value = make(cls)
        if isinstance(getattr(value, field.name), float):
            changed = dataclasses.replace(value, **{field.name: getattr(value, field.name) * (1 - 2**-40) or 2**-40})
            assert from_json(to_json(changed, union), union) == changed != value


@every_member
def test_wrong_fields_are_refused(union, cls):
    fields = json.loads(to_json(make(cls), union))
    with pytest.raises(pydantic.ValidationError, match="stepz"):
        from_json(json.dumps(fields | {"stepz": 3}), union)
    with pytest.raises(pydantic.ValidationError, match="stepz"):
        cls(**NEEDED.get(kind_of(cls), {}), stepz=3)
    with pytest.raises(pydantic.ValidationError, match=r"kind|discriminator|tag"):
        from_json(json.dumps(fields | {"kind": "no such kind"}), union)
    for name in fields.keys() - {"kind"}:
        with pytest.raises(pydantic.ValidationError, match=name):
            from_json(json.dumps(fields | {name: {"no": "such value"}}), union)


@every_member
def test_components_are_frozen(union, cls):
    value = make(cls)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.kind = "another"


@every_member
def test_the_schema_describes_every_member(union, cls):
    schema = pydantic.TypeAdapter(union).json_schema()
    own = schema.get("$defs", {}).get(cls.__name__, schema)
    assert len(own["description"].split()) >= 4
    assert not own["description"].startswith(f"{cls.__name__}(")  # what dataclasses make up where there is no docstring
    assert own["additionalProperties"] is False


@pytest.mark.parametrize("cls", members(AnySampler))
def test_samplers_keep_their_protocol(cls):
    assert isinstance(cls(), Sampler)


@pytest.mark.parametrize("cls", members(AnyTask))
def test_tasks_keep_their_protocol(cls):
    assert isinstance(cls(), Task)


@pytest.mark.parametrize("cls", members(AnyConditioning))
def test_conditionings_keep_their_protocol(cls):
    assert isinstance(cls(), Conditioning)


@pytest.mark.parametrize("cls", members(AnySchedule))
def test_schedules_keep_their_protocol(cls):
    assert isinstance(cls(), Schedule)


# ------------------------------------------------------------------------------- the same picture in any batch

ROWS = 4


def variants(cls) -> list[Sampler]:
    """Four steps with each choice that the sampler offers, the default first."""
    choices = [{}]
    for field in dataclasses.fields(cls):
        if field.name == "eta":
            choices += [{"eta": 0.5}, {"eta": 1.0}]
        elif field.name not in ("kind", "steps"):
            choices += [{field.name: value} for value in get_args(field.type) if isinstance(value, str)]
        for union in (AnyPredictor, AnyCorrector):
            choices += [{field.name: part()} for part in members(union) if field.type is union]
    return list(dict.fromkeys(cls(**few(cls, choice), **choice) for choice in choices))


def few(cls, choice) -> dict[str, object]:
    """What keeps a sampler short: few steps, or where it chooses them itself a wide tolerance and an early end."""
    names = {field.name for field in dataclasses.fields(cls)}
    if "tolerance" in names and choice.get("solver", getattr(cls(), "solver", None)) not in ("heun", "euler"):
        return {"tolerance": 0.05, "t_end": 0.1}
    return {"steps": 4} if "steps" in names else {"sampler": Ddim(steps=4)}


ROUGHER = {"dpm_solver": 8}
"""Grey levels that bf16 may change where a step multiplies what the network rounds: four calls are one of order 3."""

SAMPLERS = [sampler for cls in members(AnySampler) for sampler in variants(cls)]
ONE_OF_EACH = [variants(cls)[0] for cls in members(AnySampler)]
every_parametrisation = pytest.mark.parametrize("parametrisation", ["eps", "v", "x0"])


@torch.no_grad()
def sampled(sampler, denoiser, indices, task=None, images=None):
    """Pictures of one seed: uint8 levels, shape (len(indices), 3, 16, 16)."""
    noise = Noise.rows(3, indices)
    if task is not None:
        observation = task.observe(images[list(indices)], noise)
        denoiser, sampler = Concat().bind(denoiser, sampler, observation)
    start = denoiser.schedule.sigma(torch.tensor(1.0)).float() * noise.normal((3, 16, 16))
    *_, last = sampler.trajectory(denoiser, start, noise)
    return to_uint8(last.x).int()


def in_batches(sizes, sampler, denoiser, *task):
    """All rows, made in batches of these sizes."""
    rows = torch.arange(ROWS).split(list(sizes))
    return torch.cat([sampled(sampler, denoiser, part.tolist(), *task) for part in rows])


@every_parametrisation
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_picture_is_the_same_in_any_batch(sampler, parametrisation, random_denoiser):
    learned = getattr(sampler, "variance", None) == "learned"
    denoiser = random_denoiser(parametrisation=parametrisation, learned_variance=learned)
    whole = in_batches([4], sampler, denoiser)
    assert torch.equal(in_batches([4], sampler, denoiser), whole)  # same batch twice: bit for bit
    for sizes in ([1, 3], [2, 1, 1]):
        assert (in_batches(sizes, sampler, denoiser) - whole).abs().max() <= 1
    assert whole.float().std(dim=0).mean() > 10  # they are different pictures


@pytest.mark.parametrize("task", [Inpainting(), Inpainting(holes=CentreBox()), Colorization()], ids=repr)
@pytest.mark.parametrize("sampler", ONE_OF_EACH, ids=lambda sampler: sampler.kind)
def test_a_conditioned_picture_is_the_same_in_any_batch(sampler, task, random_denoiser):
    levels = torch.randint(0, 256, (ROWS, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    given = (task, from_uint8(levels))
    denoiser = random_denoiser(task.condition_channels, parametrisation="x0")
    whole = in_batches([4], sampler, denoiser, *given)
    assert torch.equal(in_batches([4], sampler, denoiser, *given), whole)
    assert (in_batches([1, 3], sampler, denoiser, *given) - whole).abs().max() <= 1


@every_parametrisation
@pytest.mark.parametrize("sampler", ONE_OF_EACH, ids=lambda sampler: sampler.kind)
def test_in_bf16_a_picture_differs_by_less_than_two_grey_levels_on_average(sampler, parametrisation, random_denoiser):
    """The stated figures, means over all pixels in grey levels; `pytest -s -k bf16` prints them."""
    denoiser = random_denoiser(parametrisation=parametrisation, precision=torch.bfloat16)
    whole = in_batches([4], sampler, denoiser)
    assert torch.equal(in_batches([4], sampler, denoiser), whole)
    others = {
        "other batches": in_batches([1, 3], sampler, denoiser),
        "float32": in_batches([4], sampler, dataclasses.replace(denoiser, precision=torch.float32)),
    }
    means = {name: (other - whole).abs().float().mean().item() for name, other in others.items()}
    print(f"{parametrisation}, {sampler}: batch 4 in bf16 differs from", means)  # noqa: T201
    assert means["other batches"] < 2
    # bf16 really is used; a solver that chooses its steps chooses others, each within its tolerance of [-1, 1].
    bound = 4 + 127.5 * getattr(sampler, "tolerance", 0)
    assert 0 < means["float32"] < ROUGHER.get(sampler.kind, bound)
