"""A mask file to the hole it draws: white = paint."""

import numpy as np

from ediffuser.editing.colour import luma_thousandths
from ediffuser.editing.decode import Source, decode_photo, name_of
from ediffuser.editing.photo import PhotoError

WHITE_LUMA = 128


def decode_mask(source: Source, size: tuple[int, int], invert: bool = False) -> np.ndarray:
    """Where to paint.

    One rule for every kind of file: upright by its EXIF, laid on black where transparent, and each pixel whose luma is
    128 or more belongs to the hole.

    Args:
        source: Path of a mask, its bytes, or a Pillow image; any mode that a photo may have.
        size: Width and height of the upright photo. A mask of another size is refused, never resized.
        invert: Read black as paint instead.

    Returns:
        bool, shape (H, W), True where to paint; at least one pixel is True, perhaps all.

    Raises:
        PhotoError: If the file cannot be decoded, has another size than the photo, or leaves nothing to paint.
    """
    mask = decode_photo(source, what="mask")
    name = name_of(source, "mask")
    if mask.size != tuple(size):
        message = (
            f"{name} is {mask.size[0]} x {mask.size[1]} pixels but the upright photo is {size[0]} x {size[1]}: "
            "draw the mask at the photo's size"
        )
        raise PhotoError("mask-size-mismatch", message)
    luma, white = luma_thousandths(mask.pixels), WHITE_LUMA * 1000
    if mask.pixels.shape[2] == 4:
        luma *= mask.pixels[..., 3]
        white *= 255
    hole = (luma < white) if invert else (luma >= white)
    if not hole.any():
        message = (
            f"{name} has no black pixel, so with --invert-mask nothing is to be painted: paint the hole black"
            if invert
            else f"{name} has no white pixel, so nothing is to be painted: use --invert-mask if the hole is black"
        )
        raise PhotoError("empty-mask", message)
    return hole
