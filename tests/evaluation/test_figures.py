import json
from dataclasses import asdict, replace

import pytest
import torch

from ediffuser.evaluation.distribution import distribution_figures
from ediffuser.evaluation.figures import Figure, bootstrap, frechet_name, kernel_name, score_name
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.reference import Reference
from ediffuser.runtime.errors import BadInputError


class Stub:
    name, family, sha256, resize, dimensions = "Stub network", "stub", "0" * 64, "none", 4

    def __call__(self, pictures):
        raise NotImplementedError


class InceptionStub(Stub):
    name, family = "Inception 2015-12-05 (torch-fidelity)", "inception-2015-12-05"


FIGURE = Figure("FD", 1.5, 1.0, 2.0, "low", "", 5000, "Stub network", "0" * 64)


@pytest.mark.parametrize("name", ["FID", "KID", "LPIPS"])
@pytest.mark.parametrize("features", ["EfficientNet-Lite0 (ImageNet)", "ST-LPIPS, alex trunk", ""])
def test_a_figure_under_other_features_is_never_called_fid_kid_or_lpips(name, features):
    with pytest.raises(ValueError, match="is the name of a figure under"):
        replace(FIGURE, name=name, features=features)


def test_names_follow_from_the_features():
    assert [named(Stub()) for named in (frechet_name, kernel_name, score_name)] == ["FD", "KD", "IS (stub)"]
    assert [named(InceptionStub()) for named in (frechet_name, kernel_name, score_name)] == ["FID", "KID", "IS"]
    assert replace(FIGURE, name="FID", features=InceptionStub.name).name == "FID"
    assert replace(FIGURE, name="LPIPS", features="LPIPS 0.1, alex trunk").name == "LPIPS"


def figures(count: int, features: Stub, real: int = 2000) -> dict[str, Figure]:
    x, y = (torch.randn(n, 4, generator=torch.Generator().manual_seed(n)) for n in (real, count))
    known = Reference(Moments.of(x), x[:200], "1" * 64)
    made = distribution_figures(known, Moments.of(y), y[:200], features, torch.full((count, 5), 0.2))
    return {figure.name: figure for figure in made}


@pytest.mark.parametrize(("made", "real"), [(1999, 2000), (2000, 1999)])
def test_below_two_thousand_pictures_there_is_a_kernel_distance_and_no_frechet_distance(made, real):
    """Trap 35: a Fréchet distance of few pictures is mostly its bias."""
    assert set(figures(made, Stub(), real)) == {"KD", "precision", "recall", "density", "coverage", "IS (stub)"}


def test_a_handful_of_pictures_has_no_subsets_and_no_neighbours():
    assert set(figures(3, Stub())) == set()


@pytest.mark.parametrize(("count", "scored"), [(499, False), (500, True)])
def test_below_five_hundred_pictures_there_is_no_score(count, scored):
    """Ten splits of six pictures have a score of at most six, whatever the pictures are."""
    assert ("IS (stub)" in figures(count, Stub())) == scored


def test_two_thousand_pictures_have_a_frechet_distance():
    found = figures(2000, InceptionStub())
    assert list(found) == ["FID", "KID", "precision", "recall", "density", "coverage", "IS"]
    assert found["FID"].count == found["IS"].count == 2000
    assert found["KID"].count == 200  # vectors compared one by one
    assert found["KID"].low < found["KID"].value < found["KID"].high
    assert {figure.better for figure in found.values()} == {"low", "high"}
    assert found["FID"].features_sha256 == "0" * 64


def test_same_vectors_same_figures():
    assert figures(2000, Stub()) == figures(2000, Stub())


def test_figures_are_json():
    assert Figure(**json.loads(json.dumps(asdict(FIGURE)))) == FIGURE


def exponential(count: int, generator: torch.Generator) -> torch.Tensor:
    return -torch.rand(count, generator=generator).log()


@pytest.mark.parametrize("draw", [torch.randn, exponential])
def test_the_bootstrap_covers_the_true_mean_95_times_in_100(draw):
    truth = draw(200_000, generator=torch.Generator().manual_seed(99)).mean().item()
    covered = 0
    for seed in range(200):
        low, high = bootstrap(draw(80, generator=torch.Generator().manual_seed(seed)), seed, resamples=200)
        covered += low <= truth <= high
    assert 0.89 <= covered / 200 <= 0.99  # three standard errors around 0.94, what percentiles give for 80 values


def test_the_bootstrap_agrees_with_the_normal_interval():
    values = torch.randn(2000, generator=torch.Generator().manual_seed(0)).double()
    low, high = bootstrap(values)
    half = 1.96 * values.std().item() / 2000**0.5
    assert (low, high) == pytest.approx((values.mean().item() - half, values.mean().item() + half), abs=0.1 * half)


def test_same_seed_same_interval():
    values = torch.rand(50, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    first = bootstrap(values)
    torch.manual_seed(2)
    assert first == bootstrap(values) != bootstrap(values, seed=1)


def test_one_value_has_no_interval():
    with pytest.raises(BadInputError, match="at least 2 pictures"):
        bootstrap(torch.zeros(1))
