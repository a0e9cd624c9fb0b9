import pytest
import safetensors.torch
import torch

from ediffuser.evaluation.moments import Moments
from ediffuser.runtime.errors import BadInputError


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(200, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 5


@pytest.mark.parametrize("sizes", [[200], [1, 199], [50, 50, 50, 50], [1] * 200, [0, 120, 0, 80]])
def test_any_split_gives_the_moments_of_one_pass(features, sizes):
    moments = Moments.empty(7)
    for part in features.split(sizes):
        moments.add(part)
    assert moments.count == 200
    torch.testing.assert_close(moments.mean, features.mean(dim=0), rtol=1e-12, atol=0)
    torch.testing.assert_close(moments.covariance, features.T.cov(), rtol=1e-12, atol=1e-13)


def test_two_processes_merge_to_the_moments_of_one(features):
    mine, other = Moments.of(features[::2]), Moments.of(features[1::2])
    torch.testing.assert_close(mine.merge(other).covariance, features.T.cov(), rtol=1e-12, atol=1e-13)


def test_the_covariance_is_the_unbiased_one():
    """Trap 35: divided by N - 1."""
    assert Moments.of(torch.tensor([[0.0], [2.0]])).covariance.item() == 2


def test_a_mean_far_from_zero_cancels_nothing():
    spread = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    moments = Moments.empty(1)
    for row in 1e8 + spread:
        moments.add(row[None])
    assert moments.covariance.item() == pytest.approx(1, rel=1e-7)  # E[x^2] - E[x]^2 gives 0 or 2


def test_float32_features_are_summed_in_float64():
    moments = Moments.of(torch.full((3, 2), 0.1))
    assert moments.mean.dtype == moments.covariance.dtype == torch.float64


def test_a_file_keeps_them_bit_for_bit(features):
    moments = Moments.of(features)
    back = Moments.from_tensors(safetensors.torch.load(safetensors.torch.save(moments.to_tensors())))
    assert back.count == 200
    assert torch.equal(back.mean, moments.mean)
    assert torch.equal(back.scatter, moments.scatter)


def test_one_picture_has_no_covariance():
    with pytest.raises(BadInputError, match="at least 2 pictures, got 1"):
        _ = Moments.of(torch.zeros(1, 3)).covariance


def test_features_of_two_networks_are_not_merged():
    with pytest.raises(BadInputError, match="of 3 and of 4 numbers"):
        Moments.empty(3).merge(Moments.empty(4))


def test_features_are_rows():
    with pytest.raises(BadInputError, match=r"\(N, D\)"):
        Moments.of(torch.zeros(3))
