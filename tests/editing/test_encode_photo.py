import io
import re

import numpy as np
import pytest
from photo_files import encoded, exif, picture, srgb_profile
from PIL import Image

from ediffuser.editing import Photo, encode_photo
from ediffuser.editing.encode import GENERATED
from ediffuser.runtime.errors import BadInputError

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMES = {"png": "PNG", "out/holiday.JPG": "JPEG", "jpeg": "JPEG", "holiday.2.webp": "WEBP"}


def source_type(content):
    """The IPTC digital source type as a reader finds it: the bytes of an XMP packet in the file."""
    image = Image.open(io.BytesIO(content))
    image.load()
    packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    assert packet.startswith(b"<?xpacket begin=")
    (value,) = re.findall(rb"<Iptc4xmpExt:DigitalSourceType>([^<]*)</Iptc4xmpExt:DigitalSourceType>", packet)
    return value.decode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", [None, srgb_profile()], ids=["sRGB", "profile"])
def test_format_profile_and_provenance(name, profile):
    photo = Photo(picture(), profile)
    content = encode_photo(photo, name)
    image = Image.open(io.BytesIO(content))
    assert image.format == NAMES[name]
    assert image.info.get("icc_profile") == profile
    assert source_type(content) == COMPOSITE
    assert source_type(encode_photo(photo, name, source_type=GENERATED)) == GENERATED
    pixels = np.asarray(image)
    if image.format == "JPEG":
        assert np.abs(pixels.astype(int) - photo.pixels).mean() < 2
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # 4:4:4
    else:
        assert np.array_equal(pixels, photo.pixels)


@pytest.mark.parametrize("name", ["png", "webp"])
def test_transparency_is_kept_with_the_colours_under_it(name):
    pixels = picture(channels=4)
    pixels[:15, :, 3] = 0
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_photo(Photo(pixels), name)))), pixels)


@pytest.mark.parametrize("name", NAMES)
def test_exif_and_text_are_dropped(name):
    image = Image.open(io.BytesIO(encoded(picture(), "JPEG", exif=exif(6), comment=b"at home", quality=95)))
    content = encode_photo(image, name)
    result = Image.open(io.BytesIO(content))
    result.load()
    assert result.size == (30, 40)
    assert len(result.getexif()) == 0
    assert b"at home" not in content


def test_default_is_png():
    assert encode_photo(Photo(picture())).startswith(b"\x89PNG")


def test_jpeg_refuses_transparency():
    with pytest.raises(BadInputError, match=r"transparency.*PNG or WebP"):
        encode_photo(Photo(picture(channels=4)), "photo.jpg")


def test_webp_refuses_what_it_cannot_hold():
    with pytest.raises(BadInputError, match="16383"):
        encode_photo(Photo(np.zeros((16, 16_384, 3), np.uint8)), "webp")


@pytest.mark.parametrize("name", ["photo.gif", "photo", "", ".tiff"])
def test_unknown_format_is_refused(name):
    with pytest.raises(BadInputError, match=r"end the name with \.png, \.jpg or \.webp"):
        encode_photo(Photo(picture()), name)


def test_same_bytes_every_time():
    for name in NAMES:
        assert encode_photo(Photo(picture()), name) == encode_photo(Photo(picture()), name)


def test_quality():
    photo = Photo(picture(300, 200))
    for name in ("jpeg", "webp"):
        sizes = [len(encode_photo(photo, name, quality=quality)) for quality in (1, 30, 80, 99)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1] / 2
    assert encode_photo(photo, "jpeg", quality=95) == encode_photo(photo, "jpeg")
    assert encode_photo(photo, "webp", quality=100) == encode_photo(photo, "webp")
    assert not np.array_equal(np.asarray(Image.open(io.BytesIO(encode_photo(photo, "webp", quality=80)))), photo.pixels)
    assert encode_photo(photo, "png", quality=1) == encode_photo(photo, "png")
    assert source_type(encode_photo(photo, "webp", quality=80)) == COMPOSITE
    for quality in (0, 101, -5):
        with pytest.raises(BadInputError, match="from 1 to 100"):
            encode_photo(photo, "jpeg", quality=quality)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_no_model_touched_says_nothing(name):
    assert b"DigitalSourceType" not in encode_photo(Photo(picture()), name, source_type=None)
