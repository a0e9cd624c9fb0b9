import numpy as np
import pytest
import torch

from ediffuser.editing.crop import Box, Crop
from ediffuser.editing.resample import enlarge, shrink
from ediffuser.editing.seam import match, with_ring

SQUARES = [(0, 0, 24), (3, 5, 24), (0, 0, 40), (-20, 3, 77), (-100, -90, 240), (7, 2, 29)]


def whole(top, left, side):
    return Crop(Box(0, 0, 1, 1), top, left, side)


def mirrored(pixels, crop):
    """The square as numpy would pad it."""
    height, width = pixels.shape[:2]
    pads = [
        (max(0, -crop.top), max(0, crop.top + crop.side - height)),
        (max(0, -crop.left), max(0, crop.left + crop.side - width)),
    ]
    padded = np.pad(pixels, pads + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    top, left = max(0, crop.top), max(0, crop.left)
    return padded[top : top + crop.side, left : left + crop.side]


@pytest.mark.parametrize("square", SQUARES)
def test_shrink_is_the_exact_area_average(square):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    crop, cells = whole(*square), 24
    # Every pixel as 24 x 24 equal parts, so that cells end between parts.
    fine = np.kron(mirrored(pixels, crop)[..., 0], np.ones((cells, 1)))
    rows = fine.reshape(cells, crop.side, crop.side).mean(axis=1)
    expected = np.kron(rows, np.ones((1, cells))).reshape(cells, cells, crop.side).mean(axis=2)
    result = shrink(pixels, crop, cells)
    assert result.shape == (24, 24, 3)
    assert np.abs(result[..., 0] - expected).max() < 1e-3


def test_shrink_at_the_same_side_is_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    assert np.array_equal(shrink(pixels, whole(4, 9, 32), 32), pixels[4:36, 9:41])


@pytest.mark.parametrize("square", SQUARES)
def test_no_pixel_of_a_hole_is_lost_and_known_cells_hold_none(square):
    crop = whole(*square)
    for seed in range(20):
        hole = np.random.default_rng(seed).random((60, 50)) < 0.002
        cells = shrink(hole, crop, 24) > 0
        seen = mirrored(hole, crop)
        touched = np.zeros((24, 24), bool)
        for row, column in np.argwhere(seen):
            rows = slice(row * 24 // crop.side, -(-(row + 1) * 24 // crop.side))
            columns = slice(column * 24 // crop.side, -(-(column + 1) * 24 // crop.side))
            touched[rows, columns] = True
        assert np.array_equal(cells, touched)


def test_enlarge_gives_the_same_pixels_for_every_box():
    cells = np.random.default_rng(0).random((24, 24)).astype(np.float32)
    crop = whole(-5, 3, 101)
    everything = enlarge(cells, crop, Box(-5, 3, 96, 104))
    assert everything.shape == (101, 101)
    assert np.abs(enlarge(cells, crop, Box(10, 20, 43, 90)) - everything[15:48, 17:87]).max() < 1e-5


def test_enlarge_at_the_same_side_is_exact():
    cells = np.random.default_rng(0).random((24, 24)).astype(np.float32)
    assert np.array_equal(enlarge(cells, whole(7, 9, 24), Box(10, 12, 20, 33)), cells[3:13, 3:24])


def test_enlarge_keeps_places():
    """A ramp stays the same ramp: no shift by half a cell."""
    ramp = np.tile(np.arange(24, dtype=np.float32) + 0.5, (24, 1))
    large = enlarge(ramp, whole(0, 0, 120), Box(0, 0, 120, 120))
    assert np.abs(large - (np.arange(120) + 0.5) / 5)[:, 15:-15].max() < 0.02


def test_ring_is_one_cell_wide():
    holes = torch.zeros(1, 1, 9, 9)
    holes[0, 0, 4, 4] = holes[0, 0, 0, 8] = 1
    assert with_ring(holes)[0, 0].sum() == 9 + 4


@pytest.fixture
def holes():
    holes = torch.zeros(2, 1, 64, 64)
    holes[..., 20:50, 15:45] = 1
    return holes


def test_a_perfect_painting_is_left_alone(holes):
    known = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(match(known.clone(), known, holes), known)


def test_known_cells_are_never_changed(holes):
    known = torch.rand(2, 3, 64, 64) * 2 - 1
    matched = match(torch.rand(2, 3, 64, 64) * 2 - 1, known, holes)
    assert torch.equal(torch.where(holes > 0, known, matched), known)
    assert matched.abs().max() <= 1


def test_an_offset_of_colour_vanishes(holes):
    known = (torch.rand(2, 3, 64, 64) * 2 - 1) * 0.5
    offset = torch.tensor([0.1, -0.2, 0.05])[None, :, None, None]
    assert (match(known + offset, known, holes) - known).abs().max() < 1e-5


def test_a_slow_drift_of_colour_nearly_vanishes(holes):
    known = (torch.rand(2, 3, 64, 64) * 2 - 1) * 0.5
    drift = torch.linspace(-0.2, 0.2, 64).expand(64, 64)
    left = (match(known + drift, known, holes) - known).abs()
    assert left.max() < 0.05
    assert left.mean() < 0.1 * drift.abs().mean()


def test_without_known_cells_the_painting_is_kept():
    painted = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(match(painted, torch.zeros_like(painted), torch.ones(1, 1, 16, 16)), painted)


@pytest.mark.parametrize("side", [4, 7, 31, 48])
def test_any_resolution(side):
    holes = torch.zeros(1, 1, side, side)
    holes[..., 1:3, 1:3] = 1
    known = torch.zeros(1, 3, side, side)
    assert match(known + 0.25, known, holes).abs().max() < 1e-5
