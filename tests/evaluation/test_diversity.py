import pytest
import torch
from torch import Tensor

from ediffuser.evaluation.diversity import diversity, ssim_of_fills
from ediffuser.evaluation.similarity import open_distance, ssim
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import to_uint8


class MeanGrey:
    """The difference of mean grey levels: a distance that can be worked out by hand."""

    figure_name, name, sha256 = "grey", "grey", ""

    def __init__(self) -> None:
        self.seen = 0

    def features(self, pictures: Tensor) -> list[Tensor]:
        self.seen += len(pictures)
        return [pictures.float().mean(dim=(1, 2, 3))]

    def between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        return (features[0] - others[0]).abs()

    def __call__(self, pictures: Tensor, others: Tensor) -> Tensor:
        return self.between(self.features(pictures), self.features(others))


def test_is_the_mean_over_all_pairs_and_looks_at_each_fill_once():
    greys = torch.tensor([[0, 10, 40], [5, 5, 5]], dtype=torch.uint8)
    distance = MeanGrey()
    found = diversity(greys[:, :, None, None, None].expand(-1, -1, 3, 4, 4), distance)
    assert found.tolist() == pytest.approx([(10 + 40 + 30) / 3, 0])
    assert distance.seen == 6


def test_one_answer_given_again_is_no_diversity(images):
    fills = to_uint8(images)[:, None].expand(-1, 3, -1, -1, -1)
    assert diversity(fills, open_distance("st-lpips-alex")).tolist() == [0] * 4
    assert ssim_of_fills(fills).tolist() == pytest.approx([1] * 4)


def test_ssim_is_the_mean_over_all_pairs(images):
    a, b, c = to_uint8(images), to_uint8(-images), to_uint8(images / 2)
    expected = (ssim(a, b) + ssim(a, c) + ssim(b, c)) / 3
    torch.testing.assert_close(ssim_of_fills(torch.stack([a, b, c], dim=1)), expected)


def test_ssim_over_the_hole_sees_what_differs_there(images):
    fills = to_uint8(torch.stack([images, images], dim=1))
    fills[:, 1, :, :, 16:] = 0
    hole = torch.zeros(4, 1, 32, 32)
    hole[..., 16:] = 1
    assert (ssim_of_fills(fills, hole) < ssim_of_fills(fills)).all()


@pytest.mark.parametrize("shape", [(2, 1, 3, 8, 8), (2, 3, 8, 8)])
def test_one_fill_has_no_diversity(shape):
    with pytest.raises(BadInputError, match="at least 2 fills"):
        diversity(torch.zeros(shape, dtype=torch.uint8), MeanGrey())
    with pytest.raises(BadInputError, match="at least 2 fills"):
        ssim_of_fills(torch.zeros(shape, dtype=torch.uint8))
