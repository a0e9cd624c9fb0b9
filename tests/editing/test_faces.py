"""A model of aligned faces is shown a face where it knows it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.editing import inpaint_photo, plan_crops
from ediffuser.editing.crop import CONTEXT, Box, Frame
from ediffuser.editing.faces import face_frame, frames_for
from ediffuser.model import Model, ModelConfig
from ediffuser.samplers import Ddim
from ediffuser.tasks import Inpainting

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.png"
EYES_ROW, EYES_COLUMN, BETWEEN = 102, 225, 43.5
"""Middle between the astronaut's eyes, and their distance, read off the picture."""


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


def assert_eyes_where_celeba_has_them(frame: Frame | None, scale: float = 1.0) -> None:
    assert frame is not None
    # CelebA's aligned eyes at (69, 111) and (108, 111) of 178 x 218, seen through the square (0, 20, 178, 198).
    row, column = (scale * EYES_ROW - frame.top) / frame.side, (scale * EYES_COLUMN - frame.left) / frame.side
    assert row == pytest.approx(91 / 178, abs=0.05)
    assert column == pytest.approx(0.5, abs=0.05)
    assert scale * BETWEEN / frame.side == pytest.approx(39 / 178, rel=0.15)


@pytest.mark.parametrize(
    "hole", [Box(75, 165, 190, 270), Box(100, 185, 125, 215), Box(150, 200, 175, 250)], ids=["face", "eye", "mouth"]
)
def test_the_face_under_or_around_a_hole_is_found(astronaut: np.ndarray, hole: Box) -> None:
    assert_eyes_where_celeba_has_them(face_frame(astronaut, hole))


def test_a_face_is_found_in_a_large_photo(astronaut: np.ndarray) -> None:
    large = np.asarray(Image.fromarray(astronaut).resize((2560, 2560)))
    assert_eyes_where_celeba_has_them(face_frame(large, Box(375, 825, 950, 1350)), scale=5)


def test_no_frame_where_the_hole_touches_no_face(astronaut: np.ndarray) -> None:
    assert face_frame(astronaut, Box(350, 100, 400, 160)) is None
    assert face_frame(np.zeros((16, 16, 3), np.uint8), Box(4, 4, 8, 8)) is None


def test_only_a_model_of_aligned_faces_looks_for_them(astronaut: np.ndarray) -> None:
    hole = np.zeros(astronaut.shape[:2], bool)
    hole[75:190, 165:270] = True
    assert frames_for("free", astronaut, hole) == []
    assert len(frames_for("aligned_faces", astronaut, hole)) == 1
    assert frames_for("aligned_faces", astronaut, np.zeros_like(hole)) == []


def test_a_part_in_a_frame_is_seen_in_it_and_not_cut() -> None:
    hole = np.zeros((600, 600), bool)
    hole[210, 210:390] = hole[210:390, 210] = True  # an outline, which would be cut
    frame = Frame(top=190, left=190, side=220)
    (crop,) = plan_crops(hole, 128, frames=[frame])
    assert (crop.top, crop.left, crop.side) == (190, 190, 220)
    assert len(plan_crops(hole, 128)) > 1
    (elsewhere,) = plan_crops(hole, 128, frames=[Frame(0, 0, 220)], most_crops=1)
    assert elsewhere.side != 220


def test_a_frame_smaller_than_the_models_pictures_is_made_as_large() -> None:
    crop = Frame(top=50, left=60, side=41).around(Box(55, 65, 60, 70), 64)
    assert (crop.top, crop.left, crop.side) == (39, 49, 64)


def test_inpaint_photo_uses_the_frame_unless_a_context_is_given(astronaut: np.ndarray, random_denoiser) -> None:
    network = random_denoiser(condition_channels=4).network
    config = ModelConfig(network=network.config, schedule=CosineBetas(), task=Inpainting(), parametrisation="x0")
    free = Model(config, network, torch.device("cpu"), torch.float32)
    faces = replace(free, config=replace(config, framing="aligned_faces"))
    mask = Image.new("L", (512, 512))
    mask.paste(255, (165, 75, 270, 190))

    def painted(model, context=None) -> np.ndarray:
        (result,) = inpaint_photo(
            model, Image.fromarray(astronaut), mask, variations=1, context=context, sampler=Ddim(steps=2)
        )
        return np.asarray(result)

    framed = painted(faces)
    assert (framed != painted(free)).any()
    np.testing.assert_array_equal(painted(faces, CONTEXT), painted(free))
    outside = np.asarray(mask) == 0
    np.testing.assert_array_equal(framed[outside], astronaut[outside])
