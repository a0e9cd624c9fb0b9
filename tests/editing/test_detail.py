"""Detail that the photo lends: how much, from where, and never from under the hole."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.editing.crop import Box, plan_crops
from ediffuser.editing.detail import BLOCK, Square, lent_detail, loans
from ediffuser.editing.paint import to_cells
from ediffuser.editing.quilt import Quilt
from ediffuser.editing.resample import enlarge, shrink

RESOLUTION = 64
BRIDGE = Path(__file__).parents[2] / "examples" / "bridge.jpg"


def disc(side: int, radius: float, row: float, column: float) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def noise(side: int, seed: int = 0, spread: float = 30, mean: float = 128) -> np.ndarray:
    """A photo of grain, the same everywhere."""
    grain = np.random.default_rng(seed).normal(mean, spread, (side, side, 3))
    return grain.round().clip(0, 255).astype(np.uint8)


def square(
    photo: np.ndarray,
    hole: np.ndarray,
    colour: float | None = None,
    resolution: int = RESOLUTION,
    context: float = 3,
) -> Square:
    """A square whose hole was painted in one colour, that of the known picture's mean if not given."""
    crop = plan_crops(hole, resolution, context=context)[0]
    known = to_cells(photo, crop, resolution)
    inside = torch.from_numpy(shrink(hole, crop, resolution) > 0).float()[None]
    plain = known[:, inside[0] == 0].mean(1) if colour is None else torch.full((3,), colour)
    return Square(photo, crop, known, inside, inside, torch.where(inside > 0, plain[:, None, None], known))


def in_hole(detail: np.ndarray, given: Square, hole: np.ndarray) -> np.ndarray:
    """Its values at the hole's pixels, in grey levels."""
    return 127.5 * detail[hole[given.crop.part.window]]


@pytest.mark.parametrize("side", [64, 150, 256], ids=["as it is", "fractional", "enlarged"])
def test_grain_has_the_contrast_of_the_photo(side: int) -> None:
    photo, hole = noise(side), disc(side, side / 6, side / 2, side / 2)
    given = square(photo, hole)
    lent = in_hole(lent_detail(given, (0, 0)), given, hole)
    # What the blur of two cells takes away is the fill's own business: that of white noise, 1 / (4 pi 2^2) of a cell.
    assert lent.std() == pytest.approx(photo.std(), rel=0.12)
    assert abs(lent.mean()) < 4


@pytest.mark.parametrize("period", [4, 7, 12])
def test_a_regular_pattern_has_the_contrast_of_the_photo(period: int) -> None:
    """Blocks that go on with one pattern add up to it: to no more, where they overlap."""
    wave = 128 + 30 * np.sin(2 * np.pi * (np.arange(256) + 0.3 * np.arange(256)[:, None]) / period)
    photo, hole = np.repeat(wave[..., None], 3, 2).round().astype(np.uint8), disc(256, 42, 128, 128)
    given = square(photo, hole)
    lent = in_hole(lent_detail(given, (0, 0)), given, hole)
    assert lent.std() == pytest.approx(photo.std(), rel=0.2)
    assert np.abs(lent).max() < 1.5 * 30


def test_what_the_model_painted_itself_is_not_lent_again() -> None:
    photo, hole = noise(64), disc(64, 11, 32, 32)
    given = square(photo, hole)
    textured = dataclasses.replace(given, painted=to_cells(noise(64, seed=1), given.crop, RESOLUTION))
    plain, own = (in_hole(lent_detail(one, (0, 0)), one, hole).std() for one in (given, textured))
    assert own < 0.3 * plain


def test_more_detail_than_the_photo_has_is_taken_away() -> None:
    """A sky with the faintest grain, into which a model has painted shreds."""
    photo, hole = noise(64, spread=1, mean=180), disc(64, 11, 32, 32)
    given = square(photo, hole)
    shreds = torch.where(given.inside > 0, to_cells(noise(64, 5, 8, 180), given.crop, RESOLUTION), given.known)
    given = dataclasses.replace(given, painted=shreds)
    before = shreds.permute(1, 2, 0).numpy()[given.crop.part.window]
    after = before + lent_detail(given, (0, 0))
    painted = hole[given.crop.part.window]
    assert 127.5 * before[painted].std() > 7
    assert 127.5 * after[painted].std() < 3.5  # what is left is coarser than two cells


def test_an_edge_that_the_model_painted_stays() -> None:
    photo, hole = noise(128, spread=1, mean=180), disc(128, 22, 64, 64)
    given = square(photo, hole)
    painted = given.painted.clone()
    painted[:, :, 32:] = torch.where(given.inside[:, :, 32:] > 0, -0.8, painted[:, :, 32:])
    given = dataclasses.replace(given, painted=painted)
    assert np.abs(in_hole(lent_detail(given, (0, 0)), given, hole)).max() < 13  # a twelfth of the edge


def test_a_plain_photo_lends_nothing() -> None:
    photo, hole = np.full((200, 200, 3), 90, np.uint8), disc(200, 40, 100, 100)
    given = square(photo, hole)
    assert np.abs(in_hole(lent_detail(given, (0, 0)), given, hole)).max() < 1e-3


def test_patches_of_all_sizes_beside_nothing_are_sewn_to_numbers() -> None:
    """The running sums of energies, from the largest to none, round to less than none."""
    quilt = Quilt(Box(0, 0, 72, 144), 36)
    patch = np.exp(np.random.default_rng(0).normal(0, 6, (36, 36, 3))).astype(np.float32)
    quilt.add(patch, Box(0, 0, 36, 36), Box(0, 0, 36, 36))
    quilt.add(np.zeros((36, 36, 3), np.float32), Box(0, 36, 36, 72), Box(0, 0, 36, 36))
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(quilt.sewn()).all()


def test_nothing_is_lent_where_nothing_looks_alike() -> None:
    photo, hole = noise(200, spread=12, mean=60), disc(200, 40, 100, 100)
    alike, unlike = square(photo, hole), square(photo, hole, colour=0.9)
    ours, theirs = (in_hole(lent_detail(one, (0, 0)), one, hole).std() for one in (alike, unlike))
    assert ours > 10
    assert theirs < 0.01


def test_each_place_takes_from_what_looks_alike() -> None:
    """Left dark with coarse grain, right bright with fine grain: so is what the hole gets."""
    photo = np.concatenate([noise(384, 1, 25, 70)[:, :192], noise(384, 2, 5, 190)[:, :192]], axis=1)
    hole = disc(384, 64, 192, 192)
    given = square(photo, hole, resolution=128)
    painted = given.painted.clone()
    painted[:, :, :64], painted[:, :, 64:] = 70 / 127.5 - 1, 190 / 127.5 - 1
    given = dataclasses.replace(given, painted=torch.where(given.inside > 0, painted, given.known))
    lent = 127.5 * lent_detail(given, (0, 0))
    left, right = lent[44:84, 8:32], lent[44:84, 96:120]
    assert left.std() == pytest.approx(25, rel=0.25)
    assert right.std() == pytest.approx(5, rel=0.3)


def test_cables_that_cut_a_hole_are_not_lent_to_the_sky_in_it() -> None:
    """Most places that look like sky are plain: the energy of the cables is not to be expected in all of it."""
    with Image.open(BRIDGE) as image:
        photo = np.asarray(image.convert("RGB"))
    given = square(photo, hole := disc(700, 55, 214, 210)[:612], resolution=128, context=2.2)
    smooth = dataclasses.replace(given, painted=given.cells)
    assert in_hole(lent_detail(smooth, (0, 0)), smooth, hole).std() < 2  # cables lent to it have 15


def test_what_lies_under_the_hole_never_matters() -> None:
    photo, hole = noise(150), disc(150, 30, 60, 80)
    hidden = np.where(hole[..., None], noise(150, seed=9), photo)
    one, other = square(photo, hole), square(hidden, hole)
    other = dataclasses.replace(other, painted=torch.where(one.inside > 0, one.painted, other.painted))
    assert not np.array_equal(one.known, other.known)
    assert np.array_equal(lent_detail(one, (0, 3)), lent_detail(other, (0, 3)))


def test_blocks_keep_away_from_the_hole_and_the_border() -> None:
    photo, hole = noise(100)[:70], disc(100, 14, 30, 50)[:70]  # lower than the square, which hangs over the border
    given = square(photo, hole, resolution=96)
    assert given.crop.side > photo.shape[0]
    found = list(loans(given, np.random.default_rng(0)))
    assert found
    for loan in found:
        block = np.s_[:, loan.from_top : loan.from_top + BLOCK, loan.from_left : loan.from_left + BLOCK]
        assert given.hole[block].sum() == 0
        top = given.crop.top + loan.from_top * given.crop.side / 96
        assert top >= 0
        assert top + BLOCK * given.crop.side / 96 <= photo.shape[0]
    assert lent_detail(given, (0, 0)).std() > 0


def test_the_seed_alone_decides_among_equals() -> None:
    photo, hole = noise(150), disc(150, 30, 60, 80)
    given = square(photo, hole)
    first, again, other = (lent_detail(given, seed) for seed in ((1, 5), (1, 5), (2, 5)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("side", "resolution"), [(60, 8), (64, 64)], ids=["few cells", "no free block"])
def test_where_no_block_fits_nothing_is_lent(side: int, resolution: int) -> None:
    photo = noise(side)
    hole = disc(side, 10, 30, 30) if resolution < BLOCK else np.indices((side, side)).sum(0) % 9 == 0
    given = square(photo, hole, resolution=resolution)
    assert not lent_detail(given, (0, 0)).any()


def test_grain_of_some_pixels_has_the_spectrum_of_the_photo() -> None:
    """The spectrum of what the hole shows, beside what is hidden there."""
    photo, hole = noise(256, spread=25), disc(256, 40, 128, 128)
    for axis in (0, 1):
        photo = ((photo.astype(float) + np.roll(photo, 1, axis)) / 2).astype(np.uint8)  # grain of some pixels
    given = square(photo, hole)
    part = given.crop.part
    plain = np.stack([enlarge(channel, given.crop, part) for channel in given.painted.numpy()], -1)
    with_detail = plain + lent_detail(given, (0, 0))
    inner = np.s_[20:60, 20:60, 0]
    true, without, lent = (
        np.abs(np.fft.rfft2((levels[inner] - levels[inner].mean()) * 127.5))
        for levels in (photo[part.window] / 127.5 - 1, plain, with_detail)
    )
    assert without.mean() < 0.05 * true.mean()
    assert lent.mean() == pytest.approx(true.mean(), rel=0.2)
