"""Which shipped model suits a hole, where nobody names one.

The rule: if the hole touches a face that is found (`faces`), the model of aligned faces; anywhere else the one that
knows anything. A model that is named is taken, whatever is in the photo.
"""

from collections.abc import Mapping

import numpy as np

from ediffuser import zoo
from ediffuser.editing.faces import touches_face
from ediffuser.model import Framing, load_config


def inpainters() -> dict[str, Framing]:
    """The shipped models that fill holes in RGB photos, the first of each framing, which stands beside its name."""
    found: dict[Framing, str] = {}
    for entry in zoo.entries():
        config = load_config(entry.path)
        if config.task.kind == "inpainting" and config.picture_channels == 3:
            found.setdefault(config.framing, entry.name)
    return {name: framing for framing, name in found.items()}


def suited(models: Mapping[str, Framing], pixels: np.ndarray, hole: np.ndarray) -> str:
    """The name of the model that suits a hole.

    Args:
        models: As of `inpainters`, at least one.
        pixels: uint8, shape (H, W, 3 or 4): the photo, with what is under the hole.
        hole: bool, shape (H, W), True where to paint.
    """
    if len(models) == 1:
        return next(iter(models))
    wanted = "aligned_faces" if touches_face(pixels, hole) else "free"
    return next(name for name, framing in models.items() if framing == wanted)
