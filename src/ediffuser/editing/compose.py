"""What happens to a hole before it is painted and to the rectangle painted in it afterwards, without PyTorch.

A *patch* is the hole's bounding box of a painted photo. Distances are Euclidean, between the middles of pixels. Where a
hole meets the border of the picture nothing is known beyond it: it is not shrunk from there.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from ediffuser.editing.crop import Box
from ediffuser.editing.photo import Photo, PhotoError

ROWS_AT_ONCE = 512


def hole_box(hole: np.ndarray) -> Box:
    """The bounding box of a hole, bool of shape (H, W) with at least one True."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def compose(photo: Photo, hole: np.ndarray, patch: Photo) -> Photo:
    """The photo with the colours of a patch in its hole. No other byte changes, nor does alpha.

    Args:
        photo: The picture.
        hole: bool, shape (H, W), at least one pixel True.
        patch: Of the size of the hole's bounding box, RGB or RGBA.

    Raises:
        ValueError: If the patch has another size.
    """
    box = hole_box(hole)
    if patch.size != (box.width, box.height):
        raise ValueError(f"a patch of {patch.size} pixels does not fit a hole of {box.width} x {box.height}")
    pixels = np.array(photo.pixels)
    inside = hole[box.window][..., None]
    np.copyto(pixels[box.window][..., :3], patch.pixels[..., :3], where=inside)
    return Photo(pixels, photo.icc_profile)


def grow(hole: np.ndarray, pixels: int) -> np.ndarray:
    """A hole made larger or smaller all around.

    Args:
        hole: bool, shape (H, W), at least one pixel True.
        pixels: Every pixel at most so far from the hole joins it; if negative, every pixel leaves it that is at most so
            far from a known one.

    Returns:
        The new hole, the same shape.

    Raises:
        PhotoError: If nothing would be left of it.
    """
    result, box = hole.copy(), hole_box(hole)
    if pixels > 0:
        height, width = hole.shape
        reach = _around(box, pixels, height, width)
        for rows, distance in distances(hole, reach, pixels):
            result[reach.window][rows] = distance <= pixels
    elif pixels < 0:
        for rows, distance in distances(~hole, box, -pixels):
            result[box.window][rows] &= distance > -pixels
    if not result.any():
        raise PhotoError("empty-mask", f"a mask shrunk by {-pixels} pixels leaves nothing to paint: shrink it less")
    return result


def _around(box: Box, margin: int, height: int, width: int) -> Box:
    """The box with a margin, inside the picture."""
    top, left = max(box.top - margin, 0), max(box.left - margin, 0)
    return Box(top, left, min(box.bottom + margin, height), min(box.right + margin, width))


def distances(marked: np.ndarray, box: Box, reach: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Distances of the pixels of a box to the nearest marked one, exact up to `reach`, anything above it beyond.

    Strip by strip, each with `reach` rows above and below: memory stays small however large the box is.

    Yields:
        Rows of the box, and their distances, float64.
    """
    height, width = marked.shape
    for top in range(box.top, box.bottom, ROWS_AT_ONCE):
        strip = Box(top, box.left, min(top + ROWS_AT_ONCE, box.bottom), box.right)
        around = _around(strip, reach, height, width)
        near = marked[around.window]
        far = np.full(near.shape, np.inf)
        distance = np.asarray(ndimage.distance_transform_edt(~near)) if near.any() else far
        inner = np.s_[strip.top - around.top :, strip.left - around.left :]
        yield slice(strip.top - box.top, strip.bottom - box.top), distance[inner][: strip.height, : strip.width]
