import numpy as np
import pytest
import torch
from torch import Tensor

from ediffuser.evaluation.similarity import PSNR_CAP_DB, Distance, open_distance, psnr_db, ssim
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8, to_uint8


@pytest.fixture
def pair(images) -> tuple[Tensor, Tensor]:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return to_uint8(images + 0.1 * noise), to_uint8(images)


def half(size: int = 32) -> Tensor:
    hole = torch.zeros(1, 1, size, size)
    hole[..., size // 2 :] = 1
    return hole


def test_psnr_of_a_known_error():
    black, grey = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 51, dtype=torch.uint8)
    assert psnr_db(grey, black).item() == pytest.approx(20 * np.log10(5), rel=1e-12)  # 255 / 51


def test_bytes_do_not_wrap_around():
    """Trap 34's neighbour: 0 - 255 in uint8 is 1."""
    black, white = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
    assert psnr_db(black, white).item() == 0


def test_over_the_hole_only_its_pixels_count():
    original = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    result = original.clone()
    result[0, :, :, 4:] = 51
    result[1, :, :, :4] = 51
    inside = psnr_db(result, original, half(8).expand(2, -1, -1, -1))
    assert inside.tolist() == pytest.approx([20 * np.log10(5), PSNR_CAP_DB])
    assert psnr_db(result, original)[0].item() == pytest.approx(20 * np.log10(5) + 10 * np.log10(2))


def test_equal_pictures(pair):
    assert psnr_db(pair[0], pair[0]).tolist() == [PSNR_CAP_DB] * 4
    assert ssim(pair[0], pair[0]).tolist() == pytest.approx([1] * 4, abs=1e-12)


def test_psnr_agrees_with_scikit_image(pair):
    metrics = pytest.importorskip("skimage.metrics")
    published = [
        metrics.peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=255) for a, b in zip(*pair, strict=True)
    ]
    assert psnr_db(*pair).tolist() == pytest.approx(published, rel=1e-12)


def test_ssim_agrees_with_scikit_image_inside_the_margin(pair):
    metrics = pytest.importorskip("skimage.metrics")
    hole = torch.zeros(4, 1, 32, 32)
    hole[..., 5:-5, 5:-5] = 1
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    rows = zip(*(pictures.numpy() for pictures in pair), strict=True)
    published = [metrics.structural_similarity(a, b, channel_axis=0, **settings) for a, b in rows]
    assert ssim(*pair, hole).tolist() == pytest.approx(published, rel=1e-9)


def test_ssim_agrees_with_torchmetrics_up_to_the_borders(pair):
    image = pytest.importorskip("torchmetrics.functional.image")
    pair = [pictures[..., 2:] for pictures in pair]
    published = image.structural_similarity_index_measure(
        *(pictures.double() for pictures in pair), data_range=255.0, reduction="none"
    )
    torch.testing.assert_close(ssim(*pair), published, rtol=1e-12, atol=0)


def test_ssim_of_bright_flat_pictures_does_not_cancel():
    flat = torch.full((1, 3, 16, 16), 250, dtype=torch.uint8)
    expected = (2 * 250 * 249 + 6.5025) / (250**2 + 249**2 + 6.5025)  # in float32 it is off in the fourth digit
    assert ssim(flat, flat - 1).item() == pytest.approx(expected, abs=1e-10)


def test_ssim_over_the_hole(pair):
    damaged = pair[1].clone()
    damaged[..., 16:] = pair[0][..., 16:]
    holes = half().expand(4, -1, -1, -1)
    inside, whole, outside = ssim(damaged, pair[1], holes), ssim(damaged, pair[1]), ssim(damaged, pair[1], 1 - holes)
    torch.testing.assert_close((inside + outside) / 2, whole, rtol=1e-12, atol=0)
    assert (inside < outside).all()


def test_rows_do_not_depend_on_their_batch(pair):
    for measure in (psnr_db, ssim):
        torch.testing.assert_close(measure(*pair)[2:3], measure(pair[0][2:3], pair[1][2:3]), rtol=1e-12, atol=0)


@pytest.mark.parametrize("measure", [psnr_db, ssim])
def test_floats_other_shapes_and_empty_holes_are_refused(measure, pair):
    with pytest.raises(BadInputError, match="8-bit ones of one shape"):
        measure(from_uint8(pair[0]), from_uint8(pair[1]))
    with pytest.raises(BadInputError, match="8-bit ones of one shape"):
        measure(pair[0], pair[1][:2])
    with pytest.raises(BadInputError, match="without a hole"):
        measure(*pair, torch.zeros(4, 1, 32, 32))


def test_ssim_refuses_pictures_smaller_than_a_window():
    with pytest.raises(BadInputError, match="6 x 6"):
        ssim(*torch.zeros(2, 1, 3, 5, 5, dtype=torch.uint8))


def test_st_lpips_of_bytes_is_that_of_the_network(pair):
    distance = open_distance("st-lpips-alex")
    assert isinstance(distance, Distance)
    assert distance.figure_name == "ST-LPIPS"
    expected = distance._network(from_uint8(pair[0]), from_uint8(pair[1]))
    assert torch.equal(distance(*pair), expected)
    with pytest.raises(BadInputError, match="round them first"):
        distance(from_uint8(pair[0]), from_uint8(pair[1]))


def test_unknown_and_unfit_distances_are_refused(tmp_path):
    with pytest.raises(BadInputError, match="did you mean 'lpips-alex'"):
        open_distance("lpips-alx")
    with pytest.raises(BadInputError, match="weights of 'st-lpips-vgg' are fixed"):
        open_distance("st-lpips-vgg", weights=tmp_path)
