"""Which way up a photo is."""

from PIL import Image

EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture of each EXIF orientation."""


def upright(image: Image.Image) -> Image.Image:
    """The picture turned by its EXIF orientation, as browsers do; XMP and other notes of it are not asked.

    The rest of EXIF is often odd, and not read; of a PNG it may come after the pixels, so they are to be loaded.
    """
    try:
        exif = Image.Exif()
        exif.load(image.info.get("exif", b""))
        turn = UPRIGHT.get(exif.get(EXIF_ORIENTATION, 1))
    except Exception:  # garbage EXIF is no reason to refuse a good picture
        turn = None
    return image if turn is None else image.transpose(turn)
