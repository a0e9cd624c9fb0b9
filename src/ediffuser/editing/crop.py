"""From a hole to the squares that the model looks at.

The hole is cut into parts, each part gets one square of picture around it. A compact hole stays whole, because only
then does the model see what it is about; a sparse one (specks, a wire, an outline) is cut, because a square around all
of it would be reduced until nothing is left to see. Cutting the bounding box at its emptiest line, again and again,
keeps near holes together and far ones apart, and bounds the number of squares however scattered the hole is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

SPARSE = 0.25
CONTEXT = 2.2
"""Side of the square that a model sees over the hole's longer side by default: the hole is as large there as the holes
that it was trained on, and has more of the model's pixels than in a larger square."""
MOST_CROPS = 8


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: rows top to bottom - 1, columns left to right - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def longer(self) -> int:
        """The longer side in pixels."""
        return max(self.height, self.width)

    @property
    def window(self) -> tuple[slice, slice]:
        """Indexes the rectangle in an array of shape (H, W, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def common_box(one: Box, other: Box) -> Box:
    """The intersection; of no pixels where they do not meet."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    return Box(top, left, max(top, min(one.bottom, other.bottom)), max(left, min(one.right, other.right)))


def within(box: Box, outer: Box) -> Box:
    """A box in the coordinates of another one."""
    return Box(box.top - outer.top, box.left - outer.left, box.bottom - outer.top, box.right - outer.left)


@dataclass(frozen=True)
class Crop:
    """One part of a hole and the square in which the model sees it.

    Attributes:
        part: Bounding box of the hole's pixels that this crop paints. The parts of a plan are disjoint.
        top, left: First row and column of the square. Negative where the square is larger than the picture.
        side: Side of the square in pixels.
    """

    part: Box
    top: int
    left: int
    side: int


@dataclass(frozen=True)
class Frame:
    """A square that shows the model what it knows, such as a face in its place; may hang over the picture's border."""

    top: int
    left: int
    side: int

    def holds(self, part: Box) -> bool:
        """Whether a part lies in the square."""
        bottom, right = self.top + self.side, self.left + self.side
        return self.top <= part.top and self.left <= part.left and part.bottom <= bottom and part.right <= right

    def around(self, part: Box, resolution: int) -> Crop:
        """The square for a part, made as large as the model's pictures around its middle."""
        more = max(0, resolution - self.side)
        return Crop(part, self.top - more // 2, self.left - more // 2, self.side + more)


def plan_crops(
    hole: np.ndarray,
    resolution: int,
    *,
    context: float = CONTEXT,
    most_crops: int = MOST_CROPS,
    frames: Sequence[Frame] = (),
) -> list[Crop]:
    """The squares that together paint every pixel of the hole, in the order to paint them.

    A part is cut while it covers less than a quarter of the square on its longer side and smaller parts would get
    smaller squares; the largest first, up to `most_crops` parts. Around a part whose box has sides a >= b the square
    has side `context` a, or the picture's shorter side if that is less; but at least `resolution`, at least a, and at
    least sqrt(2 a b), so that the box never covers more than half of it. It lies around the part's middle, moved into
    the picture; along a side where the picture is smaller than the square, it hangs over both ends alike.

    Args:
        hole: bool, shape (H, W), True where to paint.
        resolution: Side of the model's pictures in pixels.
        context: Side of the square over the longer side of its part; infinity for the largest square in the picture.
        most_crops: Upper bound on the number of squares.
        frames: A part that lies in one of them is not cut, and is seen in the first such square.

    Returns:
        The crops, at least one if any pixel is True.
    """
    if not hole.any():
        return []
    height, width = hole.shape

    def square(part: Box) -> Crop:
        for frame in frames:
            if frame.holds(part):
                return frame.around(part, resolution)
        return _square(part, height, width, resolution, context)

    smallest = _square(Box(0, 0, 1, 1), height, width, resolution, context).side
    # In the order to paint: halves stand where their whole stood, so that neighbours follow one another.
    parts, finished = [_trimmed(hole, Box(0, 0, height, width))], set()
    while len(parts) < most_crops and len(finished) < len(parts):
        part = max((part for part in parts if part not in finished), key=lambda part: part.longer)
        framed = any(frame.holds(part) for frame in frames)
        if not framed and _is_sparse(hole, part) and square(part).side > smallest:
            place = parts.index(part)
            parts[place : place + 1] = _cut(hole, part)
        else:
            finished.add(part)
    return [square(part) for part in parts]


def _is_sparse(hole: np.ndarray, part: Box) -> bool:
    return bool(np.count_nonzero(hole[part.window]) < SPARSE * part.longer**2)


def _cut(hole: np.ndarray, part: Box) -> list[Box]:
    """Two boxes, divided at the line of the middle half that crosses the fewest pixels of the hole.

    Lines along the longer side are not tried where the other side is less than half of it: two parallel wires stay
    together. Among equal lines, the one across the longer side and nearest to its middle.
    """
    inside = hole[part.window]
    rows = _emptiest_line(np.count_nonzero(inside, axis=1))
    columns = _emptiest_line(np.count_nonzero(inside, axis=0))
    if 2 * part.height < part.longer:
        by_rows = False
    elif 2 * part.width < part.longer:
        by_rows = True
    else:
        by_rows = (rows[0], -part.height) < (columns[0], -part.width)
    if by_rows:
        row = part.top + rows[1]
        halves = replace(part, bottom=row), replace(part, top=row)
    else:
        column = part.left + columns[1]
        halves = replace(part, right=column), replace(part, left=column)
    return [_trimmed(hole, half) for half in halves]


def _emptiest_line(counts: np.ndarray) -> tuple[int, int]:
    """The smallest count in the middle half of the lines, and the line nearest to the middle that has it."""
    length = len(counts)
    lines = np.arange(max(1, length // 4), max(2, length - length // 4))
    lines = lines[np.argsort(np.abs(2 * lines - length), kind="stable")]
    line = int(lines[np.argmin(counts[lines])]) if length > 1 else 0
    return int(counts[line]), line


def _trimmed(hole: np.ndarray, box: Box) -> Box:
    """The smallest box around the hole's pixels in a box that holds some."""
    inside = hole[box.window]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return Box(
        box.top + int(rows[0]), box.left + int(columns[0]), box.top + int(rows[-1]) + 1, box.left + int(columns[-1]) + 1
    )


def _square(part: Box, height: int, width: int, resolution: int, context: float) -> Crop:
    wanted = min(context * part.longer, height, width)
    half_covered = math.sqrt(2 * part.height * part.width)
    side = max(resolution, part.longer, math.ceil(half_covered), math.ceil(wanted))
    top = _start(part.top + part.bottom, side, height)
    left = _start(part.left + part.right, side, width)
    return Crop(part, top, left, side)


def _start(twice_middle: int, side: int, length: int) -> int:
    """Where a stretch begins: around a middle, inside the picture if it fits, else around the picture."""
    if side > length:
        return (length - side) // 2
    return min(max((twice_middle - side) // 2, 0), length - side)
