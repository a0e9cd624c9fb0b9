"""A finished picture to a file that says how it was made."""

import io
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ediffuser.editing.decode import decode_photo
from ediffuser.editing.photo import Photo
from ediffuser.runtime.errors import BadInputError

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
LARGEST_WEBP_SIDE = 16_383
ZLIB_RUN_LENGTH = 3  # zlib's Z_RLE

# IPTC digital source types: a photo with generated parts, and a wholly generated picture.
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def encode_photo(
    photo: Photo | Image.Image,
    to: str | Path = "png",
    *,
    quality: int | None = None,
    source_type: str | None = COMPOSITE,
) -> bytes:
    """The bytes of a PNG, JPEG or WebP file.

    PNG is lossless, WebP too unless a quality below 100 is asked for; JPEG has no chroma subsampling. The RGB profile
    is kept. The only other metadata is an XMP packet with the IPTC digital source type: no EXIF, so no orientation,
    camera or place.

    Args:
        photo: The picture.
        to: Path of the file, whose ending names the format, or the format itself: png, jpg, jpeg or webp.
        quality: 1 to 100 for JPEG and WebP, None for 95 and lossless; PNG ignores it.
        source_type: What the XMP packet says: `COMPOSITE` or `GENERATED`; None for a picture that no model painted in.

    Returns:
        The file's content.

    Raises:
        BadInputError: If format or quality is unknown, or the format cannot hold the picture's transparency or size.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise BadInputError(f"a quality of {quality} cannot be saved: give a number from 1 to 100")
    if isinstance(photo, Image.Image):
        photo = decode_photo(photo)
    file_format = check_format(photo, to)
    xmp = None if source_type is None else XMP.format(source_type=source_type)
    file = io.BytesIO()
    options = _options(file_format, quality) | _metadata(file_format, xmp)
    photo.to_image().save(file, file_format, icc_profile=photo.icc_profile, **options)
    return file.getvalue()


def check_format(photo: Photo, to: str | Path) -> str:
    """Pillow's name of the format that a name ends with, if it can hold the picture.

    Raises:
        BadInputError: If it is unknown, or cannot hold the picture's transparency or size.
    """
    file_format = _format_of(to)
    if file_format == "JPEG" and photo.pixels.shape[2] == 4:
        raise BadInputError("the picture has transparency, which JPEG cannot hold: save it as PNG or WebP")
    if file_format == "WEBP" and max(photo.size) > LARGEST_WEBP_SIDE:
        raise BadInputError(f"no side of a WebP picture may exceed {LARGEST_WEBP_SIDE} pixels: save it as PNG")
    return file_format


def _format_of(to: str | Path) -> str:
    name = str(to)
    ending = (Path(name).suffix.removeprefix(".") or name).lower()
    if ending not in FORMATS:
        raise BadInputError(f"cannot save a picture as {name!r}: end the name with .png, .jpg or .webp")
    return FORMATS[ending]


def _options(file_format: str, quality: int | None) -> dict[str, Any]:
    if file_format == "PNG":
        # On photos run lengths after PNG's filters are both faster and smaller than zlib's fastest level.
        return {"compress_level": 1, "compress_type": ZLIB_RUN_LENGTH}
    if file_format == "JPEG":
        return {"quality": quality or 95, "subsampling": 0}
    if quality in (None, 100):
        return {"lossless": True, "method": 0, "quality": 20, "exact": True}
    return {"quality": quality, "method": 3}


def _metadata(file_format: str, xmp: str | None) -> dict[str, Any]:
    if xmp is None:
        return {}
    if file_format != "PNG":
        return {"xmp": xmp.encode()}
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    return {"pnginfo": text}
