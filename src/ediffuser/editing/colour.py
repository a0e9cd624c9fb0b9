"""Any mode of picture to 8-bit RGB or RGBA, and what its numbers mean.

An RGB profile is kept beside the untouched numbers. CMYK and grey profiles cannot describe an RGB picture, so those
pictures are converted to sRGB through them.
"""

import io

import numpy as np
from PIL import Image, ImageCms

from ediffuser.editing.photo import PhotoError

MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"})
GREY_MODES = frozenset({"1", "L", "LA"})
LARGEST_PROFILE_BYTES = 4_000_000


def to_rgb(image: Image.Image, name: str = "the photo") -> tuple[Image.Image, bytes | None]:
    """The picture as 8-bit RGB, or RGBA where it has transparency, and its profile.

    - 16-bit grey is divided by 257 and rounded (Pillow's own conversion would clip it to white). 16-bit colour, and
      16-bit grey with alpha, reach us already reduced: Pillow keeps the high byte, which differs from the rounded value
      by at most one level.
    - CMYK goes to sRGB through its embedded profile where that is usable, else by Pillow's plain formula. Pillow reads
      every CMYK JPEG as inverted, as Adobe writes them.
    - Grey with a grey profile goes to sRGB through it.
    - A profile that is broken, larger than 4 MB, or of another colour space than the picture's is dropped.

    Args:
        image: A loaded image.
        name: How messages call it.

    Returns:
        An image of mode RGB or RGBA; the RGB profile of its numbers, or None for sRGB.

    Raises:
        PhotoError: If the mode has no agreed range (32-bit integers and floats) or is unknown here.
    """
    image = _eight_bit(image, name)
    if image.mode in ("P", "PA", "RGBa"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    profile = image.info.get("icc_profile")
    rgb, kept = _managed(image, profile)
    if _has_transparency(image):
        rgb.putalpha(image.convert("RGBA").getchannel("A"))
    return rgb, kept


def luma_thousandths(pixels: np.ndarray) -> np.ndarray:
    """ITU-R 601-2 luma, 299 R + 587 G + 114 B: exact integers in thousandths of a grey level.

    Args:
        pixels: uint8, shape (H, W, 3 or 4); alpha is not looked at.

    Returns:
        uint32 in [0, 255000], shape (H, W).
    """
    luma = pixels[..., 0] * np.uint32(299)
    luma += pixels[..., 1] * np.uint32(587)
    luma += pixels[..., 2] * np.uint32(114)
    return luma


def _eight_bit(image: Image.Image, name: str) -> Image.Image:
    if image.mode in MODES:
        return image
    if not image.mode.startswith("I;16"):
        message = f"{name} has pixels of mode {image.mode}, whose range is unknown: convert it to 8-bit RGB first"
        raise PhotoError("unsupported-mode", message)
    values = np.asarray(image)
    grey = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    grey.info["icc_profile"] = image.info.get("icc_profile")
    return grey


def _has_transparency(image: Image.Image) -> bool:
    transparent = image.info.get("transparency")
    # The transparent colour of a 16-bit picture cannot be found any more in the 8 bits that Pillow kept.
    if image.mode == "RGB" and transparent is not None and max(transparent) > 255:
        return False
    return image.has_transparency_data


def _managed(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """The colours as RGB without alpha, and the profile if it describes them."""
    space = _space(profile)
    if profile is None or space is None:
        return image.convert("RGB"), None
    if space == "RGB" and image.mode != "CMYK":
        return image.convert("RGB"), profile if _converts(profile) else None
    if space == "CMYK" and image.mode == "CMYK":
        return _through(profile, image), None
    if space == "GRAY" and image.mode in GREY_MODES:
        return _through(profile, image.convert("L")), None
    return image.convert("RGB"), None


def _space(profile: bytes | None) -> str | None:
    if not profile or len(profile) > LARGEST_PROFILE_BYTES:
        return None
    try:
        return ImageCms.getOpenProfile(io.BytesIO(profile)).profile.xcolor_space.strip()  # pyright: ignore
    except Exception:  # a broken profile is dropped, never an error
        return None


def _converts(profile: bytes) -> bool:
    """Whether an RGB profile can be used at all: a good header does not promise good tables."""
    try:
        ImageCms.buildTransform(io.BytesIO(profile), ImageCms.createProfile("sRGB"), "RGB", "RGB")  # pyright: ignore
    except Exception:
        return False
    return True


def _through(profile: bytes, image: Image.Image) -> Image.Image:
    """The picture in sRGB through its own profile, or by Pillow's plain formula if the profile fails."""
    try:
        converted = ImageCms.profileToProfile(
            image,
            io.BytesIO(profile),  # pyright: ignore
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:
        converted = None
    return image.convert("RGB") if converted is None else converted
