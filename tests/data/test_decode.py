import io

import numpy as np
import pytest
from PIL import Image

from ediffuser.data.decode import decode_square


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
