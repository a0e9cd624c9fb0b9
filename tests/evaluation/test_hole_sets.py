import hashlib

import pytest
import torch

from ediffuser.evaluation.holes import HOLE_SET, HOLES, compose, draw_holes, holes_of
from ediffuser.tasks.masks import CentreBox


def test_what_is_measured_is_what_a_user_gets(images):
    hole = draw_holes(CentreBox(), range(4), (32, 32))
    composed = compose(images, torch.full_like(images, 0.3331), hole)
    assert composed.dtype == torch.uint8
    assert (composed[:, :, 8:24, 8:24] == round((1 + 0.3331) * 127.5)).all()
    assert torch.equal(composed[:, :, :8], compose(images, images, hole)[:, :, :8])


@pytest.mark.parametrize("name", HOLES)
def test_holes_are_fixed(name):
    assert torch.equal(draw_holes(HOLES[name], range(8), (32, 32))[5:7], draw_holes(HOLES[name], range(5, 7), (32, 32)))


HOLE_SUMS = {
    "thin": "ba1d2624e1e1ca21",
    "brush": "aabdd114c7e21147",
    "box": "4224a2cb46c2e379",
    "half": "060b97699a90e193",
    "mixed": "75e42672356360d5",
}


def test_smooth_holes_are_part_of_the_set():
    assert HOLE_SET == "ediffuser-holes-1"
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (8, 3, 96, 128), generator=generator, dtype=torch.uint8)
    holes = holes_of("smooth", pictures, range(8))
    assert hashlib.sha256(holes.to(torch.uint8).numpy().tobytes()).hexdigest()[:16] == "2744984eade30e0b"


@pytest.mark.parametrize("name", HOLES)
def test_a_set_of_holes_under_one_version_is_the_same_to_the_pixel(name):
    """Whoever changes how a hole is drawn gives the set a new version, for no figure compares with those before."""
    assert HOLE_SET == "ediffuser-holes-1"
    holes = draw_holes(HOLES[name], range(16), (128, 128))
    assert hashlib.sha256(holes.to(torch.uint8).numpy().tobytes()).hexdigest()[:16] == HOLE_SUMS[name]
