"""One image file to a square of pixels. Trusted only as far as Pillow's decoders: every failure names the file."""

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.orientation import upright

FORMATS = ("JPEG", "PNG", "WEBP")


def decode_square(content: bytes, resolution: int, channels: Literal[1, 3]) -> np.ndarray:
    """The upright picture, its shorter side resized to the resolution, its centre cropped.

    Args:
        content: A JPEG, PNG or WebP file. Transparent parts are laid on white.
        resolution: Side of the result in pixels. Resampling is antialiased (Lanczos).
        channels: 3 for RGB, 1 for luma.

    Returns:
        uint8, shape (channels, resolution, resolution).

    Raises:
        Exception: Nearly any, if the file cannot be decoded; `damaged` makes a sentence of it.
    """
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        image.load()  # a PNG may have its EXIF after the pixels
        flat = _opaque(upright(image)).convert("RGB" if channels == 3 else "L")
    if flat.size != (resolution, resolution):
        flat = ImageOps.fit(flat, (resolution, resolution), Image.Resampling.LANCZOS)
    pixels = np.asarray(flat)
    return pixels.transpose(2, 0, 1) if channels == 3 else pixels[None]


def damaged(where: str, error: BaseException) -> BadInputError:
    """The error for a file that cannot be decoded."""
    # Pillow's own words for an unknown format name a buffer in memory.
    reason = "unknown format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
    return BadInputError(f"{where} is not a whole JPEG, PNG or WebP file ({reason}): repair it or take it away")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale, which Pillow's convert would clip at 255
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
