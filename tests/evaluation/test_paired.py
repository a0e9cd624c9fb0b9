"""A difference of two evaluations of the same originals is surer than both figures are."""

import math

import pytest

from ediffuser.data import ImageFolder
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.paired import paired_half_width
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.summary import figures, scores
from ediffuser.samplers import Ddim
from ediffuser.tasks import Inpainting


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


def test_other_originals_and_other_figures_have_no_pairs(two, evaluated):
    assert paired_half_width(two[0], evaluated(2, count=6), "PSNR", group="box") is None
    assert paired_half_width(*two, "s per batch", group="box") is None
