import pytest
import torch

from ediffuser.evaluation.classical import biharmonic, navier_stokes, telea
from ediffuser.runtime.errors import BadInputError

METHODS = [telea, navier_stokes, biharmonic]


@pytest.fixture
def holes() -> torch.Tensor:
    holes = torch.zeros(4, 1, 32, 32)
    holes[:, :, 10:18, 12:22] = 1
    return holes


@pytest.mark.parametrize("method", METHODS)
def test_known_pixels_stay_and_the_hole_is_not_looked_at(method, images, holes):
    filled = method(images, holes)
    assert torch.equal(torch.where(holes > 0, 0, filled), torch.where(holes > 0, 0, images))
    assert torch.equal(filled, method(torch.where(holes > 0, -images, images), holes))


@pytest.mark.parametrize("method", METHODS)
def test_a_smooth_picture_comes_back(method, holes):
    ramp = torch.linspace(-0.5, 0.5, 32).expand(4, 3, 32, 32)
    # Telea repeats its surroundings and misses a slope by a few grey levels.
    assert (method(ramp, holes) - ramp).abs().mean(dim=(1, 2, 3)).max() < 0.02


@pytest.mark.parametrize("module", ["cv2", "skimage.restoration"])
def test_a_missing_package_is_named(module, images, holes, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(BadInputError, match=r"ediffuser\[eval\]"):
        (telea if module == "cv2" else biharmonic)(images, holes)
