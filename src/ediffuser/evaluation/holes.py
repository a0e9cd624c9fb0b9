"""The fixed holes of every table, and the picture that a user gets of one that was painted.

Picture k has the hole drawn from (seed, k), so no figure depends on the batch size, and the holes of the first hundred
pictures are part of those of the first thousand.
"""

from collections.abc import Mapping

import torch
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
"""The fixed holes of every table, by name."""

HOLE_SET, HOLE_SEED = "ediffuser-holes-1", 20240
"""Name and version of these kinds as they are drawn, and their seed: with another version no figure compares."""


def draw_holes(holes: Holes, indices: range, size: tuple[int, int]) -> Tensor:
    """The fixed holes of the pictures at these indices, float32, shape (B, 1, H, W)."""
    return holes.draw(Noise.rows(HOLE_SEED, indices), size)


def compose(images: Tensor, filled: Tensor, holes: Tensor) -> Tensor:
    """The picture a user gets: `filled` in the hole, `images` outside it; uint8, shape (B, C, H, W)."""
    return torch.where(holes.cpu() > 0, to_uint8(filled.cpu()), to_uint8(images.cpu()))
