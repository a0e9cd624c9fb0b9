"""A coarse mask to the edges of the full picture: a guided filter (He, Sun and Tang 2013), fast (He and Sun 2015).

Near its border the mask is fitted by a linear function of the colours, in small windows of the reduced picture. The
functions, made larger, are applied to the colours of the full picture, but only where the border runs.
"""

import cv2
import numpy as np

RADIUS = 2  # of the windows, in cells
SMOOTHNESS = 2e-4  # of the fit, in squared colour units of [0, 1]
TILE = 6  # side in cells of the pieces in which the border is worked out


def upsample(mask: np.ndarray, guide: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The mask at the size of the full picture.

    Args:
        mask: bool, shape (h, w).
        guide: The reduced picture, uint8, shape (h, w, 3).
        pixels: The full one, uint8, shape (H, W, 3 or 4).

    Returns:
        bool, shape (H, W).
    """
    height, width = pixels.shape[:2]
    result = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).view(bool)
    coefficients, border = _fit(mask, guide)
    step = width / mask.shape[1], height / mask.shape[0]
    for row in range(0, mask.shape[0], TILE):
        for column in range(0, mask.shape[1], TILE):
            if border[row : row + TILE, column : column + TILE].any():
                left, top = round(column * step[0]), round(row * step[1])
                right, bottom = (
                    round(min(start + TILE, count) * size)
                    for start, count, size in ((column, mask.shape[1], step[0]), (row, mask.shape[0], step[1]))
                )
                window = np.s_[top:bottom, left:right]
                result[window] = _applied(coefficients, pixels[window], (left, top), step)
    return result


def _fit(mask: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four coefficients a cell (of R, G, B and 1), float32, shape (h, w, 4); bool, where the mask is not constant."""
    colours, values = guide.astype(np.float32) / 255, mask.astype(np.float32)
    mean, share = _mean(colours), _mean(values)
    near = (share > 1e-4) & (share < 1 - 1e-4)
    products = np.stack([colours[..., i] * colours[..., j] for i in range(3) for j in range(3)], axis=-1)
    covariance = np.concatenate([_mean(products[..., i : i + 3]) for i in (0, 3, 6)], axis=-1)[near]
    covariance = covariance.reshape(-1, 3, 3) - mean[near][:, :, None] * mean[near][:, None, :]
    with_mask = (_mean(colours * values[..., None]) - mean * share[..., None])[near]
    slope = np.linalg.solve(covariance + SMOOTHNESS * np.eye(3, dtype=np.float32), with_mask[..., None])[..., 0]
    coefficients = np.zeros((*mask.shape, 4), np.float32)
    coefficients[..., 3] = share
    coefficients[near] = np.concatenate([slope, share[near, None] - np.sum(slope * mean[near], 1, keepdims=True)], 1)
    border = cv2.dilate(near.astype(np.uint8), np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)).view(bool)
    return _mean(coefficients), border


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT)


def _applied(
    coefficients: np.ndarray, pixels: np.ndarray, start: tuple[int, int], step: tuple[float, float]
) -> np.ndarray:
    """The mask of a tile of the full picture that begins at `start` (x, y); `step` is the size of a cell in pixels."""
    scale = [1 / size for size in step]
    shift = [(first + 0.5) / size - 0.5 for first, size in zip(start, step, strict=True)]
    inverse = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    fine = cv2.warpAffine(
        coefficients,
        inverse,
        (pixels.shape[1], pixels.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    level = np.einsum("hwc,hwc->hw", fine[..., :3], pixels[..., :3].astype(np.float32) / 255) + fine[..., 3]
    return level > 0.5
