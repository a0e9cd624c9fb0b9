"""Which shipped model a hole is painted with where nobody names one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ediffuser.cli import main
from ediffuser.editing.choice import inpainters, suited

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.png"
BOTH = {"faces-128": "aligned_faces", "photos-128": "free"}


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


def hole_at(photo: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    hole = np.zeros(photo.shape[:2], bool)
    hole[top : top + side, left : left + side] = True
    return hole


def test_the_model_of_faces_where_the_hole_touches_a_face(astronaut):
    assert suited(BOTH, astronaut, hole_at(astronaut, 90, 200, 50)) == "faces-128"
    assert suited(BOTH, astronaut, hole_at(astronaut, 80, 190, 20)) == "faces-128"


@pytest.mark.parametrize(("top", "left", "side"), [(400, 20, 60), (30, 430, 50), (0, 0, 0)])
def test_the_model_of_anything_where_it_does_not(astronaut, top, left, side):
    assert suited(BOTH, astronaut, hole_at(astronaut, top, left, side)) == "photos-128"
    assert suited(dict(reversed(BOTH.items())), astronaut, hole_at(astronaut, top, left, side)) == "photos-128"


def test_a_hole_around_a_face_does_not_touch_it(astronaut):
    margins = np.ones(astronaut.shape[:2], bool)
    margins[30:-30, 30:-30] = False
    specks = hole_at(astronaut, 0, 0, 20) | hole_at(astronaut, 490, 490, 20)
    beside = hole_at(astronaut, 100, 120, 12) | hole_at(astronaut, 100, 330, 12)
    for hole in (margins, specks, beside):
        assert suited(BOTH, astronaut, hole) == "photos-128"
        assert suited(BOTH, astronaut, hole | hole_at(astronaut, 95, 205, 16)) == "faces-128"


def test_where_there_is_one_model_nothing_is_looked_for():
    assert suited({"faces": "aligned_faces"}, np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool)) == "faces"


def test_shipped_inpainters_are_known_by_what_they_were_trained_on(two_models):
    assert inpainters() == {"faces-16": "aligned_faces", "things-16": "free"}


@pytest.mark.parametrize(("top", "suits"), [(90, "faces-16"), (400, "things-16")])
def test_the_command_takes_the_one_that_suits(two_models, astronaut, tmp_path, top, suits):
    mask = tmp_path / "mask.png"
    Image.fromarray(hole_at(astronaut, top, 200, 50)).convert("L").save(mask)
    names = {"auto": [], "named": ["--model", suits]}
    for name, options in names.items():
        out = str(tmp_path / f"{name}.png")
        main(["inpaint", str(ASTRONAUT), str(mask), "-o", out, "--steps", "2", *options])
    auto, named = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in names)
    assert np.array_equal(auto, named)
