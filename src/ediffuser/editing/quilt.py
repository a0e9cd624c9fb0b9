"""Patches sewn together over a part of a photo."""

import numpy as np
from scipy.ndimage import uniform_filter

from ediffuser.editing.crop import Box


class Quilt:
    """Patches that overlap by half, sewn together."""

    def __init__(self, box: Box, side: int) -> None:
        self._box, self._side, self._window = box, side, window(side)
        self._total = np.zeros((box.height, box.width, 3), np.float32)
        self._energy = np.zeros((box.height, box.width), np.float32)
        self._weight = np.full((box.height, box.width), 1e-6, np.float32)

    def add(self, patch: np.ndarray, place: Box, common: Box) -> None:
        """Adds what a patch has in the part of its place that is given, in the place's coordinates."""
        row, column = place.top - self._box.top, place.left - self._box.left
        target = np.s_[row + common.top : row + common.bottom, column + common.left : column + common.right]
        weight = self._window[common.window]
        self._total[target] += weight[..., None] * patch
        self._energy[target] += weight * (patch**2).sum(-1)
        self._weight[target] += weight

    def sewn(self) -> np.ndarray:
        """The mean of the patches over each pixel, with the contrast that they have themselves.

        Where neighbours go on with one pattern their mean is that pattern; where they are unlike it is too faint, by up
        to a half. The energies of both, over half a block, say how much.
        """
        mean, energy = self._total, self._energy
        mean /= self._weight[..., None]
        energy /= self._weight
        near = max(1, self._side // 2)
        wanted = uniform_filter(energy, near, mode="nearest")
        found = uniform_filter((mean**2).sum(-1), near, mode="nearest")
        # A running sum is off by rounding: where all is plain, energies may come out below 0.
        mean *= np.sqrt(np.maximum(wanted, 0) / np.maximum(found, 1e-9)).clip(1, 2)[..., None]
        return mean


def window(side: int) -> np.ndarray:
    """Weights of a block that overlaps its neighbours by half, float32, shape (side, side)."""
    ramp = np.sin(np.pi * (np.arange(side) + 0.5) / side, dtype=np.float32) ** 2
    return np.outer(ramp, ramp)
