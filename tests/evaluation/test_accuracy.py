import numpy as np
import pytest
import torch

from ediffuser.data.pictures import ArrayPictures
from ediffuser.evaluation.accuracy import (
    accuracy_figure,
    class_numbers,
    distance_figure,
    feature_distances,
    recognised,
)
from ediffuser.runtime.errors import BadInputError


class Brightest:
    """Sees the channel that is brightest on average; its features are the three averages."""

    name, family, sha256, resize, dimensions = "brightest channel", "brightest", "0" * 64, "none", 3
    classes = ("red", "green", "blue")

    def __call__(self, pictures):
        return pictures.float().mean(dim=(2, 3))

    def probabilities(self, pictures):
        return self(pictures).softmax(dim=1)


def plain(*colours):
    return torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 4, 4)


RESULTS = plain((9, 1, 1), (1, 9, 1), (1, 1, 9), (9, 1, 1))


def test_accuracy_is_the_part_of_results_that_keep_their_class():
    right = recognised(Brightest().probabilities(RESULTS), torch.tensor([0, 1, 2, 1]))
    assert right.tolist() == [1, 1, 1, 0]
    figure = accuracy_figure(right, Brightest(), method="model")
    assert (figure.name, figure.value, figure.unit, figure.better) == ("CA", 75, "%", "high")
    assert (figure.features, figure.count, figure.method) == ("brightest channel", 4, "model")
    assert figure.low < 75 < figure.high


def test_labels_are_matched_by_the_names_of_the_classes():
    """A folder's alphabet and a classifier's order need not agree."""
    pictures = ArrayPictures(RESULTS.numpy(), np.array([0, 1, 2, 0]), ("blue", "green", "red"))
    assert class_numbers(pictures, Brightest.classes).tolist() == [2, 1, 0, 2]


def test_pictures_without_known_classes_are_refused():
    with pytest.raises(BadInputError, match="needs pictures with classes"):
        class_numbers(ArrayPictures(RESULTS.numpy()), Brightest.classes)
    pictures = ArrayPictures(RESULTS.numpy(), np.zeros(4, np.int64), ("violet",))
    with pytest.raises(BadInputError, match=r"does not know the class 'violet' .* it knows red, green, blue"):
        class_numbers(pictures, Brightest.classes)


def test_perceptual_distance_is_euclidean_in_the_features():
    """Palette's PD: not squared, not divided by the number of features."""
    originals = plain((9, 1, 1), (1, 9, 1), (1, 1, 9), (6, 5, 1))
    distances = feature_distances(Brightest()(RESULTS), Brightest()(originals))
    assert distances.tolist() == [0, 0, 0, 5]
    assert torch.equal(distances, feature_distances(Brightest()(originals), Brightest()(RESULTS)))
    figure = distance_figure(distances, Brightest())
    assert (figure.name, figure.value, figure.better) == ("PD", 1.25, "low")
    assert 0 <= figure.low < 1.25 < figure.high <= 5


def test_wilsons_interval_is_the_published_one_and_has_a_width_where_all_are_right():
    # Newcombe 1998, Stat. Med. 17, table I: 81 of 263, and 15 of 148, score method without correction.
    for right, count, wanted in ((81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (20, 20, (0.8389, 1))):
        figure = accuracy_figure(torch.arange(count) < right, Brightest())
        assert (figure.low / 100, figure.high / 100) == pytest.approx(wanted, abs=5e-5)
    with pytest.raises(BadInputError, match="at least one"):
        accuracy_figure(torch.empty(0), Brightest())
