"""Pictures as files: on demand, from what is stored. Plain functions that take their time: call them in a thread."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ediffuser.editing.compose import compose
from ediffuser.editing.encode import COMPOSITE, encode_photo
from ediffuser.editing.photo import Photo
from ediffuser.server.problems import ProblemError
from ediffuser.server.schemas import FileFormat

MEDIA_TYPES: dict[FileFormat, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def encoded(photo: Photo, file_format: FileFormat, quality: int | None, *, generated: bool) -> bytes:
    """A file of the picture; if it is `generated`, the file says so.

    Args:
        photo: The picture.
        file_format: PNG is lossless always, WebP without a quality.
        quality: 1 to 100, None for the format's default.
        generated: Whether a model painted in it.

    Raises:
        ProblemError: If the format cannot hold the picture's transparency.
        BadInputError: If the format cannot hold the picture's size.
    """
    if file_format == "jpeg" and photo.pixels.shape[2] == 4:
        title = "The picture has transparency, which JPEG cannot hold: take PNG or WebP."
        raise ProblemError(422, "transparency", title)
    return encode_photo(photo, file_format, quality=quality, source_type=COMPOSITE if generated else None)


def shrunk(photo: Photo, max_side: int) -> Photo:
    """The picture with no side longer than `max_side`; the same one if it is that small."""
    if max(photo.size) <= max_side:
        return photo
    image = photo.to_image()
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return Photo(np.asarray(image), photo.icc_profile)


def composed(photo: Photo, hole: np.ndarray, patch: Path) -> Photo:
    """The picture with a painted rectangle in it; see `compose`.

    Args:
        photo: The job's picture.
        hole: bool, shape (H, W), True where it was to be painted.
        patch: The rectangle as the worker stored it, PNG.
    """
    with Image.open(patch, formats=["PNG"]) as image:
        return compose(photo, hole, Photo(np.asarray(image)))


def mask_file(hole: np.ndarray) -> bytes:
    """A hole as PNG of 1 bit a pixel, white where to paint; `hole` is bool, shape (H, W)."""
    file = io.BytesIO()
    Image.fromarray(hole).save(file, "PNG")
    return file.getvalue()
