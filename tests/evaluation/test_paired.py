"""A difference of two evaluations beside the same pictures is surer than both figures are."""

import math

import pytest

from ediffuser.data import ImageFolder
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.paired import paired_half_width
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.summary import figures, scores
from ediffuser.samplers import Ddim
from ediffuser.tasks import Inpainting, Unconditional


@pytest.fixture(scope="module")
def evaluated(trained, photos, tmp_path_factory):
    """Fills holes in so many steps, and returns the directory with the figures."""
    model = str(trained(Inpainting()))

    def run(steps, count=10):
        out = tmp_path_factory.mktemp("evaluation")
        plan = Plan(
            model=model,
            task="inpainting",
            data=ImageFolder(path=str(photos), resolution=32),
            count=count,
            sampler=Ddim(steps=steps),
            holes=("box",),
            baselines=(),
            variations=1,
            precision="float32",
        )
        list(evaluate(plan, out, device="cpu"))
        return out

    return run


@pytest.fixture(scope="module")
def two(evaluated):
    return evaluated(2), evaluated(3)


def test_the_interval_is_that_of_the_differences_of_single_pictures(two):
    psnr = [next(iter(scores(out))).values["psnr"] for out in two]
    low, high = bootstrap(psnr[0] - psnr[1])
    assert paired_half_width(*two, "PSNR", group="box") == (high - low) / 2


@pytest.mark.parametrize("name", ["KD", "PD", "ST-LPIPS", "PSNR"])
def test_it_is_narrower_than_that_of_independent_figures(two, name):
    own = [next(f for f in figures(out)[1] if (f.name, f.method) == (name, "model")) for out in two]
    independent = math.hypot(*((figure.high - figure.low) / 2 for figure in own))
    assert 0 < paired_half_width(*two, name, group=own[0].group) < independent


def test_of_one_and_the_same_nothing_is_unsure(two):
    assert paired_half_width(two[0], two[0], "PD", group="box") == 0


def test_pictures_from_nothing_are_paired_in_what_they_are_compared_with_alone(trained, photos, tmp_path):
    model, data = str(trained(Unconditional())), ImageFolder(path=str(photos), resolution=32)
    outs = {(steps, count): tmp_path / f"{steps}-{count}" for steps in (2, 3) for count in (8, 12)}
    for (steps, count), out in outs.items():
        plan = Plan(model=model, task="generation", data=data, count=count, sampler=Ddim(steps=steps), variations=1)
        list(evaluate(plan, out, device="cpu"))
    one, other = outs[2, 12], outs[3, 12]
    own = [next(f for f in figures(out)[1] if f.name == "KD") for out in (one, other)]
    assert 0 < paired_half_width(one, other, "KD") < math.hypot(*((f.high - f.low) / 2 for f in own))
    assert paired_half_width(one, one, "KD") == 0
    assert paired_half_width(one, other, "precision") is None
    assert paired_half_width(one, outs[3, 8], "KD") is None


def test_other_originals_and_other_figures_have_no_pairs(two, evaluated):
    assert paired_half_width(two[0], evaluated(2, count=6), "PSNR", group="box") is None
    assert paired_half_width(*two, "s per batch", group="box") is None
