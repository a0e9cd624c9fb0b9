"""Selection of an object by clicks: what every method has in common.

A `Segmenter` looks at a photo once, which may take a moment; the `Selector` that it returns then answers click after
click. A selector belongs to one thread at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ediffuser.editing.crop import Box
from ediffuser.editing.photo import Photo, PhotoError


@dataclass(frozen=True)
class Click:
    """A place in the photo, in pixels from its upper left corner.

    Attributes:
        x: Column.
        y: Row.
        positive: Whether it belongs to the object.
    """

    x: int
    y: int
    positive: bool = True


class Selector(Protocol):
    """One photo, ready for clicks."""

    def select(self, clicks: Sequence[Click], box: Box | None = None) -> np.ndarray:
        """The object at the clicks. The same clicks give the same mask.

        Args:
            clicks: At least one of them positive, unless there is a box.
            box: A rectangle that holds all of the object, if it is known.

        Returns:
            bool, shape (H, W) of the photo, True where the object is.

        Raises:
            PhotoError: If a click or the box lies outside of the photo, or nothing says where the object is.
        """
        ...


class Segmenter(Protocol):
    """A method to find objects."""

    def look_at(self, photo: Photo) -> Selector:
        """Prepares a photo for clicks."""
        ...


def segmenter(network: Path | None = None) -> Segmenter:
    """The segmentation network of a file, or the classical method that needs none.

    Args:
        network: Path of an ONNX file; see `select_onnx.OnnxSegmenter`.

    Raises:
        BadInputError: If the network cannot be used, or a library for the method is not installed.
    """
    if network is None:
        from ediffuser.editing.select_classical import GrabCutSegmenter

        return GrabCutSegmenter()
    from ediffuser.editing.select_onnx import OnnxSegmenter

    return OnnxSegmenter(network)


def check_clicks(clicks: Sequence[Click], box: Box | None, size: tuple[int, int]) -> None:
    """Refuses what does not lie in a photo of this width and height, or says nothing of where the object is."""
    width, height = size
    for click in clicks:
        if not (0 <= click.x < width and 0 <= click.y < height):
            message = (
                f"the click at ({click.x}, {click.y}) lies outside of the photo, which has {width} x {height} pixels"
            )
            raise PhotoError("point-outside", message)
    if box is not None and not (0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height):
        message = (
            f"the box from ({box.left}, {box.top}) to ({box.right}, {box.bottom}) is not a rectangle inside the photo, "
            f"which has {width} x {height} pixels"
        )
        raise PhotoError("box-outside", message)
    if box is None and not any(click.positive for click in clicks):
        raise PhotoError("no-object", "nothing says where the object is: click on it, or draw a box around it")
