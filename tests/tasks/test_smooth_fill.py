import pytest
import torch

from ediffuser.runtime.noise import Noise
from ediffuser.tasks.masks import Brush, CentreBox
from ediffuser.tasks.smooth_fill import smooth_fill


def filled(x0, hole):
    return smooth_fill(x0 * (1 - hole), hole)


def boxes(size):
    return CentreBox().draw(Noise.rows(0, range(2)), size).double()


@pytest.mark.parametrize("size", [(16, 16), (13, 21), (1, 5), (128, 96)])
def test_known_pixels_stay_and_a_plain_picture_comes_back(size):
    x0 = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    hole = boxes(size)
    assert torch.equal(torch.where(hole > 0, 0, filled(x0, hole)), torch.where(hole > 0, 0, x0))
    plain = torch.full_like(x0, 0.3)
    torch.testing.assert_close(filled(plain, hole), plain)


def test_a_slope_is_met_better_than_by_the_mean():
    across = torch.linspace(-1, 1, 64, dtype=torch.float64).expand(2, 3, 64, 64)
    hole = boxes((64, 64))
    wrong = ((filled(across, hole) - across).abs() * hole).sum() / hole.sum() / 3
    constant = (across.abs() * hole).sum() / hole.sum() / 3  # the mean of a slope is 0
    assert wrong < 0.35 * constant


def test_it_stays_between_the_colours_that_are_known_and_depends_on_its_own_row_alone():
    x0 = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    hole = Brush().draw(Noise.rows(0, range(4)), (32, 32))
    found = filled(x0, hole)
    low, high = x0.amin((1, 2, 3)), x0.amax((1, 2, 3))
    assert bool(((found.amin((1, 2, 3)) >= low - 1e-6) & (found.amax((1, 2, 3)) <= high + 1e-6)).all())
    torch.testing.assert_close(filled(x0[2:3], hole[2:3]), found[2:3], rtol=0, atol=0)


def test_what_lies_in_the_hole_is_not_looked_at_and_a_full_hole_is_zero():
    x0, other = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(2)).unbind(0)
    hole = boxes((16, 16)).float()
    assert torch.equal(filled(x0, hole), filled(torch.where(hole > 0, other, x0), hole))
    assert torch.equal(filled(x0, torch.ones(2, 1, 16, 16)), torch.zeros_like(x0))
