import numpy as np
import pytest
import torch
from photo_files import encoded, exif, picture, srgb_profile

from ediffuser.diffusion.schedules import LinearBetas
from ediffuser.editing import Photo, colorize_photo, colorize_variations
from ediffuser.editing.colorize import coloured_grey
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.samplers import Ddim
from ediffuser.tasks import Colorization


def grey_of(pixels):
    """Luma by its definition, rounded."""
    return np.floor(pixels[..., :3].astype(float) @ [0.299, 0.587, 0.114] + 0.5 + 1e-9).astype(int)


def random_paint(images, first_index):
    rows = []
    for row, image in enumerate(images):
        generator = torch.Generator().manual_seed(first_index + row)
        rows.append((image + torch.rand(image.shape, generator=generator) * 2 - 1).clamp(-1, 1))
    return torch.stack(rows)


@pytest.mark.parametrize("size", [(64, 64), (16, 200), (90, 31), (700, 500)])
@pytest.mark.parametrize("channels", [3, 4])
def test_luma_is_exact_in_every_pixel(size, channels):
    photo = Photo(np.random.default_rng(0).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8), b"profile")
    results = list(colorize_variations(photo, random_paint, 32, variations=2))
    assert len(results) == 2
    for result in results:
        assert result.icc_profile == b"profile"
        assert np.array_equal(grey_of(result.pixels), grey_of(photo.pixels))
        assert np.array_equal(result.pixels[..., 3:], photo.pixels[..., 3:])
        assert np.ptp(result.pixels[..., :3].astype(int), axis=-1).mean() > 10  # there are colours


def test_pillow_sees_the_same_grey():
    grey = picture(100, 80, channels=1)
    photo = Photo(np.repeat(grey[..., None], 3, axis=2))
    (result,) = colorize_variations(photo, random_paint, 32, variations=1)
    assert np.array_equal(np.asarray(result.to_image().convert("L")), grey)


def test_every_grey_takes_every_chroma():
    """All 256 levels with strong chroma in all directions: luma within 0.3 of a level, no overflow."""
    random = np.random.default_rng(0)
    chroma = random.uniform(-200, 200, (256, 400, 3))
    chroma -= (chroma @ [0.299, 0.587, 0.114])[..., None]
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 400, axis=1)
    pixels = coloured_grey(grey, chroma.astype(np.float32))
    assert np.abs(pixels.astype(float) @ [0.299, 0.587, 0.114] - grey).max() < 0.3


def test_weak_chroma_is_kept():
    grey = np.full((1, 1), 120, np.uint8)
    chroma = np.array([[[20.0, -8.0, -11.2633]]], np.float32)
    assert np.abs(coloured_grey(grey, chroma).astype(int) - [[[140, 112, 109]]]).max() <= 1


def test_no_chroma_gives_grey():
    photo = Photo(picture(50, 70))
    (result,) = colorize_variations(photo, lambda images, index: images, 32, variations=1)
    assert np.array_equal(result.pixels, np.repeat(grey_of(photo.pixels)[..., None], 3, axis=2))


def test_the_model_sees_grey_and_all_of_the_picture():
    seen = []

    def paint(images, first_index):
        seen.append((images, first_index))
        return images

    pixels = np.zeros((60, 200, 3), np.uint8)
    pixels[:, 150:] = (250, 100, 30)
    list(colorize_variations(Photo(pixels), paint, 50, variations=3))
    ((images, first_index),) = seen
    assert first_index == 0
    assert images.shape == (3, 3, 50, 50)
    levels = (images + 1) * 127.5
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    assert levels[0, 0, 25, 10] == 0
    assert levels[0, 0, 25, 45] == pytest.approx(grey_of(pixels)[0, -1], abs=0.01)


def test_a_variation_does_not_depend_on_their_number():
    photo = Photo(picture(40, 30))
    one, three = (list(colorize_variations(photo, random_paint, 32, variations=count)) for count in (1, 3))
    assert np.array_equal(one[0].pixels, three[0].pixels)
    assert not np.array_equal(three[0].pixels, three[1].pixels)


def test_colours_stand_where_the_model_put_them():
    def paint(images, first_index):
        coloured = images.clone()
        coloured[:, 0, :, :16] += 0.3  # red on the left
        coloured[:, 2, :, 16:] += 0.3  # blue on the right
        return coloured

    (result,) = colorize_variations(Photo(np.full((100, 150, 3), 128, np.uint8)), paint, 32, variations=1)
    left, right = result.pixels[:, :70].astype(int), result.pixels[:, 80:].astype(int)
    assert (left[..., 0] > left[..., 2] + 20).all()
    assert (right[..., 2] > right[..., 0] + 20).all()


def test_colorize_photo_from_file_to_picture():
    network = UNetConfig(
        resolution=16, in_channels=3 + Colorization().condition_channels, widths=(8, 8), blocks=(1, 1), norm_groups=4
    )
    torch.manual_seed(0)
    config = ModelConfig(network=network, schedule=LinearBetas(), task=Colorization())
    model = Model(config, network.build().eval(), torch.device("cpu"), torch.float32)
    content = encoded(picture(50, 36), "PNG", exif=exif(8), icc_profile=srgb_profile())
    results = colorize_photo(model, content, variations=2, seed=1, sampler=Ddim(steps=2))
    upright = np.rot90(picture(50, 36), 1)
    for result in results:
        assert result.size == (36, 50)
        assert result.info == {"icc_profile": srgb_profile()}
        assert np.array_equal(grey_of(np.asarray(result)), grey_of(upright))
    assert results[0].tobytes() != results[1].tobytes()
    again = colorize_photo(model, content, variations=2, seed=1, sampler=Ddim(steps=2))
    assert [result.tobytes() for result in again] == [result.tobytes() for result in results]
