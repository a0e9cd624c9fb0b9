import numpy as np
import pytest
from photo_files import encoded, exif, png_16_bit
from PIL import Image

from ediffuser.editing import PhotoError, decode_mask

SIZE = (40, 30)


@pytest.fixture
def hole():
    hole = np.zeros((30, 40), bool)
    hole[5:12, 8:31] = True
    return hole


def grey(hole, white=255, black=0):
    return np.where(hole, white, black).astype(np.uint8)


def variants(hole):
    white = grey(hole)
    brush = np.zeros((*hole.shape, 4), np.uint8)
    brush[hole] = (255, 255, 255, 200)
    hidden = np.full((*hole.shape, 4), 255, np.uint8)
    hidden[..., 3] = white
    noisy = Image.fromarray(white).resize((400, 300), Image.Resampling.NEAREST)
    return {
        "L": encoded(white),
        "RGB": encoded(np.stack([white] * 3, axis=-1)),
        "1": encoded(Image.fromarray(white).convert("1")),
        "P": encoded(Image.fromarray(white).convert("RGB").quantize(2)),
        "16 bit": encoded(Image.fromarray(hole.astype(np.uint16) * 65535)),
        "16 bit file": png_16_bit(hole.astype(np.uint16) * 40_000),
        "brush on transparency": encoded(brush),
        "white under transparency": encoded(hidden),
        "WebP": encoded(white, "WEBP", lossless=True),
        "turned": encoded(np.rot90(white), exif=exif(6)),
        "JPEG": encoded(white, "JPEG", quality=95),
        "soft": encoded(grey(hole, white=128, black=127)),
        "Pillow": Image.fromarray(white),
        "large": noisy,
    }


@pytest.mark.parametrize("case", [name for name in variants(np.ones((30, 40), bool)) if name != "large"])
def test_white_is_hole(case, hole):
    assert np.array_equal(decode_mask(variants(hole)[case], SIZE), hole)


def test_noisy_jpeg_of_a_large_mask(hole):
    content = encoded(variants(hole)["large"], "JPEG", quality=60)
    assert np.array_equal(decode_mask(content, (400, 300)), np.kron(hole, np.ones((10, 10), bool)))


@pytest.mark.parametrize("alpha", [127, 128])
def test_transparency_is_laid_on_black(alpha):
    pixels = np.full((20, 20, 4), 255, np.uint8)
    pixels[..., 3] = alpha
    pixels[0, 0, 3] = 255
    assert decode_mask(Image.fromarray(pixels), (20, 20)).sum() == (400 if alpha == 128 else 1)


def test_colours_count_by_their_luma():
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[0, 0] = (0, 255, 0)  # luma 149.7
    pixels[1, 1] = (255, 0, 0)  # luma 76.2
    pixels[2, 2] = (0, 0, 255)  # luma 29.1
    assert np.argwhere(decode_mask(Image.fromarray(pixels), (16, 16))).tolist() == [[0, 0]]


def test_invert(hole):
    assert np.array_equal(decode_mask(encoded(grey(~hole)), SIZE, invert=True), hole)


@pytest.mark.parametrize("size", [(41, 30), (40, 29), (30, 40), (80, 60), (20, 15)])
def test_another_size_is_refused_with_both_sizes(size, hole):
    with pytest.raises(PhotoError) as caught:
        decode_mask(encoded(grey(hole)), size)
    assert caught.value.kind == "mask-size-mismatch"
    assert "40 x 30" in str(caught.value)
    assert f"{size[0]} x {size[1]}" in str(caught.value)


def test_empty_mask_names_the_way_out(hole, tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(encoded(grey(~np.ones_like(hole))))
    with pytest.raises(PhotoError, match=r"mask\.png' has no white pixel.*--invert-mask") as caught:
        decode_mask(path, SIZE)
    assert caught.value.kind == "empty-mask"
    with pytest.raises(PhotoError, match=r"the mask has no black pixel.*--invert-mask"):
        decode_mask(encoded(grey(np.ones_like(hole))), SIZE, invert=True)


def test_all_white_is_accepted(hole):
    assert decode_mask(encoded(grey(np.ones_like(hole))), SIZE).all()


def test_a_bad_file_is_called_a_mask():
    with pytest.raises(PhotoError, match="the mask is not a JPEG, PNG or WebP file"):
        decode_mask(b"GIF89a", SIZE)
