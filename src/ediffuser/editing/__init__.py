"""Editing photos: safe decoding, orientation, squares around the hole, composite, encoding with provenance.

The models work on small squares; this folder lets them work on photos of any size. It knows nothing of how they sample.
Decoding, encoding and everything about holes runs without PyTorch.
"""

from typing import TYPE_CHECKING

from ediffuser.editing.crop import plan_crops
from ediffuser.editing.decode import decode_photo
from ediffuser.editing.encode import encode_photo
from ediffuser.editing.mask import decode_mask
from ediffuser.editing.photo import Photo, PhotoError
from ediffuser.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from ediffuser.editing.colorize import colorize_photo, colorize_variations
    from ediffuser.editing.inpaint import inpaint_photo, inpaint_variations
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "colorize_photo": "ediffuser.editing.colorize",
            "colorize_variations": "ediffuser.editing.colorize",
            "inpaint_photo": "ediffuser.editing.inpaint",
            "inpaint_variations": "ediffuser.editing.inpaint",
        },
    )

__all__ = [
    "Photo",
    "PhotoError",
    "colorize_photo",
    "colorize_variations",
    "decode_mask",
    "decode_photo",
    "encode_photo",
    "inpaint_photo",
    "inpaint_variations",
    "plan_crops",
]
