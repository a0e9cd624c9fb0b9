import warnings

import pytest
import torch
from torch import Tensor

from ediffuser.evaluation.frechet import frechet_distance
from ediffuser.evaluation.moments import Moments
from ediffuser.runtime.errors import BadInputError


def draw(count: int, dimensions: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64) / dimensions**0.5
    return torch.randn(count, dimensions, generator=generator, dtype=torch.float64).abs() @ mix + seed


def normal(mean: Tensor, covariance: Tensor) -> Moments:
    return Moments(101, mean.double(), 100 * covariance.double())


def from_pictures_alone(x: Tensor, y: Tensor) -> float:
    """An independent way, exact for N < D: singular values of the matrix of inner products of pictures, N x M."""
    a, b = (x - x.mean(0)) / (len(x) - 1) ** 0.5, (y - y.mean(0)) / (len(y) - 1) ** 0.5
    shift = (x.mean(0) - y.mean(0)).square().sum()
    return (shift + a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()).item()


@pytest.mark.parametrize("count", [500, 20])
def test_distance_of_a_set_from_itself_is_zero(count):
    moments = Moments.of(draw(count, 40, 1))
    assert abs(frechet_distance(moments, moments)) < 1e-12 * moments.covariance.trace().item()


def test_two_normal_distributions_with_common_axes_in_closed_form():
    a = normal(torch.tensor([1.0, 2, 3]), torch.diag(torch.tensor([1.0, 4, 9])))
    b = normal(torch.tensor([1.0, 0, 3]), torch.diag(torch.tensor([4.0, 4, 0])))
    # |mu|^2 = 4, and sum (sqrt v_a - sqrt v_b)^2 = 1 + 0 + 9.
    assert frechet_distance(a, b) == pytest.approx(14, rel=1e-12)


def test_two_normal_distributions_with_other_axes_in_closed_form():
    # In two dimensions tr (A B)^(1/2) = sqrt(tr AB + 2 sqrt(det AB)).
    a, b = torch.tensor([[2.0, 1], [1, 3]]), torch.tensor([[5.0, -2], [-2, 1]])
    product = (a @ b).double()
    root = (product.trace() + 2 * product.det().sqrt()).sqrt().item()
    distance = frechet_distance(normal(torch.zeros(2), a), normal(torch.zeros(2), b))
    assert distance == pytest.approx(5 + 6 - 2 * root, rel=1e-12)


@pytest.mark.parametrize(("count", "dimensions"), [(300, 48), (30, 64)], ids=["N > D", "N < D"])
def test_is_exact_for_few_pictures_too(count, dimensions):
    x, y = draw(count, dimensions, 1), draw(count - 5, dimensions, 2)
    assert frechet_distance(Moments.of(x), Moments.of(y)) == pytest.approx(from_pictures_alone(x, y), rel=1e-12)


@pytest.mark.reference
@pytest.mark.parametrize(("count", "dimensions"), [(300, 48), (30, 64)], ids=["N > D", "N < D"])
def test_agrees_with_torch_fidelity(count, dimensions):
    """Trap 35: in its rank-deficient case the roots of rounding errors cost it eight digits, which is the bound."""
    metric = pytest.importorskip("torch_fidelity.metric_fid")
    x, y = draw(count, dimensions, 1), draw(count - 5, dimensions, 2)
    published = metric.fid_statistics_to_metric(*map(metric.fid_features_to_statistics, (x, y)), verbose=False)
    ours = frechet_distance(Moments.of(x), Moments.of(y))
    assert ours == pytest.approx(published["frechet_inception_distance"], rel=1e-6)


@pytest.mark.reference
@pytest.mark.parametrize(("count", "dimensions"), [(300, 48), (30, 64)], ids=["N > D", "N < D"])
def test_agrees_with_pytorch_fid(count, dimensions):
    published = pytest.importorskip("pytorch_fid.fid_score").calculate_frechet_distance
    a, b = Moments.of(draw(count, dimensions, 1)), Moments.of(draw(count - 5, dimensions, 2))
    arrays = [tensor.numpy() for tensor in (a.mean, a.covariance, b.mean, b.covariance)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the argument `disp` of scipy's sqrtm
        assert frechet_distance(a, b) == pytest.approx(published(*arrays), rel=1e-6)


def test_does_not_care_which_set_comes_first():
    a, b = Moments.of(draw(50, 8, 1)), Moments.of(draw(60, 8, 2))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_one_picture_is_refused():
    with pytest.raises(BadInputError, match="at least 2 pictures"):
        frechet_distance(Moments.of(draw(50, 8, 1)), Moments.of(draw(1, 8, 2)))


def test_features_of_two_networks_are_not_compared():
    with pytest.raises(BadInputError, match="of 8 and of 9 numbers"):
        frechet_distance(Moments.of(draw(50, 8, 1)), Moments.of(draw(50, 9, 2)))
