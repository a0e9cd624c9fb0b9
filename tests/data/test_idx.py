import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from ediffuser.data import FashionMnist, Mnist
from ediffuser.runtime.errors import BadInputError

DEBIAN = Path(FashionMnist().path)


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, images: np.ndarray) -> Path:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.arange(5, dtype=np.uint8))))
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(images[:2]))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx_bytes(np.array([9, 0], np.uint8)))
    return tmp_path


@pytest.mark.parametrize("kind", [Mnist, FashionMnist])
def test_the_files_are_read_plain_and_gzipped(folder, images, kind):
    opened = kind(path=str(folder)).open()
    assert len(opened) == 5
    assert len(opened.classes) == 10
    assert opened.labels.tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(opened.batch([4, 0])[:, 0], torch.from_numpy(images[[4, 0]]))
    assert kind(path=str(folder), split="test").open().labels.tolist() == [9, 0]


def test_padding_is_black_and_channels_are_equal(folder, images):
    batch = Mnist(path=str(folder), resolution=32, channels=3).open().batch([1])
    assert batch.shape == (1, 3, 32, 32)
    assert torch.equal(batch[0, 0, 2:30, 2:30], torch.from_numpy(images[1]))
    assert torch.equal(batch[0, 0], batch[0, 2])
    assert int(batch[0, 0].long().sum()) == int(images[1].sum(dtype=np.int64))


def write_images(folder: Path, content: bytes) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(content)


def test_a_missing_file_is_named(folder):
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(BadInputError, match=r"no 'train-labels-idx1-ubyte' or 'train-labels-idx1-ubyte.gz' in"):
        Mnist(path=str(folder)).open()
    with pytest.raises(BadInputError, match="there is no data set at"):
        Mnist(path=str(folder / "nowhere")).open()


def test_a_wrong_magic_number_is_refused(folder):
    write_images(folder, b"\x89PNG and more")
    with pytest.raises(BadInputError, match="starts with 0x89504e47, where the idx magic number 0x00000803"):
        Mnist(path=str(folder)).open()


@pytest.mark.parametrize("kept", [7, 100])
def test_a_truncated_file_is_refused(folder, images, kept):
    write_images(folder, idx_bytes(images)[:kept])
    with pytest.raises(BadInputError, match=f"is truncated or damaged: {kept} bytes where"):
        Mnist(path=str(folder)).open()


def test_a_truncated_gzip_is_refused(folder):
    file = folder / "train-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(BadInputError, match="is not a whole gzip file"):
        Mnist(path=str(folder)).open()


def test_files_that_do_not_belong_together_are_refused(folder, images):
    write_images(folder, idx_bytes(images[:3]))
    with pytest.raises(BadInputError, match=r"do not belong together: .* \(3, 28, 28\) and 5 labels up to 4"):
        Mnist(path=str(folder)).open()


@pytest.mark.skipif(not DEBIAN.exists(), reason=f"Debian's dataset-fashion-mnist is not installed in {DEBIAN}")
def test_debians_fashion_mnist():
    train, test = FashionMnist().open(), FashionMnist(split="test").open()
    assert (len(train), len(test)) == (60_000, 10_000)
    assert np.bincount(train.labels).tolist() == [6_000] * 10
    assert test.classes[test.labels[0]] == "Ankle boot"
    assert 50 < train.batch(range(1000)).float().mean() < 100
