import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.data.cifar10 import CLASSES
from ediffuser.evaluation.cifar_classifier import SHA256, WEIGHTS, CifarClassifier, CifarNetwork
from ediffuser.evaluation.features import Classifier, open_features
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import to_uint8

script = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "cifar_classifier.py")))


@pytest.fixture(scope="module")
def classifier():
    return open_features("cifar10")


def test_the_shipped_network_is_what_its_card_says(classifier):
    card = (WEIGHTS.parent / "README.md").read_text()
    assert isinstance(classifier, CifarClassifier)
    assert isinstance(classifier, Classifier)
    assert classifier.classes == CLASSES
    assert classifier.sha256 == SHA256
    assert SHA256 in card
    assert float(re.search(r"([\d.]+) % of the 2,500 test pictures", card).group(1)) >= 85
    assert WEIGHTS.stat().st_size < 3_000_000


def test_features_and_probabilities_of_a_picture_depend_on_it_alone(classifier, images):
    pictures = to_uint8(images)
    features, probabilities = classifier(pictures), classifier.probabilities(pictures)
    assert features.shape == (4, classifier.dimensions)
    assert features.dtype == probabilities.dtype == torch.float32
    assert torch.allclose(probabilities.sum(1), torch.ones(4), atol=1e-6)
    for k in range(4):
        assert torch.allclose(classifier(pictures[k, None])[0], features[k], atol=1e-4)
        assert torch.allclose(classifier.probabilities(pictures[k, None])[0], probabilities[k], atol=1e-5)


def test_probabilities_follow_from_the_features(classifier, images):
    pictures = to_uint8(images)
    features, probabilities = classifier.both(pictures)
    assert torch.equal(features, classifier(pictures))
    assert torch.equal(probabilities, classifier.probabilities(pictures))
    assert torch.allclose(classifier._network.head(features).softmax(1), probabilities, atol=1e-6)


def test_pictures_of_another_size_are_resized_with_the_filter_that_is_stated(classifier, images):
    larger = to_uint8(images).repeat_interleave(3, 2).repeat_interleave(3, 3)
    seen = classifier._seen(larger)
    assert "bilinear" in classifier.resize
    assert seen.shape == (4, 3, 32, 32)
    assert (seen - images).abs().mean() < 0.05  # the antialiasing filter is wider than one of the squares


@pytest.mark.parametrize(
    "pictures", [torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32, dtype=torch.uint8)], ids=["float", "grey"]
)
def test_what_is_no_8_bit_rgb_picture_is_refused(classifier, pictures):
    with pytest.raises(BadInputError, match="8-bit RGB pictures"):
        classifier(pictures)


def test_weights_that_are_damaged_or_missing_are_refused(tmp_path):
    content = bytearray(WEIGHTS.read_bytes())
    content[-1] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(BadInputError, match="SHA-256"):
        CifarClassifier(weights=tmp_path / "damaged")
    with pytest.raises(BadInputError, match="cannot be read"):
        CifarClassifier(weights=tmp_path / "missing")


# ------------------------------------------------------------------------------------------------ Training


def test_the_first_layer_makes_patches_white(images):
    network = CifarNetwork()
    noise = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    coloured = noise + 0.5 * noise.roll(1, dims=3) + noise.mean(dim=1, keepdim=True)
    network.set_whitening(coloured)
    seen = (network.whiten(coloured) - network.whiten.bias[:, None, None]).permute(1, 0, 2, 3).flatten(1)[:12]
    assert torch.allclose(seen.cov(), torch.eye(12), atol=0.02)
    assert torch.equal(network.whiten.weight[12:], -network.whiten.weight[:12])
    assert not network.whiten.weight.requires_grad


def test_a_training_picture_is_shifted_and_cut_by_its_place_in_the_order_alone(images):
    training = script.Training(data=Path(), out=Path())
    changed = script.varied(images, torch.arange(4), training)
    assert torch.equal(script.varied(images[2:], torch.arange(2, 4), training), changed[2:])
    assert not torch.equal(script.varied(images, torch.arange(4, 8), training), changed)
    cut = (changed == 0).all(dim=1).flatten(1).sum(1)
    assert (cut <= training.cutout_px**2).all()
    assert cut.max() > 0
    still = script.varied(images, torch.arange(4), script.Training(data=Path(), out=Path(), shift_px=0, cutout_px=0))
    assert torch.equal(still, images)


def test_what_is_shipped_is_the_mean_of_weights_and_statistics():
    one, other = CifarNetwork((4, 4, 4)), CifarNetwork((4, 4, 4))
    other.stages[0].norm.running_var.fill_(3.0)
    before = one.head.weight.clone()
    script.average(one, other, 0.75)
    assert torch.allclose(one.head.weight, 0.75 * before + 0.25 * other.head.weight)
    assert torch.allclose(one.stages[0].norm.running_var, torch.tensor(1.5))
    kept = script.stored(one)
    assert kept["stages.0.widen.weight"].dtype == torch.float16
    assert kept["stages.0.norm.running_var"].dtype == torch.float32


@pytest.fixture
def toys(tmp_path):
    """A folder of five random pictures of each class."""
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "toys" / name).mkdir(parents=True)
        for k in range(5):
            picture = Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8))
            picture.save(tmp_path / "toys" / name / f"{k}.png")
    return tmp_path / "toys"


def test_a_training_that_was_stopped_ends_as_one_that_was_not(toys, tmp_path, monkeypatch):
    monkeypatch.setitem(script.train.__globals__, "HELD_OUT", 10)
    monkeypatch.setitem(script.train.__globals__, "CifarNetwork", lambda: CifarNetwork((8, 8, 8)))
    whole, stopped = (script.Training(data=toys, out=tmp_path / name, epochs=2, batch=8) for name in ("one", "other"))
    for training in (whole, stopped):
        training.out.mkdir()
    with monkeypatch.context() as patched:
        patched.setitem(script.train.__globals__, "accuracy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            script.train(stopped)
    assert torch.load(stopped.out / "state.pt")["epoch"] == 1
    one, other = (script.train(training).state_dict() for training in (whole, stopped))
    assert all(torch.equal(one[name], other[name]) for name in one)


def interrupted(network, pictures):
    raise KeyboardInterrupt
