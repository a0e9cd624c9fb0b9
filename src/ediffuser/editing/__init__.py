"""Editing photos: safe decoding, orientation, squares around the hole, composite, encoding with provenance.

The models work on small squares; this folder lets them work on photos of any size. It knows nothing of how they sample.
"""

from ediffuser.editing.colorize import colorize_photo, colorize_variations
from ediffuser.editing.crop import plan_crops
from ediffuser.editing.decode import decode_photo
from ediffuser.editing.encode import encode_photo
from ediffuser.editing.inpaint import inpaint_photo, inpaint_variations
from ediffuser.editing.mask import decode_mask
from ediffuser.editing.photo import Photo, PhotoError

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
