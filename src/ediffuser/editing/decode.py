"""A file to an upright photo, safely.

The bytes decide the format, never the name. Only still JPEG, PNG and WebP files are opened; their size is read from the
header before any pixel is decoded. Whatever Pillow raises becomes one `PhotoError`. How many bytes a file may have, and
how long it may take, are rules of whoever receives it (the server stops an upload), not of this module.
"""

import io
import re
import warnings
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from ediffuser.editing.colour import to_rgb
from ediffuser.editing.photo import Photo, PhotoError
from ediffuser.runtime.orientation import upright

Source: TypeAlias = str | Path | bytes | Image.Image

SMALLEST_SIDE = 16
LARGEST_SIDE = 16_384
MOST_PIXELS = 50_000_000
WANTED = "give a still JPEG, PNG or WebP picture"

PLAIN_WORDS = re.compile(r"[\w ,;:.()%+-]{1,120}")


def decode_photo(source: Source, *, what: str = "photo") -> Photo:
    """The upright picture of a file, of its bytes, or of a Pillow image.

    The EXIF orientation is applied first and then dropped with all other metadata; unreadable EXIF is ignored. Palette,
    grey, 1-bit, CMYK and 16-bit pictures arrive as 8-bit RGB, or RGBA if they have transparency: see `colour.to_rgb`.
    Of a camera's JPEG with more pictures in it, such as previews or a gain map, the first is the photo.

    Args:
        source: Path of a file, its bytes, or an image of at most 16 bits a channel.
        what: The word for it in messages when it has no path: "photo" or "mask".

    Returns:
        The photo: sides of 16 to 16,384 pixels, at most 50 million pixels.

    Raises:
        PhotoError: If there is no such file, or it is empty, damaged, cut short, animated, too small, too large, or
            neither JPEG, PNG nor WebP.
        MemoryError: If it does not fit in memory.
    """
    name = name_of(source, what)
    try:
        if isinstance(source, Image.Image):
            return _decode_image(source, name)
        with _opened(source, name) as file:
            return _decode_file(file, name)
    except PhotoError:
        raise
    except MemoryError:
        raise  # a limit of the process, not a fault of the file alone
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(name, "far too many") from error
    except Exception as error:  # Pillow's plugins raise nearly anything on a hostile file
        raise _damaged(name, error) from error


def name_of(source: Source, what: str) -> str:
    """How messages call a source: its path in quotes, control characters escaped, else "the photo" or "the mask"."""
    return repr(str(source)) if isinstance(source, str | Path) else f"the {what}"


def _opened(source: str | Path | bytes, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PhotoError("unreadable-file", f"{name} cannot be opened ({reason}): {WANTED}") from error


def _decode_file(file: BinaryIO, name: str) -> Photo:
    head = file.read(12)
    if not head:
        raise PhotoError("empty-file", f"{name} is empty (0 bytes): {WANTED}")
    file_format = format_of(head)
    if file_format is None:
        raise PhotoError("unsupported-format", f"{name} is not a JPEG, PNG or WebP file: {WANTED}")
    file.seek(0)
    # Pillow warns of oddities that we accept, and from 89 megapixels on, which is more than we take.
    with warnings.catch_warnings(action="ignore"), Image.open(file, formats=[file_format]) as image:
        return _decode_image(image, name)


def format_of(head: bytes) -> str | None:
    """Pillow's name of the format that a file begins like, None if it is none of ours."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    return None


def _decode_image(image: Image.Image, name: str) -> Photo:
    check_size(image.size, name)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise PhotoError("animated", f"{name} holds {frames} pictures: give a file with one still picture")
    image.load()
    rgb, icc_profile = to_rgb(upright(image), name)
    pixels = np.array(rgb)
    pixels.setflags(write=False)
    return Photo(pixels, icc_profile)


def check_size(size: tuple[int, int], name: str) -> None:
    """Refuses a width and height that no photo may have; by the header, before a pixel is decoded.

    Raises:
        PhotoError: With `name` at the beginning of the sentence.
    """
    width, height = size
    if width * height > MOST_PIXELS:
        raise _too_many_pixels(name, f"{width} x {height}")
    if min(width, height) < SMALLEST_SIDE:
        message = f"{name} is {width} x {height} pixels: each side must have at least {SMALLEST_SIDE}"
        raise PhotoError("too-small", message)
    if max(width, height) > LARGEST_SIDE:
        message = f"{name} is {width} x {height} pixels: no side may have more than {LARGEST_SIDE}"
        raise PhotoError("too-large", message)


def _too_many_pixels(name: str, pixels: str) -> PhotoError:
    limit = MOST_PIXELS // 1_000_000
    return PhotoError("too-many-pixels", f"{name} has {pixels} pixels: give a picture of at most {limit} megapixels")


def _damaged(name: str, error: Exception) -> PhotoError:
    # Pillow's words for an unreadable header name a buffer in memory; others may quote bytes of the file.
    unreadable = isinstance(error, Image.UnidentifiedImageError)
    reason = "its header cannot be read" if unreadable else str(error)
    if not PLAIN_WORDS.fullmatch(reason):
        reason = type(error).__name__
    return PhotoError("damaged", f"{name} is damaged or cut short ({reason}): save or copy the picture anew")
