"""The step across the border of a hole."""

import pytest
import torch

from ediffuser.evaluation.holes import holes_of, smooth_boxes
from ediffuser.evaluation.seam import border_steps, seam_figure
from ediffuser.runtime.errors import BadInputError


def ramp(slope: int, side: int = 16) -> torch.Tensor:
    """A picture that rises by `slope` grey levels from column to column, uint8, (1, 3, side, side)."""
    return (torch.arange(side) * slope).to(torch.uint8).expand(1, 3, side, side).clone()


def square(side: int, top: int, left: int, size: int) -> torch.Tensor:
    hole = torch.zeros(1, 1, side, side)
    hole[:, :, top : top + size, left : left + size] = 1
    return hole


def test_the_steps_of_a_ramp_are_those_of_its_columns():
    # A square has as many horizontal pairs, which step by 6, as vertical ones, which do not.
    assert border_steps(ramp(6), square(16, 4, 5, 6)).item() == 3
    assert border_steps(ramp(6), square(16, 0, 0, 6)).item() == 3
    left_half = torch.zeros(1, 1, 16, 16)
    left_half[..., :8] = 1
    assert border_steps(ramp(6), left_half).item() == 6


def test_a_fill_that_is_brighter_has_a_step_all_around():
    hole = square(16, 4, 4, 5)
    grey = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    brighter = torch.where(hole > 0, grey + 7, grey)
    assert border_steps(brighter, hole).item() == 7
    brighter[:, 1:] = 100  # in one channel of three
    assert border_steps(brighter, hole).item() == pytest.approx(7 / 3)


def test_only_the_border_counts():
    hole, picture = square(16, 4, 4, 6), ramp(6)
    scribbled = picture.clone()
    scribbled[:, :, 5:9, 5:9] = 255
    scribbled[:, :, :3], scribbled[:, :, 11:] = 0, 255
    assert torch.equal(border_steps(scribbled, hole), border_steps(picture, hole))


def test_a_hole_without_a_border_is_refused():
    for hole in (torch.ones(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)):
        with pytest.raises(BadInputError, match="a hole without a border"):
            border_steps(ramp(1), hole)


def test_the_figure_is_a_ratio_of_means_with_its_interval():
    untouched = torch.tensor([1.0, 2.0, 3.0, 4.0] * 25, dtype=torch.float64)
    same = seam_figure(untouched, untouched, group="smooth", method="model")
    assert (same.value, same.low, same.high, same.count) == (1, 1, 1, 100)
    noisy = untouched * torch.linspace(1, 2, 100, dtype=torch.float64)
    figure = seam_figure(noisy, untouched, group="smooth", method="model")
    assert figure.value == pytest.approx((noisy.sum() / untouched.sum()).item())
    assert 1.4 < figure.low < figure.value < figure.high < 1.6


def test_where_a_draw_may_have_no_step_there_is_no_interval():
    untouched = torch.zeros(100, dtype=torch.float64)
    untouched[:2] = 3
    for steps, value in ((untouched, 1), (torch.ones(100, dtype=torch.float64), 100 / 6)):
        figure = seam_figure(steps, untouched, group="smooth", method="model")
        assert figure.value == pytest.approx(value)
        assert (figure.low, figure.high) == (None, None)


def test_smooth_holes_lie_where_the_picture_is_smoothest():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (3, 3, 32, 32), generator=generator, dtype=torch.uint8)
    for picture, (top, left) in zip(pictures, [(0, 0), (10, 17), (20, 20)], strict=True):
        picture[:, top : top + 13, left : left + 13] = 77
    holes = smooth_boxes(pictures)
    assert holes.shape == (3, 1, 32, 32)
    assert holes.sum(dim=(1, 2, 3)).tolist() == [64] * 3
    for hole, (top, left) in zip(holes, [(0, 0), (10, 17), (20, 20)], strict=True):
        assert hole[:, top : top + 13, left : left + 13].sum() == 64
    assert torch.equal(holes_of("smooth", pictures[1:], range(1, 3)), holes[1:])


@pytest.mark.parametrize("side", [4, 5, 8, 33])
def test_smooth_holes_fit_pictures_of_any_size(side):
    holes = smooth_boxes(torch.zeros(2, 1, side, side + 1, dtype=torch.uint8))
    assert holes.shape == (2, 1, side, side + 1)
    assert (holes.sum(dim=(1, 2, 3)) == (side // 4) ** 2).all()
    assert (border_steps(torch.zeros(2, 1, side, side + 1, dtype=torch.uint8), holes) == 0).all()
