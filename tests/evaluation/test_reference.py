from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ediffuser.data.pictures import ArrayPictures
from ediffuser.evaluation import reference as module
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.reference import cache_folder, fingerprint, measuring, reference
from ediffuser.runtime.errors import BadInputError


@dataclass
class Corners:
    """The first pixels of a picture as its features; counts what it has seen."""

    name: str = "corners"
    family: str = "corners"
    sha256: str = "ab" * 32
    resize: str = "none"
    dimensions: int = 5
    seen: list[int] = field(default_factory=list)

    def __call__(self, pictures: Tensor) -> Tensor:
        assert pictures.shape[1] == 3
        self.seen.append(len(pictures))
        return pictures.flatten(1)[:, : self.dimensions].float()


def noise(count: int = 30, channels: int = 3, seed: int = 0) -> ArrayPictures:
    return ArrayPictures(np.random.default_rng(seed).integers(256, size=(count, channels, 4, 4), dtype=np.uint8))


def test_measures_all_pictures_batch_by_batch(tmp_path):
    network, pictures = Corners(), noise()
    found = reference(pictures, network, cache=tmp_path, batch=8)
    assert network.seen == [8, 8, 8, 6]  # never all together
    vectors = Corners()(pictures.batch(range(30)))
    torch.testing.assert_close(found.moments.covariance, vectors.double().T.cov(), rtol=1e-12, atol=1e-12)
    assert torch.equal(found.features, vectors)
    assert found.sha256 == fingerprint(pictures)


def test_the_cache_gives_the_same_bits_and_measures_nothing(tmp_path):
    first = reference(noise(), Corners(), cache=tmp_path)
    again = Corners()
    second = reference(noise(), again, cache=tmp_path)
    assert again.seen == []
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.moments.scatter, second.moments.scatter)
    assert (first.moments.count, first.sha256) == (second.moments.count, second.sha256)


CHANGES = {
    "weights": {"sha256": "cd" * 32},
    "family": {"family": "edges"},
    "resize": {"resize": "bilinear to 8 x 8, antialiased"},
    "dimensions": {"dimensions": 4},
}


@pytest.mark.parametrize("part", CHANGES)
def test_another_network_is_another_reference(part, tmp_path):
    """Trap 35: statistics of another resize or other weights must never be found."""
    reference(noise(), Corners(), cache=tmp_path)
    other = replace(Corners(), **CHANGES[part], seen=[])
    reference(noise(), other, cache=tmp_path)
    assert sum(other.seen) == 30


@pytest.mark.parametrize("pictures", [noise(seed=1), noise(31), noise(channels=1)], ids=["pixels", "count", "channels"])
def test_other_pictures_are_another_reference(pictures, tmp_path):
    reference(noise(), Corners(), cache=tmp_path)
    network = Corners()
    reference(pictures, network, cache=tmp_path)
    assert sum(network.seen) == len(pictures)


def test_a_part_of_the_pictures_is_another_reference(tmp_path):
    reference(noise(), Corners(), cache=tmp_path)
    network = Corners()
    assert reference(noise(), network, 20, cache=tmp_path).moments.count == sum(network.seen) == 20


@pytest.mark.parametrize("constant", ["VERSION", "KEPT"])
def test_other_code_is_another_reference(constant, tmp_path, monkeypatch):
    reference(noise(), Corners(), cache=tmp_path)
    monkeypatch.setattr(module, constant, 7)
    network = Corners()
    reference(noise(), network, cache=tmp_path)
    assert sum(network.seen) == 30


def test_one_changed_pixel_changes_the_fingerprint():
    pixels = noise()._pixels
    changed = pixels.copy()
    changed[29, 2, 3, 3] ^= 1
    assert fingerprint(ArrayPictures(pixels)) != fingerprint(ArrayPictures(changed))


def test_the_fingerprint_does_not_depend_on_the_batch_and_tells_shapes_apart():
    assert fingerprint(noise(), batch=7) == fingerprint(noise())
    flat = ArrayPictures(noise()._pixels.reshape(30, 3, 2, 8))
    assert fingerprint(flat) != fingerprint(noise())


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty"])
def test_a_damaged_file_is_measured_anew_and_mended(damage, tmp_path):
    whole = reference(noise(), Corners(), cache=tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    path.write_bytes({"truncated": content[:-5], "one bit": flipped, "empty": b""}[damage])
    network = Corners()
    assert torch.equal(reference(noise(), network, cache=tmp_path).features, whole.features)
    assert sum(network.seen) == 30
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_as_many_vectors_are_kept_as_memory_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 11)
    found = reference(noise(), Corners(), cache=tmp_path, batch=4)
    assert len(found.features) == 11
    assert found.moments.count == 30


def test_progress_counts_pictures(tmp_path):
    assert list(measuring(noise(), Corners(), cache=tmp_path, batch=16)) == [16, 30]
    assert list(measuring(noise(), Corners(), cache=tmp_path, batch=16)) == []


def test_grey_pictures_are_seen_as_rgb(tmp_path):
    found = reference(noise(channels=1), Corners(), cache=tmp_path)
    assert isinstance(found.moments, Moments)


def test_the_cache_lies_where_caches_do(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ediffuser"
    reference(noise(), Corners())
    assert len(list(cache_folder().iterdir())) == 1


@pytest.mark.parametrize("count", [0, 31])
def test_other_counts_are_refused(count, tmp_path):
    with pytest.raises(BadInputError, match=f"there are 30 pictures in the reference set, not {count}"):
        reference(noise(), Corners(), count, cache=tmp_path)
