import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.data import Cifar10, ImageFolder, data_set_at
from ediffuser.runtime.errors import BadInputError


@pytest.fixture
def records() -> np.ndarray:
    drawn = np.random.default_rng(0).integers(0, 256, (12, 3073), np.uint8)
    drawn[:, 0] = np.arange(12) % 10
    return drawn


@pytest.fixture
def binary(tmp_path: Path, records: np.ndarray) -> Path:
    for number in range(5):
        records[2 * number : 2 * number + 2].tofile(tmp_path / f"data_batch_{number + 1}.bin")
    records[10:].tofile(tmp_path / "test_batch.bin")
    return tmp_path


def test_the_binary_version(binary, records):
    train = Cifar10(path=str(binary)).open()
    assert len(train) == 10
    assert train.labels.tolist() == list(range(10))
    assert train.classes[3] == "cat"
    assert torch.equal(train.batch([7])[0], torch.from_numpy(records[7, 1:].reshape(3, 32, 32)))
    test = Cifar10(path=str(binary), split="test").open()
    assert test.labels.tolist() == [0, 1]


def test_the_folder_above_will_do(binary, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    binary.rename(above / "cifar-10-batches-bin")
    assert len(Cifar10(path=str(above)).open()) == 10


def test_class_folders_keep_the_official_numbers(tmp_path):
    for split, names in (("train", ("truck", "cat")), ("test", ("dog",))):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / split / name / "1.webp", lossless=True)
    assert Cifar10(path=str(tmp_path)).open().labels.tolist() == [3, 9]
    assert Cifar10(path=str(tmp_path), split="test").open().labels.tolist() == [5]
    assert Cifar10(path=str(tmp_path / "train")).open().labels.tolist() == [3, 9]


def test_a_zip_of_class_folders(tmp_path):
    Image.new("RGB", (32, 32), (1, 2, 3)).save(tmp_path / "1.png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "1.png", "ship/1.png")
    opened = Cifar10(path=str(tmp_path / "set.zip")).open()
    assert opened.labels.tolist() == [8]
    assert opened.batch([0])[0, :, 0, 0].tolist() == [1, 2, 3]


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "zebra").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "zebra" / "1.png")
    with pytest.raises(BadInputError, match=r"'zebra/1.png' in .* lies in no class folder: these are airplane, auto"):
        Cifar10(path=str(tmp_path)).open()


def test_the_python_version_is_refused_and_never_unpickled(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(BadInputError, match=r"python version, .* give the binary version, .*cifar-10-binary.tar.gz"):
        Cifar10(path=str(tmp_path)).open()


def test_a_missing_file_is_named(binary):
    (binary / "data_batch_4.bin").unlink()
    with pytest.raises(BadInputError, match=r"data_batch_4.bin' is missing: extract the whole"):
        Cifar10(path=str(binary)).open()


def test_a_truncated_file_is_refused(binary):
    file = binary / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(BadInputError, match=r"data_batch_2.bin' is truncated: 5,000 bytes where a multiple of 3,073"):
        Cifar10(path=str(binary)).open()


def test_a_wrong_label_is_refused(binary):
    np.full(3073, 99, np.uint8).tofile(binary / "data_batch_5.bin")
    with pytest.raises(BadInputError, match="is not CIFAR-10: it has label 99 where 0 to 9"):
        Cifar10(path=str(binary)).open()


@pytest.mark.parametrize("name", ["test_batch_3.jpg", "data_batch_1_of_9.png", "data_batch_6.bin.webp"])
def test_pictures_with_like_names_are_a_folder_of_pictures(tmp_path, name):
    Image.new("RGB", (32, 32)).save(tmp_path / name)
    assert data_set_at(str(tmp_path), 32) == ImageFolder(path=str(tmp_path), resolution=32)


def test_its_own_files_are_recognised_in_either_form(binary, tmp_path_factory):
    assert isinstance(data_set_at(str(binary), 32), Cifar10)
    python = tmp_path_factory.mktemp("python")
    (python / "test_batch").write_bytes(b"")
    assert isinstance(data_set_at(str(python), 32), Cifar10)
