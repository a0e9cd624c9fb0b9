import hashlib
import io
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ediffuser.evaluation import efficientnet, inception
from ediffuser.evaluation.features import Classifier, EfficientNetFeatures, open_features
from ediffuser.evaluation.inception import FILES
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8, to_uint8

PORTRAIT = np.array(Image.open(Path(__file__).parents[2] / "examples" / "astronaut.png").convert("RGB"))


@pytest.fixture(scope="module")
def network() -> EfficientNetFeatures:
    try:
        distribution(efficientnet.PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"the weights in the package {efficientnet.PACKAGE} are not installed")
    return EfficientNetFeatures()


def pictures(count: int, size: int = 32) -> Tensor:
    return torch.randint(256, (count, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_weights_and_architecture_belong_together(network):
    # Made by this code when it named 131 of 200 crops of ImageNet, 128 x 128, right out of 1,000 classes (60 per cent
    # with symmetric padding). What ImageNet knows of a person in an orange suit with a helmet is a bobsled's crew.
    vectors, probabilities = network.both(torch.from_numpy(PORTRAIT).permute(2, 0, 1)[None])
    assert network.classes[probabilities.argmax()] == "bobsled"
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
    assert vectors.mean().item() == pytest.approx(0.2484, abs=5e-4)
    assert vectors[0].topk(3).indices.tolist() == [684, 22, 1112]


def test_says_what_it_is(network):
    assert isinstance(network, Classifier)
    assert (network.family, network.dimensions, len(network.classes)) == ("efficientnet-lite0", 1280, 1000)
    assert network.resize == "bilinear to 224 x 224, antialiased"
    assert efficientnet.PACKAGE in network.name


def test_a_row_depends_on_its_picture_alone(network):
    batch = pictures(3)
    torch.testing.assert_close(network(batch)[1:2], network(batch[1:2]), atol=1e-4, rtol=1e-4)
    assert not network._network.training  # normalised by the statistics of training, not of the batch


def test_both_gives_what_either_gives(network):
    vectors, probabilities = network.both(pictures(2))
    assert torch.equal(vectors, network(pictures(2)))
    assert torch.equal(probabilities, network.probabilities(pictures(2)))


def test_resizing_down_is_antialiased(network):
    """Trap 35: a fine checkerboard is grey for a careful resize, and aliases for a careless one."""
    y, x = torch.meshgrid(torch.arange(392), torch.arange(392), indexing="ij")
    checkers = ((x + y) % 2 * 255).to(torch.uint8).expand(1, 3, -1, -1)
    grey = torch.full((1, 3, 224, 224), 127, dtype=torch.uint8)
    size = (224, 224)
    careless = F.interpolate(checkers.float(), size, mode="bilinear", align_corners=False).round().to(torch.uint8)
    right, wrong = network(checkers), network(careless)
    inside = (network(grey) - right).norm()
    assert inside < 0.5 * (wrong - right).norm()


def test_rounding_and_truncation_are_told_apart(network):
    """Trap 34: half a grey level of bias is a difference that features see, so the rounding is fixed and recorded."""
    images = from_uint8(torch.from_numpy(PORTRAIT[:64, 200:264]).permute(2, 0, 1)[None]) + 0.9 / 127.5
    truncated = ((images + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    assert torch.equal(to_uint8(from_uint8(truncated)), truncated)
    assert (network(to_uint8(images)) - network(truncated)).norm() > 0.01


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)],
)
def test_numbers_grey_and_single_pictures_are_refused(network, wrong):
    """A float picture in [-1, 1] would pass for a black one."""
    with pytest.raises(BadInputError, match="8-bit RGB pictures"):
        network(wrong)


def test_padding_is_tensorflows():
    convolution = efficientnet._convolution(1, 1, 3, stride=2)
    convolution.weight.data = torch.ones(1, 1, 3, 3)
    # Four pixels: the first window covers pixels 0-2, the second 2-4, of which 4 is padding on the right.
    row = torch.tensor([1.0, 10, 100, 1000]).expand(1, 1, 4, 4)
    assert convolution(row)[0, 0, 0].tolist() == [333, 3300]


def test_missing_and_other_packages_are_named(monkeypatch):
    monkeypatch.setattr(efficientnet, "SHA256", "0" * 64)
    with pytest.raises(BadInputError, match=r"0\.1\.0"):
        efficientnet.load_efficientnet_lite0()
    monkeypatch.setattr(efficientnet, "PACKAGE", "no-such-package-here")
    with pytest.raises(BadInputError, match=r"ediffuser\[eval\]"):
        efficientnet.load_efficientnet_lite0()


@pytest.fixture
def downloads(tmp_path, monkeypatch) -> Path:
    """An empty folder of downloads, and no way to fill it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)

    def offline(url, *_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def weights(downloads, monkeypatch) -> Path:
    """Random weights of Inception in the folder of downloads, under a name that bears their sum."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    with monkeypatch.context() as patch:  # it cannot be made without weights
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        tensors = module.FeatureExtractorInceptionV3("random", ["2048"]).state_dict()
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    name = f"weights-{hashlib.sha256(buffer.getvalue()).hexdigest()[:8]}.pth"
    monkeypatch.setattr(inception, "FILES", (name, name))
    downloads.mkdir(parents=True)
    (downloads / name).write_bytes(buffer.getvalue())
    return downloads / name


def test_without_its_weights_inception_says_where_they_belong(downloads):
    with pytest.raises(BadInputError, match=r"put the file .*6726825d\.pth into .*checkpoints, or give its path"):
        open_features("inception")


def test_auto_is_inception_where_its_weights_are_at_hand(downloads, network):
    assert open_features("auto").family == "efficientnet-lite0"
    downloads.mkdir(parents=True)
    (downloads / FILES[1]).touch()  # pytorch-fid's name of the same file
    with pytest.raises(BadInputError, match="is not the published weights-inception"):
        open_features("auto")


def test_other_weights_are_not_inception(tmp_path):
    path = tmp_path / "inception_v3.pth"
    path.write_bytes(b"torchvision's")
    with pytest.raises(BadInputError, match=r"inception_v3\.pth is not the published .*6726825d"):
        open_features("inception", weights=path)


def test_a_path_is_for_inception_alone(tmp_path):
    with pytest.raises(BadInputError, match="weights of 'efficientnet-lite0' are fixed"):
        open_features("efficientnet-lite0", weights=tmp_path)


def test_the_nearest_name_is_offered():
    with pytest.raises(BadInputError, match="did you mean 'inception'"):
        open_features("inceptoin")


def test_inception_is_torch_fidelitys(weights):
    network = open_features("auto")
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    published = module.FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(weights))
    vectors, logits = published(pictures(2))
    assert torch.equal(network(pictures(2)), vectors)
    assert torch.equal(network.probabilities(pictures(2)), logits.softmax(1))
    assert isinstance(network, Classifier)
    assert (network.family, network.dimensions) == ("inception-2015-12-05", 2048)
    assert network.name.startswith("Inception 2015-12-05")
    assert not network._network.training
