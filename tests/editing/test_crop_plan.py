import math
import time
from functools import partial

import numpy as np
import pytest
from photo_files import random_hole
from PIL import Image, ImageDraw

from ediffuser.editing import crop as crop_module
from ediffuser.editing.crop import CONTEXT

plan_crops = partial(crop_module.plan_crops, context=2.0)


def drawn(width, height, draw):
    image = Image.new("1", (width, height))
    draw(ImageDraw.Draw(image))
    return np.array(image)


def painted_once(crops, hole):
    """How often each pixel lies in a part."""
    times = np.zeros(hole.shape, int)
    for crop in crops:
        times[crop.part.window] += 1
    return times


@pytest.mark.parametrize("seed", range(60))
def test_every_pixel_of_the_hole_is_in_one_part_and_its_square(seed):
    random = np.random.default_rng(seed)
    height, width = random.integers(16, 300, 2)
    resolution = int(random.choice([8, 32, 128]))
    context = float(random.choice([1.0, 2.0, math.inf]))
    most = int(random.choice([1, 5, 16]))
    hole = random_hole(random, height, width)
    crops = plan_crops(hole, resolution, context=context, most_crops=most)
    assert len(crops) <= most
    assert bool(crops) == hole.any()
    times = painted_once(crops, hole)
    assert (times[hole] == 1).all()
    assert times.max(initial=0) <= 1
    for crop in crops:
        part = crop.part
        assert hole[part.window].any()
        assert crop.side >= resolution
        assert crop.top <= part.top
        assert crop.left <= part.left
        assert crop.top + crop.side >= part.bottom
        assert crop.left + crop.side >= part.right
        assert 2 * part.height * part.width <= crop.side**2
        for start, length in ((crop.top, height), (crop.left, width)):
            inside = 0 <= start <= length - crop.side
            around = crop.side > length and start <= 0 and start + crop.side >= length
            assert inside or around


def test_a_compact_hole_has_one_square_of_twice_its_side():
    hole = drawn(1000, 800, lambda draw: draw.ellipse((400, 300, 599, 499), fill=1))
    (crop,) = plan_crops(hole, 128)
    assert (crop.side, crop.top, crop.left) == (400, 200, 300)


def test_the_default_context_is_some_twice_the_hole():
    (crop,) = crop_module.plan_crops(drawn(1000, 800, lambda draw: draw.rectangle((450, 350, 549, 449), fill=1)), 128)
    assert crop.side == math.ceil(CONTEXT * 100)


def test_a_small_hole_is_seen_unreduced():
    (crop,) = plan_crops(drawn(1000, 800, lambda draw: draw.rectangle((500, 400, 530, 420), fill=1)), 128)
    assert crop.side == 128


def test_a_hole_at_the_corner_moves_the_square_inside():
    (crop,) = plan_crops(drawn(1000, 800, lambda draw: draw.rectangle((0, 700, 99, 799), fill=1)), 128)
    assert (crop.side, crop.top, crop.left) == (200, 600, 0)


def test_infinite_context_gives_the_largest_square():
    hole = drawn(178, 218, lambda draw: draw.rectangle((60, 90, 69, 99), fill=1))
    (crop,) = plan_crops(hole, 128, context=math.inf)
    assert (crop.side, crop.left) == (178, 0)


def test_near_holes_share_a_square_and_far_ones_do_not():
    def near(draw):
        draw.rectangle((400, 300, 499, 399), fill=1)
        draw.rectangle((520, 300, 619, 399), fill=1)

    def far(draw):
        draw.rectangle((100, 300, 199, 399), fill=1)
        draw.rectangle((720, 500, 819, 599), fill=1)

    assert len(plan_crops(drawn(1000, 800, near), 128)) == 1
    assert [crop.side for crop in plan_crops(drawn(1000, 800, far), 128)] == [200, 200]


def test_two_holes_are_not_cut_through():
    def draw_three(draw):
        for left in (100, 400, 900):
            draw.ellipse((left, 300, left + 99, 399), fill=1)

    parts = [crop.part for crop in plan_crops(drawn(1100, 800, draw_three), 64)]
    assert [(part.left, part.width, part.height) for part in parts] == [
        (100, 100, 100),
        (400, 100, 100),
        (900, 100, 100),
    ]


def test_a_wire_is_followed_piece_by_piece():
    hole = drawn(4000, 600, lambda draw: draw.line((0, 100, 3999, 500), fill=1, width=9))
    crops = plan_crops(hole, 128)
    lefts = [crop.part.left for crop in crops]
    assert len(crops) == 8
    assert lefts == sorted(lefts)
    assert max(crop.part.longer for crop in crops) <= 550
    assert {crop.side for crop in crops} == {600}
    assert max(crop.side for crop in plan_crops(hole, 128, most_crops=40)) <= 300


def test_parallel_wires_stay_together():
    def draw_two(draw):
        draw.line((0, 300, 1999, 300), fill=1, width=5)
        draw.line((0, 330, 1999, 330), fill=1, width=5)

    crops = plan_crops(drawn(2000, 600, draw_two), 128)
    assert all(crop.part.top < 310 < 325 < crop.part.bottom for crop in crops)


def test_the_order_of_cutting_leaves_no_large_part_for_the_end():
    hole = np.random.default_rng(0).random((1500, 2000)) < 0.0005
    crops = plan_crops(hole, 128)
    assert len(crops) == 8
    assert max(crop.part.longer for crop in crops) <= 800


@pytest.mark.parametrize("density", [0.0005, 0.01, 0.2])
def test_scattered_specks_on_a_large_picture_are_fast(density):
    hole = np.random.default_rng(0).random((3000, 4000)) < density
    start = time.process_time()
    crops = plan_crops(hole, 128)
    assert len(crops) <= 8
    assert time.process_time() - start < 2
