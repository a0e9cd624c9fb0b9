"""Growing and feathering against distances worked out pair by pair; patches; the extended canvas."""

import numpy as np
import pytest
from photo_files import picture, random_hole, srgb_profile

from ediffuser.editing import Photo, PhotoError
from ediffuser.editing import compose as composing
from ediffuser.editing.compose import compose, grow, hole_box
from ediffuser.editing.extend import extend


def distances(marked):
    """Of every pixel to the nearest marked one, by looking at all of them; infinite if there is none."""
    height, width = marked.shape
    y, x = np.mgrid[:height, :width]
    result = np.full(marked.shape, np.inf)
    for row, column in np.argwhere(marked):
        np.minimum(result, np.hypot(y - row, x - column), out=result)
    return result


@pytest.fixture(params=[3, 512], ids=["strips", "whole"])
def rows_at_once(request, monkeypatch):
    monkeypatch.setattr(composing, "ROWS_AT_ONCE", request.param)


def holes(count=25, height=23, width=31):
    random = np.random.default_rng(0)
    made = (random_hole(random, height, width) for _ in range(4 * count))
    return [hole for hole in made if hole.any()][:count]


@pytest.mark.usefixtures("rows_at_once")
def test_grown_and_shrunk_by_euclidean_distance():
    for hole in holes():
        for pixels in (1, 2, 5, 100):
            assert np.array_equal(grow(hole, pixels), distances(hole) <= pixels)
            smaller = distances(~hole) > pixels
            if smaller.any():
                assert np.array_equal(grow(hole, -pixels), smaller)
            else:
                with pytest.raises(PhotoError, match=f"shrunk by {pixels} pixels") as caught:
                    grow(hole, -pixels)
                assert caught.value.kind == "empty-mask"
        assert np.array_equal(grow(hole, 0), hole)


def test_a_hole_of_everything_has_no_edge():
    assert grow(np.ones((20, 20), bool), -8).all()


def test_a_patch_goes_back_into_its_photo():
    photo, hole = Photo(picture(channels=4), srgb_profile()), np.zeros((30, 40), bool)
    hole[3, 7] = hole[20, 33] = True
    painted = Photo(255 - photo.pixels, photo.icc_profile)
    patch = Photo(painted.pixels[hole_box(hole).window], photo.icc_profile)
    assert patch.size == (27, 18)
    result = compose(photo, hole, patch)
    assert result.icc_profile == photo.icc_profile
    assert np.array_equal(result.pixels[hole][:, :3], painted.pixels[hole][:, :3])
    assert np.array_equal(result.pixels[..., 3], photo.pixels[..., 3])
    assert np.array_equal(result.pixels[~hole], photo.pixels[~hole])
    with pytest.raises(ValueError, match="does not fit"):
        compose(photo, hole, photo)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("margins", [(5, 0, 0, 0), (0, 7, 3, 0), (10, 20, 30, 40), (400, 0, 0, 700)])
@pytest.mark.parametrize("size", [(40, 30), (700, 300)])
def test_extended_canvas(channels, margins, size):
    top, right, bottom, left = margins
    photo = Photo(picture(*size, channels=channels), srgb_profile())
    larger, hole = extend(photo, top, right, bottom, left)
    width, height = size
    assert larger.size == (width + left + right, height + top + bottom)
    assert larger.icc_profile == photo.icc_profile
    inside = np.s_[top : top + height, left : left + width]
    assert np.array_equal(larger.pixels[inside], photo.pixels)
    assert not hole[inside].any()
    assert hole.sum() == larger.size[0] * larger.size[1] - width * height
    assert (larger.pixels[hole][:, 3:] == 255).all()


def test_new_area_continues_the_photo_softly():
    ramp = np.tile(np.linspace(0, 250, 600).astype(np.uint8)[:, None], (400, 1, 3))
    larger, _ = extend(Photo(ramp), 0, 300, 0, 300)
    line = larger.pixels[200, :, 0].astype(int)
    assert abs(line[299] - line[300]) < 12
    assert abs(line[899] - line[900]) < 12
    assert np.abs(np.diff(line[:300])).max() <= 3
    assert abs(line[150] - line[450]) < 12  # mirrored


@pytest.mark.parametrize(
    ("margins", "kind", "said"),
    [
        ((0, 0, 0, 0), "no-margin", "by some on one"),
        ((-1, 5, 0, 0), "no-margin", "0 pixels or more"),
        ((0, 16_384, 0, 0), "too-large", "the extended canvas is 16424 x 30 pixels"),
        ((8000, 8000, 0, 0), "too-many-pixels", "8040 x 8030 pixels"),
    ],
)
def test_canvas_that_would_be_too_large(margins, kind, said):
    with pytest.raises(PhotoError, match=said) as caught:
        extend(Photo(picture()), *margins)
    assert caught.value.kind == kind
