from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from ediffuser.runtime.noise import Noise
from ediffuser.tasks.masks import AnyHoles, Brush, CentreBox, Half, Mixed, Rectangle, Scattered, ThinStrokes

KINDS = get_args(get_args(AnyHoles)[0])
SIZES = [(128, 128), (32, 32), (48, 80)]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


@every_size
@every_kind
def test_holes_are_binary_and_never_empty(kind, size):
    holes = kind().draw(Noise.rows(0, range(40)), size)
    assert holes.shape == (40, 1, *size)
    assert holes.dtype == torch.float32
    assert ((holes == 0) | (holes == 1)).all()
    assert (holes.flatten(1).sum(1) > 0).all()


@every_kind
def test_a_hole_depends_on_seed_and_index_and_not_on_its_batch(kind):
    whole = kind().draw(Noise.rows(4, range(12)), (32, 48))
    assert torch.equal(kind().draw(Noise.rows(4, range(12)), (32, 48)), whole)
    assert torch.equal(kind().draw(Noise.rows(4, [7]), (32, 48)), whole[7:8])
    assert torch.equal(kind().draw(Noise([(9, 0), (4, 3), (4, 11)]), (32, 48))[1:], whole[[3, 11]])
    if kind is not CentreBox:
        assert len(whole.flatten(1).unique(dim=0)) >= (4 if kind is Half else 12)
        other = kind().draw(Noise.rows(5, range(12)), (32, 48))
        assert not torch.equal(other, whole)


@every_size
@pytest.mark.parametrize("kind", [Brush, Rectangle, Mixed])
def test_training_holes_cover_15_to_50_percent(kind, size):
    cover = kind().draw(Noise.rows(1, range(300)), size).mean((1, 2, 3))
    assert cover.min() >= 0.15
    assert cover.max() <= 0.5
    # The whole range is used.
    assert cover.min() < 0.2
    assert cover.max() > 0.45
    assert 0.28 < cover.mean() < 0.36


@pytest.mark.parametrize("kind", [Brush, Rectangle])
def test_another_range_of_areas_can_be_asked_for(kind):
    cover = kind(area_min=0.3, area_max=0.4).draw(Noise.rows(1, range(60)), (64, 64)).mean((1, 2, 3))
    assert cover.min() >= 0.3
    assert cover.max() <= 0.4


def test_a_share_of_the_mixture_can_be_thin_strokes():
    cover = Mixed(thin=0.25).draw(Noise.rows(1, range(400)), (64, 64)).mean((1, 2, 3))
    thin = cover < 0.15
    assert 0.18 < thin.float().mean() < 0.32
    assert cover[thin].min() > 0
    assert (cover[~thin] <= 0.5).all()
    always = Mixed(thin=1).draw(Noise.rows(1, range(8)), (64, 64))
    assert always.mean((1, 2, 3)).max() < 0.15


def test_a_share_of_the_mixture_can_be_small_or_a_half():
    small = Mixed(small=1).draw(Noise.rows(1, range(300)), (64, 64)).mean((1, 2, 3))
    assert small.min() > 0
    assert small.max() < 0.17
    assert 0.02 < small.median() < 0.05  # as often from 1 to 4 % as from 4 to 15, what lies outside cut off
    assert (Mixed(half=1).draw(Noise.rows(1, range(8)), (64, 64)).mean((1, 2, 3)) == 0.5).all()
    all_of_them = Mixed(thin=0.2, small=0.3, half=0.4).draw(Noise.rows(1, range(400)), (64, 64)).mean((1, 2, 3))
    assert 0.33 < (all_of_them == 0.5).float().mean() < 0.47
    assert 0.4 < (all_of_them < 0.15).float().mean() < 0.6
    with pytest.raises(ValidationError, match="must not exceed 1 together"):
        Mixed(thin=0.5, small=0.4, half=0.2)


def test_a_small_hole_is_never_empty():
    assert (Mixed(small=1).draw(Noise.rows(2, range(200)), (8, 8)).sum((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("kind", [Brush, Mixed, Rectangle, Scattered])
def test_every_place_can_be_in_a_hole(kind):
    often = kind().draw(Noise.rows(2, range(300)), (32, 32)).mean(0)[0]
    assert often.min() > 0  # least in the corners, where only few rectangles reach
    assert often.max() < 0.98


def test_the_centre_box_is_exactly_a_quarter_in_the_centre():
    for size in SIZES:
        hole = CentreBox().draw(Noise.rows(0, [0]), size)
        assert hole.mean() == 0.25
        assert torch.equal(hole, hole.flip(-1))
        assert torch.equal(hole, hole.flip(-2))
        assert hole[0, 0, size[0] // 2, size[1] // 2] == 1


def test_half_is_exactly_one_of_four_halves():
    for size in SIZES:
        holes = Half().draw(Noise.rows(0, range(60)), size)
        assert (holes.mean((1, 2, 3)) == 0.5).all()
        assert len(holes.flatten(1).unique(dim=0)) == 4


def test_thin_strokes_are_thin_and_scattered_squares_are_small():
    thin = ThinStrokes().draw(Noise.rows(0, range(50)), (128, 128))
    assert 0.02 < thin.mean() < 0.1
    squares = Scattered().draw(Noise.rows(0, range(50)), (128, 128))
    assert squares.mean() == pytest.approx(0.3, abs=0.02)
    # A pixel eroded by five: nothing is left of a thin stroke, little of the squares.
    for holes, left in ((thin, 0.005), (squares, 0.05)):
        assert (-torch.nn.functional.max_pool2d(-holes, 11, 1)).mean() < left


@pytest.mark.parametrize("size", [(33, 57), (8, 8), (5, 7)])
@every_kind
def test_odd_and_tiny_sizes_work(kind, size):
    holes = kind().draw(Noise.rows(0, range(20)), size)
    assert holes.shape == (20, 1, *size)
    assert (holes.flatten(1).sum(1) > 0).all()


@pytest.mark.parametrize("side", [0.01, 0.5, 1.0])
def test_a_box_of_any_side_holds_a_pixel(side):
    hole = CentreBox(side=side).draw(Noise.rows(0, [0]), (32, 33))
    assert hole.sum() >= 1
    assert (side < 1) | (hole.mean() == 1)


@pytest.mark.parametrize("kind", [Brush, Rectangle])
def test_a_range_of_areas_the_wrong_way_round_is_refused(kind):
    with pytest.raises(ValueError, match=r"area_min 0\.6 must be less than area_max 0\.5"):
        kind(area_min=0.6)
