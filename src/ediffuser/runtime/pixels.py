"""Between the bytes of files, 0 to 255, and the numbers that networks see, -1 to 1."""

import torch
from torch import Tensor


def from_uint8(pixels: Tensor) -> Tensor:
    """Pixels as a network sees them.

    Args:
        pixels: uint8 values 0 to 255, any shape.

    Returns:
        float32 in [-1, 1], the same shape; `to_uint8` brings back every value exactly.
    """
    return pixels.to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Images as bytes: rounded to the nearest grey level, never truncated.

    Args:
        images: Floating-point values, nominally in [-1, 1], any shape; what lies outside is clamped.

    Returns:
        uint8 values 0 to 255, the same shape.
    """
    return ((images.to(torch.float32).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
