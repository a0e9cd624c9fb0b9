"""The 8-bit pictures that a likelihood is of."""

import torch
from torch import Tensor

from ediffuser.runtime.errors import BadInputError

INTEGERS = (torch.uint8, torch.int16, torch.int32, torch.int64)


def require_levels(levels: Tensor) -> None:
    """Says so where something else is given than whole numbers 0 ... 255 of shape (B, C, H, W).

    Raises:
        BadInputError: For any other dtype, shape or value.
    """
    if levels.ndim != 4 or levels.dtype not in INTEGERS:
        given = f"{str(levels.dtype).removeprefix('torch.')} of shape {tuple(levels.shape)}"
        raise BadInputError(f"levels must be whole numbers 0 to 255 of shape (B, C, H, W), got {given}")
    if levels.numel() and (levels.min() < 0 or levels.max() > 255):
        raise BadInputError(f"levels must lie between 0 and 255, got {int(levels.min())} to {int(levels.max())}")
