"""The first pictures of a data set with classes are of all classes."""

import numpy as np
import pytest

from ediffuser.data.pictures import ArrayPictures
from ediffuser.evaluation.spread import classes_in_turn


def pictures(labels, classes=("a", "b", "c")):
    pixels = np.arange(len(labels), dtype=np.uint8)[:, None, None, None]
    return ArrayPictures(pixels, None if labels is None else np.array(labels), classes)


def test_classes_come_in_turn_and_the_longest_is_last():
    spread = classes_in_turn(pictures([0, 0, 0, 1, 1, 2, 2, 2, 2]))
    assert spread.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 2, 2]
    assert spread.batch(range(9))[:, 0, 0, 0].tolist() == [0, 3, 5, 1, 4, 6, 2, 7, 8]


@pytest.mark.parametrize("count", [10, 50, 90])
def test_however_many_are_taken_classes_differ_by_one_at_most(count):
    labels = np.repeat(np.arange(3), 30)
    counts = np.bincount(classes_in_turn(pictures(labels)).labels[:count], minlength=3)
    assert counts.max() - counts.min() <= 1


def test_names_and_labels_move_with_their_pictures():
    spread = classes_in_turn(pictures([0, 0, 1, 1]))
    assert [int(name) for name in spread.names] == spread.batch(range(4))[:, 0, 0, 0].tolist()
    assert len(spread) == 4
    assert spread.classes == ("a", "b", "c")


def test_pictures_without_classes_stay_as_they_are():
    alone = ArrayPictures(np.zeros((4, 1, 1, 1), np.uint8))
    assert classes_in_turn(alone) is alone
