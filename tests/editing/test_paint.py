"""A variation as a coroutine paints what the plain loop over whole pictures does, byte for byte."""

import numpy as np
import pytest
import torch
from photo_files import picture, random_hole

from ediffuser.editing import Photo, inpaint_variations, plan_crops
from ediffuser.editing.paint import INDICES_PER_CROP, Plan, matched, paint, to_cells
from ediffuser.editing.resample import enlarge, shrink
from ediffuser.editing.seam import match, with_ring
from ediffuser.tasks.smooth_fill import smooth_fill


def painted_noise(images, holes, indices):
    """Noise that depends on the index of the row and, a little, on what is known."""
    rows = []
    for image, index in zip(images, indices, strict=True):
        generator = torch.Generator().manual_seed(index)
        rows.append(torch.rand(image.shape, generator=generator) * 1.6 - 0.8 + 0.1 * image.mean())
    return torch.where(holes > 0, torch.stack(rows), images)


def plain_loop(photo, hole, resolution, variations, **options):
    """Whole pictures, crop after crop, all variations in one batch."""
    canvases = [photo.pixels.copy() for _ in range(variations)]
    left = hole.copy()
    for number, crop in enumerate(plan_crops(hole, resolution, **options)):
        holes = torch.from_numpy(shrink(left, crop, resolution) > 0).float()[None, None].expand(variations, -1, -1, -1)
        known = torch.stack([to_cells(canvas, crop, resolution) for canvas in canvases])
        asked = with_ring(holes)
        indices = [number * INDICES_PER_CROP + variation for variation in range(variations)]
        painted = match(painted_noise(known * (1 - asked), asked, indices), known, holes)
        window = crop.part.window
        for canvas, cells in zip(canvases, painted, strict=True):
            for channel, levels in enumerate((cells.numpy() + 1) * 127.5):
                pixels = np.rint(enlarge(levels, crop, crop.part)).clip(0, 255).astype(np.uint8)
                np.copyto(canvas[window][..., channel], pixels, where=left[window])
        left[window] = False
    return canvases


def scene(seed):
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.choice([16, 17, 23, 48, 90, 161], 2))
    photo = Photo(picture(width, height, channels=int(random.choice([3, 4]))))
    hole = random_hole(random, height, width)
    hole[random.integers(height), random.integers(width)] = True
    options = {"context": float(random.choice([1.5, 4, np.inf])), "most_crops": int(random.choice([1, 4, 16]))}
    return photo, hole, int(random.choice([8, 16, 32])), options


@pytest.mark.parametrize("seed", range(40))
def test_side_by_side_like_the_plain_loop(seed):
    photo, hole, resolution, options = scene(seed)

    def fill(images, holes, first_index):
        return painted_noise(images, holes, range(first_index, first_index + len(images)))

    results = inpaint_variations(photo, hole, fill, resolution, variations=3, **options)
    expected = plain_loop(photo, hole, resolution, 3, **options)
    assert all(np.array_equal(result.pixels, pixels) for result, pixels in zip(results, expected, strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_one_by_one_like_the_plain_loop(seed):
    """Every variation in its own time, on a photo that nobody may write to."""
    photo, hole, resolution, options = scene(seed)
    expected = plain_loop(photo, hole, resolution, 2, **options)
    photo.pixels.setflags(write=False)
    plan = Plan(photo.pixels, hole, resolution, **options)
    for variation in (1, 0):
        patch = finished(paint(plan, variation))
        assert np.array_equal(patch, expected[variation][plan.box.window])


def grainy_scene(seed):
    """A photo of grain, and a hole of several pieces that a smooth fill is painted into."""
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(60, 260, 2))
    photo = random.normal(random.integers(80, 170), 12, (height, width, 4)).round().clip(0, 255).astype(np.uint8)
    hole = np.zeros((height, width), bool)
    for _ in range(int(random.integers(1, 4))):
        top, left = int(random.integers(height - 6)), int(random.integers(width - 6))
        hole[top : top + int(random.integers(2, 30)), left : left + int(random.integers(2, 30))] = True
    options = {"context": float(random.choice([2, 4, np.inf])), "most_crops": int(random.choice([1, 4, 16]))}
    return photo, hole, int(random.choice([32, 50, 64])), options


def smoothly(variation):
    return finished(variation, lambda images, holes, indices: smooth_fill(images, holes))


def test_lent_detail_changes_the_hole_alone_and_never_shows_what_is_hidden():
    lent = 0
    for seed in range(20):
        photo, hole, resolution, options = grainy_scene(seed)
        plain, plan = (Plan(photo, hole, resolution, detail=detail, **options) for detail in (False, True))
        patch, known = smoothly(paint(plan, 1)), ~hole[plan.box.window]
        assert np.array_equal(patch[known], photo[plan.box.window][known])
        assert np.array_equal(patch[..., 3], photo[plan.box.window][..., 3])
        hidden = photo.copy()
        hidden[hole, :3] = 255 - hidden[hole, :3]
        again = smoothly(paint(Plan(hidden, hole, resolution, detail=True, **options), 1))
        assert np.array_equal(patch[..., :3][~known], again[..., :3][~known])
        lent += not np.array_equal(patch, smoothly(paint(plain, 1)))
    assert lent >= 16


def test_the_seed_too_decides_what_is_lent():
    photo, hole, resolution, options = grainy_scene(3)
    patches = [
        smoothly(paint(Plan(photo, hole, resolution, detail=True, seed=seed, **options), 0)) for seed in (0, 0, 1)
    ]
    assert np.array_equal(patches[0], patches[1])
    assert not np.array_equal(patches[0], patches[2])


def finished(variation, fill=painted_noise):
    painted = None
    while True:
        try:
            ask = variation.send(painted)
        except StopIteration as end:
            return end.value
        painted = fill(ask.image[None], ask.hole[None], [ask.index])[0]


def test_a_preview_is_what_would_be_pasted_but_for_lent_detail():
    photo, hole, resolution, options = scene(3)
    plan = Plan(photo.pixels, hole, resolution, **options)
    asks = [plan.ask(0, variation, None) for variation in range(3)]
    painted = torch.rand(3, 3, resolution, resolution) * 2 - 1
    together = matched(asks, painted)
    for ask, row, cells in zip(asks, painted, together, strict=True):
        assert torch.equal(matched([ask], row[None])[0], cells)
        assert torch.equal(torch.where(ask.inside > 0, ask.known, cells), ask.known)


def test_an_empty_hole_leaves_the_photo():
    photo = Photo(picture(20, 20))
    (result,) = inpaint_variations(photo, np.zeros((20, 20), bool), painted_noise, 8, variations=1)
    assert np.array_equal(result.pixels, photo.pixels)
