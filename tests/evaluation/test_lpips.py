import hashlib
import io
import warnings
from pathlib import Path

import pytest
import torch

from ediffuser.evaluation import lpips as module
from ediffuser.evaluation.lpips import FILES, Lpips
from ediffuser.evaluation.similarity import open_distance
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8, to_uint8

package = pytest.importorskip("lpips")


@pytest.fixture
def downloads(tmp_path, monkeypatch) -> Path:
    """An empty folder of downloads, and no way to fill it."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))

    def offline(url, *_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    return tmp_path / "checkpoints"


@pytest.fixture
def trunk(downloads, monkeypatch) -> dict[str, torch.Tensor]:
    """Random weights of AlexNet among the downloads, under a name that bears their sum."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    tensors = {name: value for name, value in alexnet().state_dict().items() if name.startswith("features.")}
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    content = buffer.getvalue()
    name = f"alexnet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setitem(module.FILES, "alex", name)
    downloads.mkdir()
    (downloads / name).write_bytes(content)
    return tensors


def test_agrees_with_the_package(trunk, images):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of torchvision, about the package's arguments
        published = package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    layers = {name.split(".")[-2:][0]: name for name in published.net.state_dict()}
    for layer in layers:
        for part in ("weight", "bias"):
            target = next(n for n in published.net.state_dict() if n.endswith(f".{layer}.{part}"))
            published.net.state_dict()[target].copy_(trunk[f"features.{layer}.{part}"])
    with torch.no_grad():
        expected = published(images, images.flip(0)).flatten()
    torch.testing.assert_close(Lpips("alex")(images, images.flip(0)), expected, atol=1e-6, rtol=1e-5)
    assert expected.max() > 0.01


def test_auto_is_lpips_where_its_weights_are_at_hand(trunk, images):
    distance = open_distance("auto")
    assert distance.figure_name == "LPIPS"
    assert distance.name.startswith("LPIPS 0.1, alex trunk")
    pictures = to_uint8(images)
    assert torch.equal(
        distance(pictures, pictures.flip(0)), distance._network(*map(from_uint8, (pictures, pictures.flip(0))))
    )


def test_auto_is_st_lpips_where_they_are_not(downloads):
    assert open_distance("auto").figure_name == "ST-LPIPS"


def test_without_its_weights_it_says_where_they_belong(downloads):
    with pytest.raises(BadInputError, match=r"put the file .*alexnet-owt-7be5be79\.pth into .*checkpoints, or give"):
        Lpips("alex")


def test_other_weights_are_not_lpips(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"mine")
    with pytest.raises(BadInputError, match=r"mine\.pth is not the published vgg16-397923af\.pth"):
        Lpips("vgg", path)


def test_sums_cover_trunk_and_channel_weights(trunk):
    assert len(Lpips("alex").sha256) == 64
    assert Lpips("alex").sha256[:8] not in FILES["alex"]


def test_other_pictures_are_refused(trunk):
    with pytest.raises(BadInputError, match="at least 31 x 31"):
        Lpips("alex").features(torch.zeros(1, 3, 30, 64))
