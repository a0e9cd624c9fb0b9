"""Selection by clicks on pictures whose objects are known, and on the example photo."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ediffuser.editing import Photo, PhotoError, decode_photo
from ediffuser.editing.click_regions import RegionGrower
from ediffuser.editing.crop import Box
from ediffuser.editing.select import Click, segmenter
from ediffuser.editing.upsample import upsample

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.png"


def texture(height, width, colour, contrast=30, seed=0):
    noise = np.random.default_rng(seed).normal(0, contrast, (height, width, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), 2) * 4
    return np.clip(noise + np.array(colour), 0, 255)


def disc(height, width, y, x, radius):
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(rows - y, columns - x) <= radius


def scene(height=600, width=800, radius=110):
    """A red disc and a blue square on a greenish texture; the masks of both."""
    red = disc(height, width, height * 0.4, width * 0.3, radius)
    blue = np.zeros((height, width), bool)
    blue[int(height * 0.5) : int(height * 0.8), int(width * 0.6) : int(width * 0.9)] = True
    pixels = texture(height, width, (90, 140, 100))
    pixels[red] = texture(height, width, (190, 60, 50), seed=1)[red]
    pixels[blue] = texture(height, width, (60, 70, 170), seed=2)[blue]
    return Photo(pixels.astype(np.uint8)), red, blue


def overlap(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.fixture(scope="module")
def selector():
    return segmenter().look_at(scene()[0])


@pytest.mark.parametrize(("x", "y"), [(240, 240), (160, 250), (300, 300)])
def test_one_click_on_a_disc(selector, x, y):
    mask = selector.select([Click(x, y)])
    assert mask.dtype == bool
    assert mask.shape == (600, 800)
    assert overlap(mask, scene()[1]) > 0.95


def test_two_objects_and_a_negative_click(selector):
    _, red, blue = scene()
    both = [Click(240, 240), Click(600, 400)]
    assert overlap(selector.select(both), red | blue) > 0.95
    mask = selector.select([*both, Click(620, 420, positive=False)])
    assert mask[240, 240]
    assert not mask[420, 620]
    assert np.count_nonzero(mask) < 0.8 * np.count_nonzero(red | blue)
    only = selector.select([Click(240, 240), Click(600, 400, positive=False)])
    assert overlap(only, red) > 0.95


def test_a_negative_click_takes_a_part_away():
    photo, red, _ = scene()
    pixels = photo.pixels.copy()
    lower = red & (np.arange(600)[:, None] > 260)
    pixels[lower] = texture(600, 800, (200, 170, 40), seed=3)[lower].astype(np.uint8)
    selector = segmenter().look_at(Photo(pixels))
    upper = red & ~lower
    assert overlap(selector.select([Click(240, 200), Click(240, 300)]), red) > 0.95
    assert overlap(selector.select([Click(240, 200), Click(240, 300, positive=False)]), upper) > 0.9


def test_a_box_holds_the_object(selector):
    _, red, blue = scene()
    box = Box(110, 110, 370, 370)
    assert overlap(selector.select([], box), red) > 0.95
    assert overlap(selector.select([Click(200, 200)], box), red) > 0.95
    assert not selector.select([Click(240, 200)], Box(100, 100, 240, 400))[240:].any()
    mask = selector.select([Click(600, 400, positive=False)], Box(100, 100, 500, 760))
    assert not mask[400, 600]
    assert overlap(mask & ~blue, red) > 0.5


@pytest.mark.parametrize("remembered", [64, 1])
def test_deterministic_and_independent_of_what_was_asked_before(remembered, monkeypatch):
    monkeypatch.setattr("ediffuser.editing.click_regions.MOST_REMEMBERED", remembered)
    photo = scene()[0]
    clicks = [Click(240, 240), Click(600, 400), Click(250, 300, positive=False)]
    used = segmenter().look_at(photo)
    first = used.select(clicks)
    used.select([Click(5, 5)])
    assert np.array_equal(first, used.select(clicks))
    assert np.array_equal(first, segmenter().look_at(photo).select(clicks))


@pytest.mark.parametrize("place", [(0, 0), (799, 599), (799, 0), (400, 300)])
def test_every_pixel_can_be_clicked(selector, place):
    mask = selector.select([Click(*place)])
    assert mask[place[1], place[0]]
    assert not selector.select([Click(240, 240), Click(*place, positive=False)])[place[1], place[0]]


@pytest.mark.parametrize("size", [(16, 16), (16, 2000), (1200, 16), (37, 53)])
@pytest.mark.parametrize("channels", [3, 4])
def test_small_and_narrow_photos(size, channels):
    pixels = np.full((*size, channels), 90, np.uint8)
    pixels[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 200
    pixels.setflags(write=False)
    selector = segmenter().look_at(Photo(pixels))
    mask = selector.select([Click(size[1] // 2, size[0] // 2)])
    assert mask[size[0] // 2, size[1] // 2]
    if max(size) < 100:
        assert overlap(mask, pixels[..., 0] == 200) > 0.8
    selector.select([], Box(0, 0, *size))
    selector.select([], Box(3, 3, 4, 4))


def test_no_click_breaks_it():
    random = np.random.default_rng(0)
    for _ in range(8):
        height, width = (int(side) for side in random.integers(16, 200, 2))
        coarse = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        selector = segmenter().look_at(Photo(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)))
        places = [
            (int(random.integers(width)), int(random.integers(height)), bool(random.integers(2))) for _ in "12345"
        ]
        box = Box(int(random.integers(8)), 0, height - int(random.integers(8)), width - 1)
        mask = selector.select([Click(0, 0), *(Click(*place) for place in places)])
        assert mask.shape == (height, width)
        selector.select([Click(*place) for place in places], box)


def test_a_picture_of_one_colour():
    mask = segmenter().look_at(Photo(np.full((100, 120, 3), 77, np.uint8))).select([Click(50, 50)])
    assert mask[50, 50]


def test_a_small_object_in_a_large_photo_keeps_its_edge():
    pixels = cv2.resize(texture(300, 400, (120, 120, 110)).astype(np.uint8), (4000, 3000))
    badge = disc(3000, 4000, 2100, 3000, 60)
    pixels[badge] = (200, 160, 30)
    mask = segmenter().look_at(Photo(pixels)).select([Click(3000, 2100)])
    assert overlap(mask, badge) > 0.95


def test_large_photo_sharp_and_fast():
    small, red, _ = scene()
    pixels = cv2.resize(small.pixels, (4000, 3000), interpolation=cv2.INTER_CUBIC)
    large = cv2.resize(red.astype(np.float32), (4000, 3000), interpolation=cv2.INTER_LINEAR) > 0.5
    selector = segmenter().look_at(Photo(pixels))
    selector.select([Click(1200, 1200)])
    start = time.process_time()
    mask = selector.select([Click(1210, 1300)])
    seconds = time.process_time() - start
    assert overlap(mask, large) > 0.97
    print(f"one click on 12 megapixels: {1000 * seconds:.0f} ms of processor time")  # noqa: T201
    assert seconds < 1


@pytest.mark.parametrize(
    ("clicks", "box", "kind", "said"),
    [
        ([Click(800, 5)], None, "point-outside", r"\(800, 5\) lies outside of the photo, which has 800 x 600"),
        ([Click(5, 600)], None, "point-outside", "800 x 600"),
        ([Click(-1, 5)], None, "point-outside", "800 x 600"),
        ([], None, "no-object", "click on it"),
        ([Click(5, 5, positive=False)], None, "no-object", "draw a box"),
        ([Click(5, 5)], Box(0, 0, 601, 10), "box-outside", "inside the photo"),
        ([Click(5, 5)], Box(9, 0, 9, 10), "box-outside", "not a rectangle"),
    ],
)
def test_what_lies_outside_is_refused(selector, clicks, box, kind, said):
    with pytest.raises(PhotoError, match=said) as caught:
        selector.select(clicks, box)
    assert caught.value.kind == kind


def test_example_photo():
    """Where a person would click: badge, suit, face; bounds from looking at the masks."""
    photo = decode_photo(ASTRONAUT)
    selector = segmenter().look_at(photo)
    badge = disc(512, 512, 385, 172, 38)
    assert overlap(selector.select([Click(172, 385)]), badge) > 0.9
    suit = selector.select([Click(100, 330), Click(320, 290)])
    assert suit[[300, 330, 300, 460], [100, 200, 320, 120]].all()
    assert not suit[[50, 120, 450, 250], [320, 225, 400, 200]].any()
    face = selector.select([Click(225, 130)])
    assert face[[105, 150, 165], [220, 250, 225]].all()
    assert not face[[50, 250, 330, 60], [225, 220, 100, 330]].any()
    head = selector.select([Click(225, 130), Click(215, 65)])
    assert head[[50, 130, 80], [225, 225, 265]].all()
    assert np.count_nonzero(head & ~disc(512, 512, 105, 227, 100)) < 0.05 * np.count_nonzero(head)


def test_region_by_hand():
    """Two flat parts: the front stops where they meet, as nowhere else is a better border."""
    lab = np.zeros((40, 150, 3), np.float32)
    lab[:, 25:] = (40, 10, 0)
    grower = RegionGrower(lab)
    regions = grower.grow([(20, 5)], [])
    assert np.array_equal(regions.inside, lab[..., 0] == 0)
    assert not regions.excluded.any()
    both = grower.grow([(20, 5)], [(20, 20)])
    assert not (both.inside & both.excluded).any()
    assert np.array_equal(both.inside | both.excluded, lab[..., 0] == 0)
    assert both.inside[20, 5]
    assert both.excluded[20, 20]


@pytest.mark.parametrize("factor", [1, 3, 8.5])
def test_upsampled_edge_lies_where_the_colours_change(factor):
    coarse = disc(60, 80, 30, 38, 20)
    size = round(80 * factor), round(60 * factor)
    y, x = (np.mgrid[: size[1], : size[0]] + 0.5) / factor
    true = np.hypot(y - 31, x - 38.5) <= 20.7  # the coarse mask is off by up to a cell
    pixels = np.where(true[..., None], (200, 80, 60), (70, 90, 120)).astype(np.uint8)
    guide = cv2.resize(pixels, (80, 60), interpolation=cv2.INTER_AREA)
    assert overlap(upsample(coarse, guide, pixels), true) > 0.985
