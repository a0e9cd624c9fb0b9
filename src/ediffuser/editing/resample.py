"""Between a square of a picture and the model's resolution.

Down by exact area averaging, up by bicubic interpolation. A square may be as long as the longest picture and may hang
over the picture's border, beyond which the picture is mirrored; neither costs memory, as pixels are taken in strips.
"""

import numpy as np
from PIL import Image

from ediffuser.editing.crop import Box, Crop


def shrink(pixels: np.ndarray, crop: Crop, resolution: int) -> np.ndarray:
    """Area averages of a square: cell i spans the pixels from i s / r to (i + 1) s / r, in part where they are cut.

    Of a bool array the average is above 0 exactly where a cell touches a True pixel, however thin.

    Args:
        pixels: Numbers or bools, shape (H, W) or (H, W, C).
        crop: The square, of side s >= r.
        resolution: r, the number of cells along a side.

    Returns:
        float32, shape (r, r) or (r, r, C), in the units of the pixels.
    """
    rows = _mirrored(crop.top, crop.side, pixels.shape[0])
    columns = _mirrored(crop.left, crop.side, pixels.shape[1])
    first, last = int(columns.min()), int(columns.max()) + 1
    flat = _averaged(pixels[:, first:last], rows, resolution)
    return _averaged(flat.swapaxes(0, 1), columns - first, resolution).swapaxes(0, 1)


def enlarge(cells: np.ndarray, crop: Crop, box: Box) -> np.ndarray:
    """The cells of a square as pixels, by bicubic interpolation; the same pixels whatever box is asked for.

    Args:
        cells: float32, shape (r, r).
        crop: The square that the cells cover.
        box: Which of the picture's pixels are wanted; inside the square.

    Returns:
        float32, shape (box.height, box.width). Bicubic interpolation may overshoot the cells' range.
    """
    scale = cells.shape[0] / crop.side
    edges = (box.left - crop.left, box.top - crop.top, box.right - crop.left, box.bottom - crop.top)
    left, top, right, bottom = (min(edge * scale, float(cells.shape[0])) for edge in edges)
    image = Image.fromarray(np.ascontiguousarray(cells, dtype=np.float32))
    resized = image.resize((box.width, box.height), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    return np.asarray(resized)


def _mirrored(start: int, count: int, length: int) -> np.ndarray:
    """Indices start to start + count - 1 of a line that is mirrored at both ends, as often as needed."""
    index = np.arange(start, start + count) % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def _averaged(values: np.ndarray, lines: np.ndarray, cells: int) -> np.ndarray:
    """Averages of equal stretches of the given lines, shape (N, ...) -> (cells, ...). Weights from exact integers."""
    count = len(lines)
    averages = np.empty((cells, *values.shape[1:]), dtype=np.float32)
    for cell in range(cells):
        start, stop = cell * count, (cell + 1) * count  # in units of 1 / cells of a line
        first, last = start // cells, -(-stop // cells)
        weights = np.diff(np.clip(np.arange(first, last + 1) * cells, start, stop)) / count
        averages[cell] = np.tensordot(weights.astype(np.float32), values[lines[first:last]], axes=1)
    return averages
