"""Groups of pictures by a classifier that its user provides.

The file is an ONNX model, in which no code can run:

    input   pictures   float32 (N, 3, S, S)   RGB in [0, 1], the picture resized to a square of S pixels
    output  logits     float32 (N, K)         the largest one is the group

N is free and S fixed in the model. Beside it, in the same folder, lies a JSON file of the same name with the groups'
names: NAME.json beside NAME.onnx, such as ["Black", "White"].
"""

import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ediffuser.runtime.errors import BadInputError

WANTED = "give an ONNX model with the input pictures (N, 3, S, S) and the output logits (N, K)"


class GroupClassifier:
    """A network that tells the group of a picture.

    Attributes:
        names: Of the K groups.
        name: What is printed beside figures.
        sha256: Of the network's file and its names together.
        resize: How pictures are brought to its size.
    """

    def __init__(self, path: Path) -> None:
        """Loads the network, on the CPU.

        Raises:
            BadInputError: If onnxruntime is not installed, or a file is missing, damaged or of another interface.
        """
        self.names = _names(path)
        self._session = _session(path)
        self._side = _checked_side(self._session, path, len(self.names))
        words = json.dumps(self.names).encode()
        self.name = path.name
        self.sha256 = hashlib.sha256(hashlib.sha256(path.read_bytes()).digest() + words).hexdigest()
        self.resize = f"bilinear to {self._side} x {self._side}, antialiased"

    def __call__(self, pictures: Tensor) -> Tensor:
        """The groups of some pictures.

        Args:
            pictures: uint8 RGB, shape (B, 3, H, W).

        Returns:
            Index into `names`, int64, shape (B,). Each is looked at alone, so it does not depend on its batch.

        Raises:
            BadInputError: If the network puts out another shape, or what is no number.
        """
        size = (self._side, self._side)
        images = F.interpolate(pictures.float().cpu() / 255, size, mode="bilinear", antialias=True).clamp(0, 1)
        rows = [self._logits(image[None].numpy()) for image in images]
        return torch.tensor([int(row.argmax()) for row in rows], dtype=torch.int64)

    def _logits(self, image: np.ndarray) -> np.ndarray:
        try:
            (logits,) = self._session.run(["logits"], {"pictures": image})
        except Exception as error:  # its errors have no common base
            raise BadInputError(f"the classifier '{self.name}' cannot look at one picture: {WANTED}") from error
        if logits.shape != (1, len(self.names)) or not np.isfinite(logits).all():
            raise BadInputError(
                f"the classifier '{self.name}' put out {logits.shape} numbers, perhaps not all finite, for one picture "
                f"and {len(self.names)} names: {WANTED}, K names beside it"
            )
        return logits[0]


def _names(path: Path) -> tuple[str, ...]:
    beside = path.with_suffix(".json")
    try:
        names = json.loads(beside.read_text("utf-8"))
    except OSError as error:
        raise BadInputError(
            f"the names of the groups of '{path}' cannot be read from '{beside}' ({error.strerror}): write there a "
            'JSON list such as ["Black", "White"], in the order of the logits'
        ) from error
    except ValueError as error:
        raise BadInputError(f"'{beside}' is no JSON: write the groups' names as a list of words") from error
    words = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not words or len(set(names)) < len(names) or len(names) < 2:
        raise BadInputError(f"'{beside}' must be a JSON list of two or more different names of groups")
    return tuple(names)


def _session(path: Path) -> Any:  # noqa: ANN401 - onnxruntime is optional
    try:
        onnxruntime = import_module("onnxruntime")
    except ImportError as error:
        message = "a classifier of groups needs onnxruntime, which is not installed: pip install 'ediffuser[onnx]'"
        raise BadInputError(message) from error
    if not path.is_file():
        raise BadInputError(f"there is no classifier '{path}': {WANTED}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base
        raise BadInputError(f"'{path}' cannot be read as an ONNX model: {WANTED}") from error


def _checked_side(session: Any, path: Path, count: int) -> int:  # noqa: ANN401
    """S, if the model has the interface and as many logits as there are names."""
    inputs = {value.name: value for value in session.get_inputs()}
    outputs = {value.name: value for value in session.get_outputs()}
    if set(inputs) != {"pictures"} or "logits" not in outputs:
        names = f"inputs {', '.join(sorted(inputs))} and outputs {', '.join(sorted(outputs))}"
        raise BadInputError(f"the classifier '{path}' has {names}: {WANTED}")
    shape, width = inputs["pictures"].shape, outputs["logits"].shape
    if inputs["pictures"].type != "tensor(float)" or outputs["logits"].type != "tensor(float)":
        raise BadInputError(f"the classifier '{path}' does not take and give float32: {WANTED}")
    side = shape[-1]
    if isinstance(shape[0], int) and shape[0] != 1:
        raise BadInputError(f"the classifier '{path}' takes {shape[0]} pictures at once, not one: {WANTED}")
    if len(shape) != 4 or shape[1] != 3 or shape[2] != side or not isinstance(side, int) or not 8 <= side <= 1024:
        raise BadInputError(f"'pictures' of the classifier '{path}' has the shape {shape}: {WANTED}, S from 8 to 1024")
    if len(width) != 2 or (isinstance(width[1], int) and width[1] != count):
        raise BadInputError(f"the classifier '{path}' has logits of shape {width} for {count} names: {WANTED}")
    return side
