"""Selection by clicks with a segmentation network of your own.

The file is an ONNX model of one picture:

    input   image    float32 (1, 3, S, S)   RGB in [0, 1], the photo squeezed to a square of S pixels
    input   points   float32 (1, N, 3)      x and y in [0, 1], from the left and the top; label 1 = object, 0 = not
    output  logits   float32 (1, 1, S, S)   above 0 where the object is

S is fixed in the model, N is free. Nothing else in the file is used; no code in it can run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ediffuser.editing.crop import Box
from ediffuser.editing.photo import Photo
from ediffuser.editing.select import Click, Selector, check_clicks
from ediffuser.runtime.errors import BadInputError

WANTED = "give an ONNX model with inputs image (1, 3, S, S) and points (1, N, 3) and output logits (1, 1, S, S)"
ROWS_AT_ONCE = 512


class OnnxSegmenter:
    """A network that draws the mask of clicked objects."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Loads the network, on the CPU.

        Args:
            path: The ONNX file.
            threads: How many it may use; 0 leaves that to onnxruntime.

        Raises:
            BadInputError: If onnxruntime is not installed, or the file is missing, damaged or of another interface.
        """
        self._session = _session(path, threads)
        self._side = _checked_side(self._session, path)

    def look_at(self, photo: Photo) -> Selector:
        """Reduces the photo to the network's square."""
        return _OnnxSelector(self._session, photo, self._side)


class _OnnxSelector:
    def __init__(self, session: Any, photo: Photo, side: int) -> None:  # noqa: ANN401 - onnxruntime is optional
        self._session = session
        self._size = photo.size
        image = photo.to_image().convert("RGB").resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        self._image = (np.asarray(image, dtype=np.float32) / 255).transpose(2, 0, 1)[None]

    def select(self, clicks: Sequence[Click], box: Box | None = None) -> np.ndarray:
        """See `Selector`. A box becomes a positive click in its middle if there is none; outside of it is nothing."""
        width, height = self._size
        check_clicks(clicks, box, self._size)
        places = [((click.x + 0.5) / width, (click.y + 0.5) / height, float(click.positive)) for click in clicks]
        if box is not None and not any(click.positive for click in clicks):
            places.append(((box.left + box.right) / 2 / width, (box.top + box.bottom) / 2 / height, 1.0))
        points = np.array([places], dtype=np.float32)
        (logits,) = self._session.run(["logits"], {"image": self._image, "points": points})
        side = self._image.shape[-1]
        if logits.shape != (1, 1, side, side):
            raise BadInputError(f"the network's logits have the shape {logits.shape}, not (1, 1, {side}, {side})")
        mask = _enlarged(logits[0, 0], height, width)
        if box is not None:
            outside = np.ones_like(mask)
            outside[box.window] = False
            mask[outside] = False
        return mask


def _enlarged(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where logits enlarged by bilinear interpolation are above 0; strip by strip to save memory."""
    image = Image.fromarray(np.ascontiguousarray(logits, dtype=np.float32))
    mask = np.empty((height, width), bool)
    for top in range(0, height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, height)
        edges = (0, top / height * image.height, image.width, bottom / height * image.height)
        mask[top:bottom] = np.asarray(image.resize((width, bottom - top), Image.Resampling.BILINEAR, box=edges)) > 0
    return mask


def _session(path: Path, threads: int) -> Any:  # noqa: ANN401
    try:
        import onnxruntime
    except ImportError as error:
        message = "a segmentation network needs onnxruntime, which is not installed: pip install 'ediffuser[onnx]'"
        raise BadInputError(message) from error
    if not path.is_file():
        raise BadInputError(f"there is no segmentation network '{path}': {WANTED}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base
        raise BadInputError(f"'{path}' cannot be read as an ONNX model: {WANTED}") from error


def _checked_side(session: Any, path: Path) -> int:  # noqa: ANN401
    """S, if the model has the interface."""
    inputs = {value.name: value for value in session.get_inputs()}
    outputs = {value.name: value for value in session.get_outputs()}
    if set(inputs) != {"image", "points"} or "logits" not in outputs:
        names = f"inputs {', '.join(sorted(inputs))} and outputs {', '.join(sorted(outputs))}"
        raise BadInputError(f"the network '{path}' has {names}: {WANTED}")
    for value in (inputs["image"], inputs["points"], outputs["logits"]):
        if value.type != "tensor(float)":
            raise BadInputError(f"'{value.name}' of the network '{path}' is a {value.type}, not float32: {WANTED}")
    shape = inputs["image"].shape
    side = shape[-1]
    if len(shape) != 4 or shape[1] != 3 or shape[2] != side or not isinstance(side, int) or not 16 <= side <= 4096:
        raise BadInputError(f"'image' of the network '{path}' has the shape {shape}: {WANTED}, S from 16 to 4096")
    shape = inputs["points"].shape
    if len(shape) != 3 or shape[2] != 3 or isinstance(shape[1], int):
        raise BadInputError(
            f"'points' of the network '{path}' has the shape {shape}, in which N must be free: {WANTED}"
        )
    return side
