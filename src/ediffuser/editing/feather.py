"""A soft edge that lies inside the hole: outside, not a byte changes."""

import numpy as np

from ediffuser.editing.compose import distances
from ediffuser.editing.crop import Box

LINES_AT_ONCE = 256


def edge_weights(hole: np.ndarray, box: Box, width: int) -> np.ndarray:
    """How much of the painted picture each pixel gets: it rises over `width` pixels from the hole's edge inwards.

    The border of the picture is no edge.

    Args:
        hole: bool, shape (H, W), True where to paint.
        box: The hole's bounding box.
        width: In pixels, at least 0: 0 gives 1 in the hole.

    Returns:
        float32 in [0, 1], the size of the box: 0 outside the hole, min(1, d / (`width` + 1)) at distance d >= 1 from
        the nearest pixel outside.
    """
    weights = np.empty((box.height, box.width), np.float32)
    for rows, distance in distances(~hole, box, width + 1):
        weights[rows] = (distance / (width + 1)).clip(max=1)
    return weights


def blended(painted: np.ndarray, known: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A mixture of two pictures: uint8, shape (H, W, C), `weights` of shape (H, W) of the painted one.

    Where the weight is 0 or 1 the bytes are those of one of them.
    """
    mixed = np.empty_like(painted)
    for top in range(0, len(painted), LINES_AT_ONCE):
        lines = slice(top, top + LINES_AT_ONCE)
        mixture = known[lines] + weights[lines, :, None] * (painted[lines].astype(np.float32) - known[lines])
        mixed[lines] = np.rint(mixture).astype(np.uint8)
    return mixed
