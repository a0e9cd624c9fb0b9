"""Colours for a photo of any size from a model of one resolution: the photo's luma, the model's chroma."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image
from torch import Tensor

from ediffuser.conditioning import Conditioning
from ediffuser.editing.colour import luma_thousandths
from ediffuser.editing.crop import Box, Crop
from ediffuser.editing.decode import Source, decode_photo
from ediffuser.editing.inpaint import check_variations, some_at_a_time
from ediffuser.editing.paint import to_cells
from ediffuser.editing.photo import Photo
from ediffuser.editing.resample import enlarge
from ediffuser.generate import colorize
from ediffuser.model import Model
from ediffuser.samplers import Sampler

# grey images (B, 3, r, r) in [-1, 1], index of the first row's noise -> coloured images (B, 3, r, r).
Paint = Callable[[Tensor, int], Tensor]

LUMA_WEIGHTS = np.array([299, 587, 114], dtype=np.float32) / 1000
LINES_AT_ONCE = 256


def colorize_photo(
    model: Model,
    image: Source,
    *,
    variations: int = 4,
    seed: int = 0,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
) -> list[Image.Image]:
    """Colours a photo, in several versions.

    Args:
        model: A model trained to colorize, or an unconditional one with a conditioning.
        image: The photo: path, bytes or Pillow image, any size from 16 x 16 to 50 megapixels, any mode. Only its luma
            is used.
        variations: How many pictures to make. A picture does not depend on how many.
        seed: Variation v is drawn from (seed, v).
        sampler: The way from noise to a picture; None is `generate.DEFAULT_SAMPLER`.
        conditioning: How an unconditional model is made to respect the luma; see `generate.colorize`.

    Returns:
        Pictures of mode RGB, or RGBA where the photo has transparency, of the upright photo's size, without EXIF. Their
        luma, (299 R + 587 G + 114 B) / 1000 rounded, is the photo's in every pixel.

    Raises:
        BadInputError: If photo or model cannot be used, or `variations` is not from 1 to 1,000,000.
    """
    photo = decode_photo(image)

    def paint(images: Tensor, first_index: int) -> Tensor:
        def some(rows: slice) -> Tensor:
            first = first_index + rows.start
            return colorize(
                model, images[rows], sampler=sampler, conditioning=conditioning, seed=seed, first_index=first
            )

        return some_at_a_time(len(images), some)

    finished = colorize_variations(photo, paint, model.resolution, variations=variations)
    return [variation.to_image() for variation in finished]


def colorize_variations(photo: Photo, paint: Paint, resolution: int, *, variations: int = 4) -> Iterator[Photo]:
    """Colours the photo from one square around all of it, mirrored beyond its borders where it is not square.

    Args:
        photo: The picture; its colours are not looked at, its alpha is kept.
        paint: Colours a batch; called once, with first index 0.
        resolution: Side of the pictures that `paint` takes.
        variations: How many pictures to make, 1 to 1,000,000.

    Yields:
        The coloured pictures.

    Raises:
        BadInputError: If `variations` is out of range.
    """
    check_variations(variations)
    width, height = photo.size
    side = max(resolution, width, height)
    square = Crop(Box(0, 0, height, width), (height - side) // 2, (width - side) // 2, side)
    grey = ((luma_thousandths(photo.pixels) + 500) // 1000).astype(np.uint8)
    cells = to_cells(grey[..., None], square, resolution).expand(variations, 3, -1, -1)
    for coloured in paint(cells, 0).detach().float().cpu():
        levels = (coloured.numpy() + 1) * 127.5
        chroma = levels - np.tensordot(LUMA_WEIGHTS, levels, axes=1)
        yield Photo(_with_chroma(photo.pixels, grey, chroma, square), photo.icc_profile)


def _with_chroma(pixels: np.ndarray, grey: np.ndarray, chroma: np.ndarray, square: Crop) -> np.ndarray:
    """The photo's grey with the chroma of the cells, shape (3, r, r), strip by strip to save memory."""
    result = pixels.copy()
    height, width = grey.shape
    for top in range(0, height, LINES_AT_ONCE):
        strip = Box(top, 0, min(top + LINES_AT_ONCE, height), width)
        wanted = np.stack([enlarge(channel, square, strip) for channel in chroma], axis=-1)
        result[strip.window][..., :3] = coloured_grey(grey[strip.window], wanted)
    return result


def coloured_grey(grey: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Pixels of exactly this luma, and of this chroma as far as RGB permits.

    A colour outside of RGB is moved towards grey until it fits. R and B are rounded, then G is chosen so that the luma
    is within 0.3 of the grey level, and so rounds to it.

    Args:
        grey: uint8 luma, shape (H, W).
        chroma: R - Y, G - Y and B - Y in grey levels, shape (H, W, 3), of luma zero.

    Returns:
        uint8, shape (H, W, 3).
    """
    level = grey.astype(np.float32)[..., None]
    room = np.where(chroma > 0, 255 - level, level)
    strength = np.min(room / np.maximum(np.abs(chroma), 1e-6), axis=-1, keepdims=True)
    rgb = level + np.minimum(strength, 1) * chroma
    red, blue = np.rint(rgb[..., 0]), np.rint(rgb[..., 2])
    green = np.rint((1000 * level[..., 0] - 299 * red - 114 * blue) / 587)
    return np.stack([red, green, blue], axis=-1).clip(0, 255).astype(np.uint8)
