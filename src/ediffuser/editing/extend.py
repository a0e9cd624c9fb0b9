"""A larger canvas for outpainting: the new area is the hole."""

import numpy as np
from PIL import Image, ImageFilter

from ediffuser.editing.decode import check_size
from ediffuser.editing.photo import Photo, PhotoError

COARSE_SIDE = 256
BLUR_CELLS = 3.0


def extend(photo: Photo, top: int, right: int, bottom: int, left: int) -> tuple[Photo, np.ndarray]:
    """The photo on a larger canvas, and the hole that is new.

    The new area shows the photo mirrored and blurred, opaque: something calm to look at until it is painted.

    Args:
        photo: The picture.
        top: Rows above it.
        right: Columns right of it.
        bottom: Rows below it.
        left: Columns left of it.

    Returns:
        The larger picture, in which every byte of the photo is kept; bool, shape (H, W), True where it is new.

    Raises:
        PhotoError: If a margin is negative, all are zero, or the canvas would be larger than a photo may be.
    """
    if min(top, right, bottom, left) < 0 or top + right + bottom + left == 0:
        raise PhotoError("no-margin", "a canvas is extended by 0 pixels or more on each side, and by some on one")
    width, height = photo.size
    size = width + left + right, height + top + bottom
    check_size(size, "the extended canvas")
    inside = np.s_[top : top + height, left : left + width]
    pixels = np.full((size[1], size[0], photo.pixels.shape[2]), 255, np.uint8)
    pixels[..., :3] = _surroundings(photo, size, top, left)
    pixels[inside] = photo.pixels
    hole = np.ones((size[1], size[0]), bool)
    hole[inside] = False
    return Photo(pixels, photo.icc_profile), hole


def _surroundings(photo: Photo, size: tuple[int, int], top: int, left: int) -> np.ndarray:
    """The canvas without the photo, worked out at a coarse scale; uint8, shape (H, W, 3)."""
    width, height = photo.size
    scale = min(1.0, COARSE_SIDE / max(size))
    cells = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(photo.pixels[..., :3] if photo.pixels.shape[2] == 3 else np.array(photo.pixels[..., :3]))
    coarse = np.asarray(image.resize(cells, Image.Resampling.BOX, reducing_gap=2.0))
    # The canvas in units of cells, whose first one is the photo's; a whole number of cells is mirrored on each side.
    across, down = cells[0] / width, cells[1] / height
    start, end = (-left * across, -top * down), ((size[0] - left) * across, (size[1] - top) * down)
    before = [int(np.ceil(-edge)) for edge in start]
    after = [max(0, int(np.ceil(edge)) - count) for edge, count in zip(end, cells, strict=True)]
    mirrored = np.pad(coarse, ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="symmetric")
    soft = Image.fromarray(mirrored).filter(ImageFilter.GaussianBlur(BLUR_CELLS))
    box = (
        start[0] + before[0],
        start[1] + before[1],
        min(end[0] + before[0], soft.width),
        min(end[1] + before[1], soft.height),
    )
    return np.asarray(soft.resize(size, Image.Resampling.BICUBIC, box=box))
