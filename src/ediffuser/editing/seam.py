"""Colours without a step at the hole's border, at the model's resolution.

A model may paint a hole a shade too bright or too warm. It is asked to paint one cell more than the hole on every
side: on that ring its picture can be compared with the truth. The difference, carried smoothly into the hole, is added
to what the model painted. This keeps the model's detail and meets the known picture: gradient-domain compositing
(Pérez et al., Poisson image editing, 2003) with pull-push in the place of a Poisson solver.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ediffuser.tasks.smooth_fill import spread


def with_ring(holes: Tensor) -> Tensor:
    """The holes grown by one cell in all eight directions.

    Args:
        holes: 1 where to paint, else 0, shape (B, 1, r, r).

    Returns:
        The same shape and values.
    """
    return functional.max_pool2d(holes, kernel_size=3, stride=1, padding=1)


def match(painted: Tensor, known: Tensor, holes: Tensor) -> Tensor:
    """What was painted, with its colours moved so that they meet the known picture.

    Args:
        painted: What the model painted in `with_ring(holes)`, in [-1, 1], shape (B, 3, r, r).
        known: The picture, true outside the holes, in [-1, 1], the same shape.
        holes: 1 in the hole, 0 where known, shape (B, 1, r, r).

    Returns:
        The known picture outside the holes, the moved colours inside, clamped to [-1, 1], shape (B, 3, r, r).
    """
    ring = with_ring(holes) - holes
    moved = painted + spread((known - painted) * ring, ring)
    return torch.where(holes > 0, moved.clamp(-1, 1), known)
