"""The fixed holes of every table, and the picture that a user gets of one that was painted.

Picture k has the hole drawn from (seed, k), or the one that its pixels call for, so no figure depends on the batch
size, and the holes of the first hundred pictures are part of those of the first thousand.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import to_uint8
from ediffuser.tasks.masks import Brush, CentreBox, Half, Holes, Mixed, ThinStrokes

HOLES: Mapping[str, Holes] = {
    "thin": ThinStrokes(),
    "brush": Brush(),
    "box": CentreBox(),
    "half": Half(),
    "mixed": Mixed(),
}
"""The holes of every table that do not depend on the picture, by name."""

SMOOTH = "smooth"
"""A square of a quarter of the sides where the picture is smoothest: there a seam is seen first."""

KINDS = (*HOLES, SMOOTH)
"""The names of all kinds of holes."""

HOLE_SET, HOLE_SEED = "ediffuser-holes-1", 20240
"""Name and version of these kinds as they are drawn, and their seed: with another version no figure compares."""


def draw_holes(holes: Holes, indices: range, size: tuple[int, int]) -> Tensor:
    """The fixed holes of the pictures at these indices, float32, shape (B, 1, H, W)."""
    return holes.draw(Noise.rows(HOLE_SEED, indices), size)


def holes_of(kind: str, pictures: Tensor, indices: range) -> Tensor:
    """The holes of a kind in these pictures, uint8 (B, C, H, W), at these indices; float32, shape (B, 1, H, W)."""
    if kind == SMOOTH:
        return smooth_boxes(pictures)
    return draw_holes(HOLES[kind], indices, (pictures.shape[-2], pictures.shape[-1]))


def smooth_boxes(pictures: Tensor) -> Tensor:
    """In each picture the square with the least steps between its pixels, up to two pixels around it included.

    Args:
        pictures: uint8, shape (B, C, H, W).

    Returns:
        float32, shape (B, 1, H, W); the square's sides are a quarter of the shorter side. Of equally smooth ones it is
        the first in reading order.
    """
    x = pictures.cpu().double().sum(dim=1, keepdim=True)  # whole numbers: no rounding decides between two places
    height, width = x.shape[-2:]
    side = max(1, min(height, width) // 4)
    margin = min(2, (min(height, width) - side) // 2)
    rough = F.pad(x.diff(dim=2).abs(), (0, 0, 0, 1)) + F.pad(x.diff(dim=3).abs(), (0, 1, 0, 0))
    window = side + 2 * margin
    sums = F.avg_pool2d(rough, (window, 1), stride=1, divisor_override=1)
    sums = F.avg_pool2d(sums, (1, window), stride=1, divisor_override=1)
    boxes = torch.zeros_like(x, dtype=torch.float32)
    for box, found in zip(boxes, sums, strict=True):
        top, left = divmod(int(found.argmin()), sums.shape[-1])
        box[:, top + margin : top + margin + side, left + margin : left + margin + side] = 1
    return boxes


def compose(images: Tensor, filled: Tensor, holes: Tensor) -> Tensor:
    """The picture a user gets: `filled` in the hole, `images` outside it; uint8, shape (B, C, H, W)."""
    return torch.where(holes.cpu() > 0, to_uint8(filled.cpu()), to_uint8(images.cpu()))
