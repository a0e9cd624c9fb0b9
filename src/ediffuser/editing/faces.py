"""Where a model of aligned faces must look: the square that its training pictures show around a face.

Such a model knows eyes in one place only. A face is sought around the hole, in the photo as it came: a face that is
painted over is still seen there, and says where the square lies, never what is painted. The detector is the cascade of
local binary patterns that scikit-image ships; it finds upright faces seen from the front.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ediffuser.editing.compose import hole_box
from ediffuser.editing.crop import Box, Frame, plan_crops
from ediffuser.model import Framing

if TYPE_CHECKING:
    from skimage.feature import Cascade

NEIGHBOURHOODS = (3.0, 9.0)
"""Sides of the squares in which a face is sought, over the hole's longer side: around a whole face, around an eye."""
COPIES = (120, 160, 200)
"""They are reduced to these sides; the detector wavers, so the median of what it finds on them is taken."""
SMALLEST_FACE = 24
SQUARE_OVER_FACE = 2.0
"""CelebA's square over the detector's box."""
RAISED = 0.16
"""How much the square's centre lies above the box's, in sides of the box."""


def frames_for(framing: Framing, pixels: np.ndarray, hole: np.ndarray) -> list[Frame]:
    """The square that suits a model: that of `face_frame` for one of aligned faces, else none.

    Args:
        framing: What the model's training pictures show.
        pixels: uint8, shape (H, W, 3 or 4).
        hole: bool, shape (H, W), True where to paint.
    """
    frame = face_frame(pixels, hole_box(hole)) if framing == "aligned_faces" and hole.any() else None
    return [] if frame is None else [frame]


def touches_face(pixels: np.ndarray, hole: np.ndarray) -> bool:
    """Whether a face is found of which the hole covers a pixel; sought around each piece of a scattered hole.

    Args:
        pixels: uint8, shape (H, W, 3 or 4): the photo, with what is under the hole.
        hole: bool, shape (H, W), True where to paint.
    """
    pieces = [crop.part for crop in plan_crops(hole, SMALLEST_FACE)]
    return any(hole[face.window].any() for piece in pieces for face in _faces_at(pixels, piece))


def face_frame(pixels: np.ndarray, hole: Box) -> Frame | None:
    """The square around the face that a hole touches.

    Args:
        pixels: uint8, shape (H, W, 3 or 4): the photo, with what is under the hole.
        hole: Its bounding box.

    Returns:
        The square; None where no face is found.
    """
    found = _faces_at(pixels, hole)
    return _frame(found) if found else None


def _faces_at(pixels: np.ndarray, hole: Box) -> list[Box]:
    """The boxes of faces that a box touches, from the nearest neighbourhood that shows any."""
    for factor in NEIGHBOURHOODS:
        near = _around(hole, factor, pixels.shape[:2])
        found = [face for longest in COPIES for face in _faces(pixels, near, longest) if _touch(face, hole)]
        if found:
            return found
    return []


def _around(box: Box, factor: float, shape: tuple[int, int]) -> Box:
    """A square around a box, as far as it lies in the picture."""
    half = max(factor * box.longer / 2, SMALLEST_FACE)
    row, column = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    bottom, right = min(shape[0], round(row + half)), min(shape[1], round(column + half))
    return Box(max(0, round(row - half)), max(0, round(column - half)), bottom, right)


def _faces(pixels: np.ndarray, near: Box, longest: int) -> list[Box]:
    """Boxes of the faces in a neighbourhood, on a copy whose longer side is `longest`, or as it is if smaller."""
    scale = min(1.0, longest / near.longer)
    size = max(1, round(near.width * scale)), max(1, round(near.height * scale))
    if min(size) < SMALLEST_FACE:
        return []
    window = np.ascontiguousarray(pixels[near.window][..., :3])
    reduced = Image.fromarray(window).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    smallest, largest = (SMALLEST_FACE, SMALLEST_FACE), (min(size), min(size))
    found = _detector().detect_multi_scale(np.asarray(reduced), 1.2, 1, smallest, largest)
    return [_enlarged(face, near, scale) for face in found]


@lru_cache(maxsize=1)
def _detector() -> "Cascade":
    from skimage import data  # here, since they take half a second that most commands do not need
    from skimage.feature import Cascade

    return Cascade(data.lbp_frontal_face_cascade_filename())


def _enlarged(face: dict[str, int], near: Box, scale: float) -> Box:
    top, left = near.top + face["r"] / scale, near.left + face["c"] / scale
    return Box(round(top), round(left), round(top + face["height"] / scale), round(left + face["width"] / scale))


def _touch(face: Box, other: Box) -> bool:
    rows = min(face.bottom, other.bottom) - max(face.top, other.top)
    columns = min(face.right, other.right) - max(face.left, other.left)
    return rows > 0 and columns > 0


def _frame(found: list[Box]) -> Frame:
    """The square around the face that the largest box shows, from all boxes that show it too."""
    largest = max(found, key=lambda face: face.longer)
    same = [face for face in found if _touch(face, largest)]
    size = np.median([face.longer for face in same])
    row = np.median([(face.top + face.bottom) / 2 for face in same]) - RAISED * size
    column = np.median([(face.left + face.right) / 2 for face in same])
    side = round(SQUARE_OVER_FACE * size)
    return Frame(round(row - side / 2), round(column - side / 2), side)
