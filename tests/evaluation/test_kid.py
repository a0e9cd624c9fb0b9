import numpy as np
import pytest
import torch
from torch import Tensor

from ediffuser.evaluation.kid import kernel_difference, kernel_distance, kernel_interval, subset_size
from ediffuser.runtime.errors import BadInputError


def draw(count: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + shift


def by_loops(x: Tensor, y: Tensor) -> float:
    """Eq. 4 of the paper, pair by pair."""

    def kernel(a: Tensor, b: Tensor) -> float:
        return (float(a.double() @ b.double()) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (m * n)


def test_one_subset_agrees_with_the_definition_pair_by_pair():
    x, y = draw(40, 1), draw(40, 2, shift=0.5)
    random = np.random.RandomState(7)
    rows = [random.choice(40, 20, replace=False) for _ in range(2)]
    mean, deviation = kernel_distance(x, y, subsets=1, size=20, seed=7)
    assert mean == pytest.approx(by_loops(x[rows[0]], y[rows[1]]), rel=1e-10)
    assert deviation == 0


@pytest.mark.reference
def test_agrees_with_torchmetrics_on_the_same_subset():
    poly_mmd = pytest.importorskip("torchmetrics.image.kid").poly_mmd
    x, y = draw(60, 1).double(), draw(60, 2, shift=0.5).double()
    random = np.random.RandomState(3)
    rows = [random.choice(60, 30, replace=False) for _ in range(2)]
    assert kernel_distance(x, y, 1, 30, seed=3)[0] == pytest.approx(poly_mmd(x[rows[0]], y[rows[1]]).item(), rel=1e-10)


def test_is_unbiased_where_the_distributions_are_the_same():
    found = torch.tensor([kernel_distance(draw(60, k), draw(60, 1000 + k), subsets=5)[0] for k in range(200)])
    assert found.min() < 0 < found.max()
    assert abs(found.mean()) < 3 * found.std() / 200**0.5


def test_grows_with_the_distance():
    distances = [kernel_distance(draw(200, 1), draw(200, 2, shift), subsets=10)[0] for shift in (0, 0.3, 1)]
    assert distances == sorted(distances)
    assert distances[2] > 10 * abs(distances[0])


def test_the_interval_covers_the_true_distance():
    # In one dimension k(x, y) = (xy + 1)^3, so the squared MMD is the sum over j of binom(3, j) (E x^j - E y^j)^2. For
    # x uniform in [-1, 1] and y in [-0.5, 1.5] that is 3 (1/2)^2 + 3 (1/4)^2 + (5/8)^2.
    truth, covered = 3 / 4 + 3 / 16 + 25 / 64, 0
    for k in range(150):
        x, y = torch.rand(2, 160, 1, generator=torch.Generator().manual_seed(k)) * 2 - 1
        mean, deviation = kernel_distance(x, y + 0.5, subsets=25, size=40, seed=k)
        low, high = kernel_interval(mean, deviation, 160, 160, subsets=25, size=40)
        covered += low <= truth <= high
    assert 0.86 <= covered / 150 <= 0.99  # 0.90: a little narrow for 160 pictures


def test_same_seed_same_figure():
    x, y = draw(100, 1), draw(100, 2)
    assert kernel_distance(x, y, 10, seed=4) == kernel_distance(x, y, 10, seed=4)
    assert kernel_distance(x, y, 10, seed=4) != kernel_distance(x, y, 10, seed=5)


def test_small_sets_have_smaller_subsets():
    assert subset_size(50_000, 10_000) == 1000
    assert subset_size(50_000, 600) == 300
    with pytest.raises(BadInputError, match="at least 4 pictures on each side, got 3 and 600"):
        subset_size(3, 600)


def test_features_of_two_networks_are_not_compared():
    with pytest.raises(BadInputError, match="cannot be compared"):
        kernel_distance(torch.zeros(10, 3), torch.zeros(10, 4))


def test_a_difference_is_that_of_the_distances_and_surer_where_results_are_alike():
    real, one, noise = draw(80, 1), draw(60, 2, shift=0.5), draw(60, 3)
    other = one + 0.05 * noise
    mean, deviation = kernel_difference(real, one, other)
    distances = [kernel_distance(real, each) for each in (one, other)]
    assert mean == pytest.approx(distances[0][0] - distances[1][0], rel=1e-9)
    assert deviation < 0.2 * min(spread for _, spread in distances)
    assert kernel_difference(real, one, one) == (0, 0)


def test_results_that_do_not_belong_together_have_no_paired_difference():
    with pytest.raises(BadInputError, match=r"shapes \(80, 6\), \(60, 6\), \(59, 6\)"):
        kernel_difference(draw(80, 1), draw(60, 2), draw(59, 3))
