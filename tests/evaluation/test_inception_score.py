import pytest
import torch

from ediffuser.evaluation.inception_score import inception_score
from ediffuser.runtime.errors import BadInputError


def test_a_classifier_that_knows_nothing_scores_1():
    mean, low, high = inception_score(torch.full((100, 7), 1 / 7))
    assert (mean, low, high) == pytest.approx((1, 1, 1), abs=1e-12)


def test_a_classifier_sure_of_every_class_equally_often_scores_their_number():
    one_hot = torch.eye(10).repeat(50, 1)
    assert inception_score(one_hot, splits=1)[0] == pytest.approx(10, rel=1e-12)


def test_a_classifier_sure_of_one_class_alone_scores_1():
    assert inception_score(torch.eye(10)[:1].expand(50, -1), splits=1)[0] == pytest.approx(1, rel=1e-12)


def test_is_the_exponential_of_the_mean_divergence():
    p = torch.rand(64, 5, generator=torch.Generator().manual_seed(0)).double()
    p = p / p.sum(1, keepdim=True)
    divergence = (p * (p / p.mean(0)).log()).sum(1).mean()
    assert inception_score(p, splits=1)[0] == pytest.approx(divergence.exp().item(), rel=1e-12)


def test_the_interval_covers_what_parts_of_that_size_score_on_average():
    generator = torch.Generator().manual_seed(0)
    rows = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    draws = [inception_score(rows[torch.randint(3, (500,), generator=generator)], seed=k) for k in range(300)]
    average = sum(mean for mean, _, _ in draws) / len(draws)
    covered = sum(low <= average <= high for _, low, high in draws)
    assert 0.90 <= covered / len(draws) <= 0.99


def test_same_seed_same_interval():
    p = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)).softmax(1)
    assert inception_score(p, seed=1) == inception_score(p, seed=1) != inception_score(p, seed=2)


def test_one_part_has_no_interval():
    assert inception_score(torch.full((4, 2), 0.5), splits=1)[1:] == (None, None)


def test_more_parts_than_pictures_are_refused():
    with pytest.raises(BadInputError, match="in 10 parts"):
        inception_score(torch.full((4, 2), 0.5))
