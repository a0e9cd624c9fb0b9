"""Which shipped model suits a hole, where nobody names one.

The rule: if the hole touches a face that is found (`faces`), the model of aligned faces; anywhere else the one that
knows anything. A model that is named is taken, whatever is in the photo.
"""

from collections.abc import Mapping

import numpy as np

from ediffuser import zoo
from ediffuser.editing.compose import hole_box
from ediffuser.editing.faces import face_frame
from ediffuser.model import Framing, load_config


def inpainters() -> dict[str, Framing]:
    """What the training pictures of the shipped models that fill holes in RGB photos show, by their names."""
    configs = {entry.name: load_config(entry.path) for entry in zoo.entries()}
    return {
        name: config.framing
        for name, config in configs.items()
        if config.task.kind == "inpainting" and config.picture_channels == 3
    }


def suited(models: Mapping[str, Framing], pixels: np.ndarray, hole: np.ndarray) -> str:
    """The name of the model that suits a hole.

    Args:
        models: What the training pictures of each show, by name; at least one. Of several of a kind the first counts.
        pixels: uint8, shape (H, W, 3 or 4): the photo, with what is under the hole.
        hole: bool, shape (H, W), True where to paint.
    """
    first: dict[Framing, str] = {}
    for name, framing in models.items():
        first.setdefault(framing, name)
    if len(first) == 1:
        return next(iter(first.values()))
    touched = hole.any() and face_frame(pixels, hole_box(hole)) is not None
    return first["aligned_faces" if touched else "free"]
