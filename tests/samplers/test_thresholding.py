import pytest
import torch

from ediffuser.samplers.thresholding import Threshold


def pictures():
    x0 = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x0 * torch.tensor([0.1, 1.0, 4.0]).reshape(3, 1, 1, 1)


def test_none_and_clip():
    x0 = pictures()
    assert torch.equal(Threshold("none")(x0), x0)
    assert torch.equal(Threshold("clip")(x0), x0.clamp(-1, 1))


def test_dynamic_thresholding_scales_each_picture_by_its_own_quantile():
    x0 = pictures()
    found = Threshold("dynamic", quantile=0.9)(x0)
    assert torch.equal(found[0], x0[0])  # within [-1, 1] nothing changes
    for row in (1, 2):
        sizes = x0[row].abs().flatten().sort().values
        position = 0.9 * (len(sizes) - 1)
        below = int(position)
        reach = torch.lerp(sizes[below], sizes[below + 1], position - below)
        assert reach > 1
        torch.testing.assert_close(found[row], x0[row].clamp(-reach, reach) / reach, atol=1e-14, rtol=0)
    assert torch.equal(Threshold("dynamic", quantile=0.9)(x0[2:]), found[2:])  # whatever else is in the batch


def test_trap_6_dynamic_thresholding_with_a_limit_of_1_is_a_plain_clip():
    x0 = pictures()
    assert torch.equal(Threshold("dynamic", limit=1.0)(x0), x0.clamp(-1, 1))
    assert (Threshold("dynamic", limit=2.0)(x0)[2] - x0[2].clamp(-2, 2) / 2).abs().max() == 0
    assert (Threshold("dynamic")(x0)[2] - x0[2].clamp(-1, 1)).abs().max() > 0.5


@pytest.mark.parametrize("kind", ["none", "clip", "dynamic"])
def test_the_precision_is_kept(kind):
    assert Threshold(kind)(pictures().float()).dtype == torch.float32
