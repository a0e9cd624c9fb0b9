import copy
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.evaluation import perceptual
from ediffuser.evaluation.perceptual import PACKAGE, StLpips
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8

PORTRAIT = Path(__file__).parents[2] / "examples" / "astronaut.png"


@pytest.fixture(scope="module", params=["alex", "vgg"])
def distance(request) -> StLpips:
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"the weights in the package {PACKAGE} are not installed")
    return StLpips(request.param)


def waves(size: int, shift: int = 0) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)) + shift, indexing="ij")
    return torch.stack([torch.sin(x * x / 60 + y / 3), torch.cos(x / 2 - y / 5), torch.sin(x * y / 40)])[None]


def test_golden_figure(distance):
    # Made by the package's own implementation, stlpips-pytorch 0.0.2, on the same pictures.
    golden = {"alex": 0.25255352, "vgg": 0.48153710}
    assert distance(waves(64), waves(64).flip(3)).item() == pytest.approx(golden[distance.trunk], rel=1e-4)


@pytest.mark.reference
def test_agrees_with_the_package(distance, monkeypatch):
    for name, attribute in (("IPython", "embed"), ("torchsummary", "summary")):  # imported there, and never used
        module = ModuleType(name)
        setattr(module, attribute, None)
        monkeypatch.setitem(sys.modules, name, module)
    stlpips = pytest.importorskip("stlpips_pytorch.stlpips")
    published = stlpips.LPIPS(net=distance.trunk, variant="shift_tolerant", verbose=False)
    a, b = torch.rand(2, 2, 3, 50, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(distance(a, b), published(a, b).flatten(), atol=1e-6, rtol=1e-5)


def test_is_a_distance(distance):
    a, b = waves(64), waves(64).flip(2)
    assert distance(a, a).item() == 0
    assert distance(a, b).item() > 0.01
    assert torch.equal(distance(a, b), distance(b, a))


def test_a_shift_moves_it_less_than_without_the_blurs(distance):
    portrait = torch.from_numpy(np.array(Image.open(PORTRAIT).convert("RGB"))).permute(2, 0, 1)[None]
    a, shifted = (from_uint8(portrait[:, :, 60:156, left : left + 96]) for left in (160, 161))
    plain = copy.deepcopy(distance)
    for name, buffer in plain.named_buffers():
        if name.endswith("filt"):  # the middle weight alone: every second pixel is taken as it is
            buffer.copy_(torch.eye(3)[1].outer(torch.eye(3)[1]).expand_as(buffer))
    assert distance(a, shifted).item() < 0.5 * plain(a, shifted).item()


def test_rows_do_not_depend_on_their_batch(distance):
    a, b = torch.cat([waves(32), waves(32, shift=9)]), torch.cat([waves(32).flip(2), waves(32)])
    torch.testing.assert_close(distance(a, b)[1:], distance(a[1:], b[1:]), atol=1e-7, rtol=1e-4)


def test_names_its_features(distance):
    assert distance.trunk in distance.name
    assert distance.sha256[:12] in distance.name


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 3, 31, 64), (3, 64, 64)])
def test_other_pictures_are_refused(distance, shape):
    with pytest.raises(BadInputError, match="at least 32 x 32"):
        distance.features(torch.zeros(shape))


def test_missing_weights_are_named(monkeypatch):
    monkeypatch.setattr(perceptual, "PACKAGE", "no-such-package-here")
    with pytest.raises(BadInputError, match=r"ediffuser\[eval\]"):
        StLpips()


def test_other_weights_are_refused(distance, monkeypatch):
    monkeypatch.setitem(perceptual.SHA256, distance.trunk, "0" * 64)
    with pytest.raises(BadInputError, match=r"0\.0\.2"):
        StLpips(distance.trunk)
