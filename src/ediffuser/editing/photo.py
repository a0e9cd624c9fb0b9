"""A photo in memory, and the refusal of one.

Everything in this folder works on `Photo`: upright, 8 bits a channel, RGB or RGBA. What a file can hold beyond that
ends in `decode`; what a file needs beyond that begins in `encode`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from ediffuser.runtime.errors import BadInputError

Refusal = Literal[
    "unreadable-file",
    "empty-file",
    "unsupported-format",
    "unsupported-mode",
    "damaged",
    "animated",
    "too-small",
    "too-large",
    "too-many-pixels",
    "too-expensive",
    "mask-size-mismatch",
    "empty-mask",
    "no-margin",
    "point-outside",
    "box-outside",
    "no-object",
]


class PhotoError(BadInputError):
    """A photo or mask that cannot be used. `kind` is stable, for programs; the message is one sentence, for people."""

    def __init__(self, kind: Refusal, message: str) -> None:
        """Keeps the kind beside the sentence."""
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright picture.

    Attributes:
        pixels: uint8, shape (H, W, 3) for RGB or (H, W, 4) for RGBA (alpha not premultiplied).
        icc_profile: The RGB profile that says what the numbers mean, None for sRGB.
    """

    pixels: np.ndarray
    icc_profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, in Pillow's order."""
        height, width = self.pixels.shape[:2]
        return width, height

    def to_image(self) -> Image.Image:
        """The picture for Pillow, its profile in `info["icc_profile"]`, without EXIF: it is upright."""
        image = Image.fromarray(self.pixels)
        if self.icc_profile is not None:
            image.info["icc_profile"] = self.icc_profile
        return image
