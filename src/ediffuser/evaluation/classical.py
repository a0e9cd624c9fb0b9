"""Inpainting without learning: what a trained model must beat.

Each works on 8-bit pictures, one at a time. What lies in the hole is not looked at, and the known pixels are those of
`images`. Nothing is drawn.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from ediffuser.evaluation.optional import optional
from ediffuser.runtime.pixels import from_uint8, to_uint8

RADIUS_PX = 3


def telea(images: Tensor, holes: Tensor) -> Tensor:
    """OpenCV's fast marching method (Telea 2004), radius 3.

    Args:
        images: RGB in [-1, 1], shape (B, 3, H, W).
        holes: 1 where to paint, shape (B, 1, H, W).

    Returns:
        The painted pictures, float32 in [-1, 1], shape (B, 3, H, W).

    Raises:
        BadInputError: If OpenCV is not installed.
    """
    cv2 = optional("cv2", "OpenCV")
    return _one_by_one(images, holes, lambda picture, hole: cv2.inpaint(picture, hole, RADIUS_PX, cv2.INPAINT_TELEA))


def navier_stokes(images: Tensor, holes: Tensor) -> Tensor:
    """OpenCV's fluid dynamics (Bertalmio et al. 2001), radius 3; arguments and errors as of `telea`."""
    cv2 = optional("cv2", "OpenCV")
    return _one_by_one(images, holes, lambda picture, hole: cv2.inpaint(picture, hole, RADIUS_PX, cv2.INPAINT_NS))


def biharmonic(images: Tensor, holes: Tensor) -> Tensor:
    """scikit-image's biharmonic equations (Damelin & Hoang 2018); arguments and errors as of `telea`.

    The slowest: a tenth of a second for a hole of 128 x 128 pixels, seconds for larger ones.
    """
    restoration = optional("skimage.restoration", "scikit-image")

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        filled = restoration.inpaint_biharmonic(picture / 255, hole, channel_axis=-1)
        return np.rint(filled.clip(0, 1) * 255).astype(np.uint8)

    return _one_by_one(images, holes, fill)


def _one_by_one(images: Tensor, holes: Tensor, fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Tensor:
    """Applies `fill`, of an (H, W, 3) picture and an (H, W) hole, both uint8, to each row."""
    pixels = to_uint8(images * (1 - holes)).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    masks = holes[:, 0].to(torch.uint8).cpu().numpy()
    filled = np.stack([fill(picture, hole) for picture, hole in zip(pixels, masks, strict=True)])
    return torch.where(holes > 0, from_uint8(torch.from_numpy(filled)).permute(0, 3, 1, 2).to(images), images)


CLASSICAL: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
}
"""The methods by name."""
