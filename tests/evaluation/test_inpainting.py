import hashlib
import math

import pytest
import torch

from ediffuser.evaluation.inpainting import (
    HOLE_SET,
    HOLES,
    PSNR_CAP_DB,
    Scores,
    compose,
    draw_holes,
    evaluate_inpainting,
    psnr_inside_db,
)
from ediffuser.evaluation.table import markdown, ratios, summarise
from ediffuser.runtime.errors import BadInputError
from ediffuser.tasks.masks import CentreBox, Half


class Difference:
    """Stands for the perceptual distance: the mean difference of the pixels."""

    def features(self, images):
        return [images]

    def between(self, features, others):
        return (features[0] - others[0]).abs().mean(dim=(1, 2, 3))


def perfect(images, holes, first_index):
    return images


def black(images, holes, first_index):
    return torch.full_like(images, -1)


def test_table_of_stub_methods(pictures):
    holes = {"box": CentreBox(), "half": Half()}
    methods = {"perfect": perfect, "black": black}
    rows = summarise(evaluate_inpainting(methods, pictures, Difference(), holes, count=4, batch=3))
    assert [(row.method, row.hole, row.count) for row in rows] == [
        ("perfect", "box", 4), ("black", "box", 4), ("perfect", "half", 4), ("black", "half", 4),
    ]  # fmt: skip
    assert [row.st_lpips == 0 for row in rows] == [True, False, True, False]
    assert rows[0].psnr_db == PSNR_CAP_DB > rows[1].psnr_db
    assert rows[3].st_lpips > rows[1].st_lpips
    table = markdown(rows)
    assert table.count("\n") == 3
    assert "| black |" in table
    assert [(ratio.best, ratio.ratio) for ratio in ratios(rows, "black", ["black"])] == [("black", 1), ("black", 1)]


def test_no_figure_depends_on_the_batch_size(pictures):
    def figures(batch):
        return summarise(evaluate_inpainting({"black": black}, pictures, Difference(), count=4, batch=batch))

    for one, other in zip(figures(1), figures(4), strict=True):
        assert one.st_lpips == pytest.approx(other.st_lpips, rel=1e-6)
        assert one.psnr_db_error == pytest.approx(other.psnr_db_error, rel=1e-5)


def test_methods_are_told_the_index_of_their_first_picture(pictures):
    seen = []

    def watch(images, holes, first_index):
        seen.append((first_index, len(images)))
        return images

    list(evaluate_inpainting({"watch": watch}, pictures, Difference(), {"box": CentreBox()}, count=4, batch=3))
    assert seen == [(0, 3), (3, 1)]


@pytest.mark.parametrize("count", [1, 5])
def test_a_count_that_cannot_be_is_refused(pictures, count):
    with pytest.raises(BadInputError, match="from 2 to 4"):
        next(evaluate_inpainting({"perfect": perfect}, pictures, Difference(), count=count))


def test_what_is_measured_is_what_a_user_gets(images):
    hole = draw_holes(CentreBox(), range(4), (32, 32))
    composed = compose(images, torch.full_like(images, 0.3331), hole)
    assert composed.dtype == torch.uint8
    assert (composed[:, :, 8:24, 8:24] == round((1 + 0.3331) * 127.5)).all()
    assert torch.equal(composed[:, :, :8], compose(images, images, hole)[:, :, :8])


@pytest.mark.parametrize("name", HOLES)
def test_holes_are_fixed(name):
    assert torch.equal(draw_holes(HOLES[name], range(8), (32, 32))[5:7], draw_holes(HOLES[name], range(5, 7), (32, 32)))


def test_psnr_counts_the_hole_only():
    original = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    result = original + 10
    hole = torch.zeros(1, 1, 8, 8)
    hole[..., :4] = 1
    assert psnr_inside_db(result, original, hole).item() == pytest.approx(20 * math.log10(25.5), rel=1e-6)


def test_means_and_standard_errors():
    parts = [
        Scores("m", "h", torch.tensor([1.0, 2.0]), torch.zeros(2)),
        Scores("m", "h", torch.tensor([6.0]), torch.zeros(1)),
    ]
    (row,) = summarise(parts)
    assert row.st_lpips == pytest.approx(3)
    assert row.st_lpips_error == pytest.approx(math.sqrt(7 / 3))


HOLE_SUMS = {
    "thin": "ba1d2624e1e1ca21",
    "brush": "aabdd114c7e21147",
    "box": "4224a2cb46c2e379",
    "half": "060b97699a90e193",
    "mixed": "75e42672356360d5",
}


@pytest.mark.parametrize("name", HOLES)
def test_a_set_of_holes_under_one_version_is_the_same_to_the_pixel(name):
    """Whoever changes how a hole is drawn gives the set a new version, for no figure compares with those before."""
    assert HOLE_SET == "ediffuser-holes-1"
    holes = draw_holes(HOLES[name], range(16), (128, 128))
    assert hashlib.sha256(holes.to(torch.uint8).numpy().tobytes()).hexdigest()[:16] == HOLE_SUMS[name]
