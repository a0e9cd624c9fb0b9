import io
import struct

import numpy as np
import pytest
from PIL import Image

from ediffuser.data.decode import decode_square
from ediffuser.editing.colour import to_rgb


def encoded(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def test_a_picture_of_the_right_size_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    decoded = decode_square(encoded(Image.fromarray(pixels)), 16, 3)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded.transpose(1, 2, 0), pixels)


@pytest.mark.parametrize("upright", [False, True])
def test_the_centre_of_the_longer_side_is_kept(upright):
    # Left, middle and right thirds: 30, 128, 220; the middle is a square.
    pixels = np.repeat(np.array([30, 128, 220], np.uint8), 32)[None].repeat(32, 0)
    decoded = decode_square(encoded(Image.fromarray(pixels.T.copy() if upright else pixels)), 8, 1)
    assert decoded.shape == (1, 8, 8)
    assert np.abs(decoded[0, 2:6, 2:6].astype(int) - 128).max() == 0


def test_downscaling_is_antialiased():
    checkerboard = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    decoded = decode_square(encoded(Image.fromarray(checkerboard)), 8, 1).astype(int)
    assert np.abs(decoded - 127.5).max() < 16


def test_smaller_pictures_are_enlarged():
    assert (decode_square(encoded(Image.new("RGB", (3, 5), (10, 20, 30))), 8, 3)[1] == 20).all()


@pytest.mark.parametrize(
    ("image", "rgb"),
    [
        (Image.new("L", (4, 4), 77), (77, 77, 77)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGB", (4, 4), (200, 0, 100)).quantize(4), (200, 0, 100)),
        (Image.new("RGBA", (4, 4), (200, 0, 100, 255)), (200, 0, 100)),
        (Image.new("RGBA", (4, 4), (200, 0, 100, 0)), (255, 255, 255)),
        (Image.new("LA", (4, 4), (0, 0)), (255, 255, 255)),
        (Image.fromarray(np.full((4, 4), 128 * 257, np.uint16)), (128, 128, 128)),
    ],
    ids=["grey", "bilevel", "palette", "opaque", "transparent", "grey-alpha", "16-bit"],
)
def test_every_mode_becomes_rgb(image, rgb):
    decoded = decode_square(encoded(image), 4, 3)
    assert decoded.shape == (3, 4, 4)
    assert tuple(decoded[:, 2, 2].tolist()) == rgb


def test_cmyk_becomes_rgb():
    decoded = decode_square(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95), 8, 3)
    assert decoded[0].min() > 200
    assert decoded[1:].max() < 60


def test_a_rotated_photo_is_turned_upright():
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255  # upright: bright above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise to be seen
    stored = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    decoded = decode_square(encoded(stored, exif=exif), 8, 1)
    assert np.array_equal(decoded[0], pixels)


SHORT, ASCII = 3, 2
ORIENTATION, X_RESOLUTION = 0x0112, 0x011A


def exif_of(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF of these entries: tag, type, count and the four bytes of the value."""
    table = b"".join(struct.pack(">HHI4s", *entry) for entry in entries)
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, len(entries)) + table + bytes(4)


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (exif_of((ORIENTATION, SHORT, 1, b"\0\6\0\0"), (X_RESOLUTION, ASCII, 3, b"72\0\0")), True),
        (exif_of((ORIENTATION, SHORT, 1, b"\0\x63\0\0")), False),
        (b"Exif\0\0no EXIF at all", False),
    ],
    ids=["resolution in ASCII", "orientation 99", "garbage"],
)
def test_odd_exif_is_no_damage(exif, turned):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255
    decoded = decode_square(encoded(Image.fromarray(pixels), "JPEG", quality=100, exif=exif), 8, 1)
    assert np.array_equal(decoded[0], pixels.T[:, ::-1] if turned else pixels)


def test_16_bit_grey_is_rounded_as_in_the_editor():
    values = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    decoded = decode_square(encoded(Image.fromarray(values)), 256, 3)
    assert np.array_equal(decoded.transpose(1, 2, 0), np.asarray(to_rgb(Image.fromarray(values))[0]))
    assert np.array_equal(decoded[0], np.rint(values / 257))
