import pytest
import torch
from torch import Tensor

from ediffuser.evaluation import precision_recall as module
from ediffuser.evaluation.precision_recall import precision_recall
from ediffuser.runtime.errors import BadInputError


def draw(count: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) * scale + shift


def by_loops(real: Tensor, fake: Tensor, k: int) -> tuple[float, float, float, float]:
    """The papers' definitions, ball by ball."""

    def radii(x: Tensor) -> list[float]:
        return [sorted((x[i] - x[j]).norm().item() for j in range(len(x)) if j != i)[k - 1] for i in range(len(x))]

    around_real, around_fake = radii(real), radii(fake)
    inside = [[(r - f).norm().item() <= radius for f in fake] for r, radius in zip(real, around_real, strict=True)]
    caught = [[(f - r).norm().item() <= radius for r in real] for f, radius in zip(fake, around_fake, strict=True)]
    return (
        sum(any(row[j] for row in inside) for j in range(len(fake))) / len(fake),
        sum(any(row[i] for row in caught) for i in range(len(real))) / len(real),
        sum(map(sum, inside)) / (k * len(fake)),
        sum(map(any, inside)) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_agrees_with_the_definitions_ball_by_ball(k, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 7)  # chunks that do not divide the sets
    real, fake = draw(40, 1).double(), draw(30, 2, shift=0.7).double()
    assert precision_recall(real, fake, k) == pytest.approx(by_loops(real, fake, k), abs=1e-12)


@pytest.mark.reference
def test_precision_and_recall_agree_with_torch_fidelity():
    metric = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = draw(200, 1).double(), draw(150, 2, shift=0.5).double()
    published = metric.prc_features_to_metric(fake, real, verbose=False)
    ours = precision_recall(real, fake)
    assert ours.precision == pytest.approx(published["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(published["recall"], abs=1e-6)


def test_a_set_against_itself():
    x = draw(100, 1)
    found = precision_recall(x, x)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(4 / 3)  # each ball holds its three neighbours and its centre


def test_sets_far_apart_share_nothing():
    assert precision_recall(draw(50, 1), draw(50, 2, shift=100)) == (0, 0, 0, 0)


def test_a_model_that_makes_few_kinds_is_precise_and_recalls_little():
    found = precision_recall(draw(300, 1), draw(300, 2, scale=0.2))
    assert found.precision > 0.95
    assert found.recall < 0.3
    assert found.coverage < 0.3


def test_one_outlier_moves_recall_and_not_coverage():
    real, fake = draw(200, 1), draw(200, 2, shift=4)
    outliers = torch.cat([fake, draw(4, 3, scale=40)])  # their balls are wide enough to hold everything
    before, after = precision_recall(real, fake), precision_recall(real, outliers)
    assert after.recall - before.recall > 0.5
    assert after.coverage - before.coverage < 0.05


def test_same_distribution_has_a_density_near_1():
    assert precision_recall(draw(800, 1), draw(800, 2)).density == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("real", "fake", "message"), [((3, 2), (9, 2), "more than 3"), ((9, 2), (9, 3), "compared")])
def test_other_sets_are_refused(real, fake, message):
    with pytest.raises(BadInputError, match=message):
        precision_recall(torch.zeros(real), torch.zeros(fake))
