import io
import math
import resource
import time

import numpy as np
import pytest
import torch
from photo_files import encoded, exif, picture, random_hole, srgb_profile
from PIL import Image, ImageDraw

from ediffuser.diffusion.schedules import LinearBetas
from ediffuser.editing import Photo, PhotoError, decode_photo, inpaint_photo, inpaint_variations, plan_crops
from ediffuser.editing.compose import grow
from ediffuser.editing.inpaint import INDICES_PER_CROP
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Ddim
from ediffuser.tasks import Inpainting

R = 32


def noise_fill(images, holes, first_index):
    """Paints noise that depends on the index of the row and, a little, on what is known."""
    rows = []
    for row, image in enumerate(images):
        generator = torch.Generator().manual_seed(first_index + row)
        rows.append(torch.rand(image.shape, generator=generator) * 1.6 - 0.8 + 0.1 * image.mean())
    return torch.where(holes > 0, torch.stack(rows), images)


def pixels_of(photo, hole, fill=noise_fill, resolution=R, **options):
    return [variation.pixels for variation in inpaint_variations(photo, hole, fill, resolution, **options)]


@pytest.fixture(scope="module")
def model():
    """A tiny network that was never trained: it paints rubbish, but through the real sampler."""
    network = UNetConfig(
        resolution=16, in_channels=3 + Inpainting().condition_channels, widths=(8, 8), blocks=(1, 1), norm_groups=4
    )
    torch.manual_seed(0)
    config = ModelConfig(network=network, schedule=LinearBetas(), task=Inpainting())
    return Model(config, network.build().eval(), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("seed", range(200))
def test_not_a_byte_changes_outside_the_hole(seed):
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.choice([16, 17, 23, 48, 90, 161], 2))
    image = random_image(random, width, height)
    content = encoded(image)
    photo = decode_photo(content)
    hole = random_hole(random, height, width)
    hole[random.integers(height), random.integers(width)] = True
    resolution = int(random.choice([8, 16, 32]))
    results = pixels_of(photo, hole, resolution=resolution, variations=2, most_crops=int(random.choice([1, 4, 16])))
    assert len(results) == 2
    for pixels in results:
        assert pixels.shape == photo.pixels.shape
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels[~hole], photo.pixels[~hole])
        assert np.array_equal(pixels[..., 3:], photo.pixels[..., 3:])


def random_image(random, width, height):
    mode = random.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "P transparent"])
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), dtype=np.uint16))
    image = Image.fromarray(random.integers(0, 256, (height, width, 4), dtype=np.uint8))
    if mode == "P transparent":
        image = image.convert("RGB").quantize(16)
        image.info["transparency"] = bytes(range(0, 256, 16))
        return image
    return image.convert("RGB").quantize(32) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("seed", range(12))
def test_every_pixel_of_the_hole_is_painted(seed):
    hole = random_hole(np.random.default_rng(seed), 60, 100)
    white_hole = np.repeat(np.where(hole, 255, 40).astype(np.uint8)[..., None], 3, axis=2)
    grey = 60 / 127.5 - 1

    def fill(images, holes, first_index):
        return torch.where(holes > 0, grey, images)

    (pixels,) = pixels_of(Photo(white_hole), hole, fill, 16, variations=1, most_crops=5)
    # The surroundings of 40 draw the painted 60 to them, unless the whole square is a hole.
    assert pixels.max() <= 60


def test_a_fill_that_knows_the_truth_restores_the_photo():
    truth = picture(64, 64)
    hole = np.zeros((64, 64), bool)
    hole[20:40, 10:26] = True
    (crop,) = plan_crops(hole, 40, context=2.0)
    assert crop.side == 40
    whole = torch.from_numpy(truth).permute(2, 0, 1) / 127.5 - 1
    window = (slice(None), slice(crop.top, crop.top + 40), slice(crop.left, crop.left + 40))

    def fill(images, holes, first_index):
        return torch.where(holes > 0, whole[window], images)

    damaged = truth.copy()
    damaged[hole] = 0
    (pixels,) = pixels_of(Photo(damaged), hole, fill, 40, variations=1, context=2.0)
    assert np.array_equal(pixels, truth)


@pytest.mark.parametrize("offset", [0.0, 0.15])
def test_a_reduced_hole_has_no_seam(offset):
    """A smooth photo, filled by its own reduced picture with all colours off: neither blur nor offset remains."""
    y, x = np.mgrid[0:400, 0:500]
    truth = (
        np.stack([90 + 60 * np.sin(x / 90), 120 + 50 * np.cos(y / 70), 100 + x / 6], axis=-1).round().astype(np.uint8)
    )
    image = Image.new("1", (500, 400))
    ImageDraw.Draw(image).ellipse((150, 100, 330, 260), fill=1)
    hole = np.array(image)
    (crop,) = plan_crops(hole, 64)
    part = Image.fromarray(truth).crop((crop.left, crop.top, crop.left + crop.side, crop.top + crop.side))
    small = torch.from_numpy(np.array(part.resize((64, 64), Image.Resampling.BOX))).permute(2, 0, 1) / 127.5 - 1

    def fill(images, holes, first_index):
        return torch.where(holes > 0, small + offset, images)

    damaged = truth.copy()
    damaged[hole] = 255
    (pixels,) = pixels_of(Photo(damaged), hole, fill, 64, variations=1)
    assert np.abs(pixels.astype(int) - truth).max() <= 4
    assert np.abs(pixels.astype(int) - truth)[hole].mean() < 1


def test_what_lies_under_the_hole_does_not_matter():
    hole = random_hole(np.random.default_rng(1), 90, 130)
    seen = []
    results = []
    for under in (0, 255):
        pixels = picture(130, 90)
        pixels[hole] = under

        def fill(images, holes, first_index):
            seen.append(images.clone())
            return noise_fill(images, holes, first_index)

        results.append(pixels_of(Photo(pixels), hole, fill, variations=1)[0])
    assert np.array_equal(results[0], results[1])
    assert torch.equal(torch.cat(seen[: len(seen) // 2]), torch.cat(seen[len(seen) // 2 :]))


def test_a_variation_does_not_depend_on_their_number():
    photo, hole = Photo(picture(160, 90)), np.zeros((90, 160), bool)
    hole[10:20, 10:30] = hole[60:80, 120:150] = True
    one, three, five = (pixels_of(photo, hole, variations=count) for count in (1, 3, 5))
    for shorter in (one, three):
        assert all(np.array_equal(a, b) for a, b in zip(shorter, five, strict=False))
    assert not np.array_equal(five[0], five[1])
    assert all(np.array_equal(a, b) for a, b in zip(pixels_of(photo, hole, variations=3), three, strict=True))


def test_one_call_for_each_crop_with_its_own_indices():
    hole = np.zeros((90, 160), bool)
    hole[10:20, 10:30] = hole[60:80, 120:150] = True
    calls = []

    def fill(images, holes, first_index):
        calls.append((tuple(images.shape), tuple(holes.shape), first_index))
        assert images.dtype == holes.dtype == torch.float32
        assert images.abs().max() <= 1
        assert set(holes.unique().tolist()) == {0.0, 1.0}
        return images

    pixels_of(Photo(picture(160, 90)), hole, fill, variations=3)
    assert calls == [((3, 3, R, R), (3, 1, R, R), 0), ((3, 3, R, R), (3, 1, R, R), INDICES_PER_CROP)]


def test_a_later_crop_sees_what_was_painted_before():
    hole = np.zeros((64, 400), bool)
    hole[30:34] = True
    seen = []

    def fill(images, holes, first_index):
        seen.append((images.clone(), holes.clone()))
        return torch.where(holes > 0, 1.0, images)

    (pixels,) = pixels_of(Photo(np.full((64, 400, 3), 255, np.uint8)), hole, fill, variations=1)
    assert len(seen) > 2
    assert (pixels == 255).all()
    first, second = seen[0], seen[1]
    assert second[1].sum() < first[1].sum()
    assert (second[0] - (1 - second[1])).abs().max() < 1e-5


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (16, 300), (900, 16), (31, 33), (129, 127)])
@pytest.mark.parametrize("kind", ["pixel", "corner", "line", "all"])
def test_odd_tiny_and_thin_sizes(size, kind):
    width, height = size
    hole = np.zeros((height, width), bool)
    if kind == "pixel":
        hole[height // 2, width // 3] = True
    if kind == "corner":
        hole[-3:, -2:] = True
    if kind == "line":
        hole[height // 2] = True
    if kind == "all":
        hole[:] = True
    photo = Photo(picture(width, height))
    for pixels in pixels_of(photo, hole, resolution=32, variations=1, most_crops=4):
        assert np.array_equal(pixels[~hole], photo.pixels[~hole])
        assert (pixels[hole] != photo.pixels[hole]).any()


@pytest.mark.parametrize("side", [16, 17, 33, 95, 257])
@pytest.mark.parametrize("hole_side", [1, 2, 7, 15])
def test_the_hole_that_a_model_sees_stays_binary_and_loses_no_pixel_at_any_size(side, hole_side):
    """Trap 31: a hole that is resized as a picture would be half known along its edge."""
    hole = np.zeros((side, side + 2), bool)
    hole[1 : 1 + hole_side, side - hole_side : side] = True
    seen = []

    def fill(images, holes, first_index):
        seen.append(holes.clone())
        assert not images[(holes > 0).expand_as(images)].any()  # no cell with a part of the hole shows the photo
        return noise_fill(images, holes, first_index)

    photo = Photo(np.full((side, side + 2, 3), 40, np.uint8))
    (pixels,) = pixels_of(photo, hole, fill, variations=1)
    assert all(((each == 0) | (each == 1)).all() and each.any() for each in seen)
    assert np.array_equal((pixels != 40).any(axis=-1), hole)  # every pixel of it, and no other, is painted


@pytest.mark.parametrize("variations", [0, -1, 1_000_001])
def test_impossible_numbers_of_variations_are_refused(variations):
    with pytest.raises(BadInputError, match=f"{variations} variations"):
        pixels_of(Photo(picture()), np.ones((30, 40), bool), variations=variations)


def test_inpaint_photo_from_file_to_picture(model, tmp_path):
    content = encoded(picture(50, 36), "JPEG", quality=95, exif=exif(6), icc_profile=srgb_profile())
    (tmp_path / "photo.jpg").write_bytes(content)
    hole = np.zeros((50, 36), bool)
    hole[20:30, 5:20] = True
    mask = Image.fromarray(hole)
    upright = decode_photo(content).pixels
    results = inpaint_photo(model, tmp_path / "photo.jpg", mask, variations=2, seed=3, sampler=Ddim(steps=2))
    assert [result.size for result in results] == [(36, 50)] * 2
    for result in results:
        assert result.mode == "RGB"
        assert result.info == {"icc_profile": srgb_profile()}
        assert len(result.getexif()) == 0
        assert np.array_equal(np.asarray(result)[~hole], upright[~hole])
        assert not np.array_equal(np.asarray(result)[hole], upright[hole])
    assert results[0].tobytes() != results[1].tobytes()

    image = Image.open(io.BytesIO(content))
    inverted = Image.fromarray(~hole)
    again = inpaint_photo(model, image, inverted, variations=2, seed=3, sampler=Ddim(steps=2), invert_mask=True)
    assert [result.tobytes() for result in again] == [result.tobytes() for result in results]
    other = inpaint_photo(model, image, mask, variations=1, seed=4, sampler=Ddim(steps=2))
    assert other[0].tobytes() != results[0].tobytes()


def test_many_variations_are_painted_some_at_a_time(model, monkeypatch):
    hole = np.zeros((40, 40), bool)
    hole[10:20, 5:20] = True
    photo, mask = Image.fromarray(picture(40, 40)), Image.fromarray(hole)
    options = {"seed": 3, "sampler": Ddim(steps=2)}
    together = inpaint_photo(model, photo, mask, variations=3, **options)
    monkeypatch.setattr("ediffuser.editing.inpaint.ROWS_AT_ONCE", 2)
    apart = inpaint_photo(model, photo, mask, variations=3, **options)
    for one, other in zip(together, apart, strict=True):
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1


def test_inpaint_photo_keeps_alpha_everywhere(model):
    pixels = picture(40, 30, channels=4)
    pixels[:, :8, 3] = 0
    hole = np.zeros((30, 40), bool)
    hole[5:25, 4:30] = True
    (result,) = inpaint_photo(
        model, Image.fromarray(pixels), Image.fromarray(hole), variations=1, sampler=Ddim(steps=1), context=math.inf
    )
    assert result.mode == "RGBA"
    assert np.array_equal(np.asarray(result)[..., 3], pixels[..., 3])
    assert np.array_equal(np.asarray(result)[~hole], pixels[~hole])


def test_a_grown_hole_with_a_soft_edge(model):
    pixels, hole = picture(60, 50), np.zeros((50, 60), bool)
    hole[15:35, 20:40] = True
    image, mask, way = Image.fromarray(pixels), Image.fromarray(hole), Ddim(steps=1)

    def painted(mask, **options):
        return np.asarray(inpaint_photo(model, image, mask, variations=1, sampler=way, **options)[0]).astype(int)

    larger = grow(hole, 4)
    sharp, soft = painted(mask, grow=4), painted(mask, grow=4, feather=5)
    assert np.array_equal(sharp, painted(Image.fromarray(larger)))
    assert np.array_equal(soft[~larger], pixels[~larger])
    assert np.array_equal(soft[21:29, 26:34], sharp[21:29, 26:34])
    edge = larger & ~grow(larger, -1)
    change, full = np.abs(soft - pixels)[edge], np.abs(sharp - pixels)[edge]
    assert change.mean() < 0.3 * full.mean()
    smaller = grow(hole, -3)
    assert np.array_equal(painted(mask, grow=-3)[~smaller], pixels[~smaller])
    with pytest.raises(PhotoError, match="shrunk by 10 pixels"):
        painted(mask, grow=-10)
    with pytest.raises(BadInputError, match="-1 pixels wide"):
        painted(mask, feather=-1)


def test_inpaint_photo_refuses_a_mask_of_the_unturned_size(model):
    content = encoded(picture(50, 36), "JPEG", exif=exif(6))
    with pytest.raises(PhotoError, match=r"50 x 36.*36 x 50"):
        inpaint_photo(model, content, Image.new("1", (50, 36), 1))


def test_12_megapixels():
    image = Image.fromarray(picture(4000, 3000))
    content = encoded(image, "JPEG", quality=90, exif=exif(6))
    mask = Image.new("L", (3000, 4000))
    ImageDraw.Draw(mask).line([(500, 800), (900, 1000), (1200, 1500)], fill=255, width=160, joint="curve")
    hole = np.array(mask) > 0
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    photo = decode_photo(content)
    assert photo.size == (3000, 4000)
    for pixels in pixels_of(photo, hole, resolution=128, variations=3):
        assert np.array_equal(pixels[~hole], photo.pixels[~hole])
        assert not np.array_equal(pixels[hole], photo.pixels[hole])
    assert time.process_time() - start < 20  # seconds; about 2 on an idle machine
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 1e9
