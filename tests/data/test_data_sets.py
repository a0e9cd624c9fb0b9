"""What holds for every data set; a newcomer to the union is covered by its name there."""

from typing import get_args

import pydantic
import pytest

from ediffuser.data import Cifar10, DataSet, FashionMnist, ImageFolder, Mnist, data_set_at
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.errors import BadInputError

KINDS = get_args(get_args(DataSet)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_json_brings_it_back(kind):
    data_set = kind(path="/data/ü", flip=True)
    assert from_json(to_json(data_set, DataSet), DataSet) == data_set


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_frozen_and_strict(kind):
    with pytest.raises(pydantic.ValidationError):
        kind(path="/data", colour="red")
    with pytest.raises(pydantic.ValidationError):
        kind(path="/data", resolution=-1)
    with pytest.raises(AttributeError):
        kind().path = "elsewhere"
    assert hash(kind()) == hash(kind())


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_the_trainer_asks_for(kind):
    data_set = kind()
    assert data_set.resolution > 0
    assert data_set.channels in (1, 3)
    assert isinstance(data_set.flip, bool)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_path_is_one_sentence(kind, tmp_path):
    with pytest.raises(BadInputError, match=r"there is no data set at '.*nowhere'"):
        kind(path=str(tmp_path / "nowhere")).open()


def test_kinds_are_unique():
    assert len({kind().kind for kind in KINDS}) == len(KINDS)


def test_the_kind_is_told_from_the_path(tmp_path, photos, photos_zip):
    for path in (str(photos), str(photos_zip)):
        assert data_set_at(path, 64, flip=False) == ImageFolder(path=path, resolution=64, flip=False)
    for name, kind in (("fashion-mnist", FashionMnist), ("digits", Mnist)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "train-images-idx3-ubyte.gz").touch()
        assert data_set_at(str(folder), 32, split="test") == kind(
            path=str(folder), resolution=32, channels=3, split="test"
        )
        with pytest.raises(BadInputError, match="holds 28 x 28 pictures: resolution 64 was asked for, 28 or 32 would"):
            data_set_at(str(folder), 64)
    for name in ("data_batch_1.bin", "data_batch_1"):
        folder = tmp_path / f"with-{name}"
        folder.mkdir()
        (folder / name).touch()
        assert data_set_at(str(folder), 32) == Cifar10(path=str(folder))
        with pytest.raises(BadInputError, match="holds CIFAR-10: channels 1 was asked for, 3 would be right"):
            data_set_at(str(folder), 32, channels=1)


def test_nothing_there_is_one_sentence(tmp_path):
    with pytest.raises(BadInputError, match="there is no data set at"):
        data_set_at(str(tmp_path / "nowhere"), 64)
