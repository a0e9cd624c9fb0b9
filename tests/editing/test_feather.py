import numpy as np
import pytest
import torch
from photo_files import picture, random_hole

from ediffuser.editing.compose import hole_box
from ediffuser.editing.feather import blended, edge_weights
from ediffuser.editing.paint import Plan, paint


def brute_force(hole, width):
    """The distance of each pixel of the hole to the nearest known one."""
    known = np.argwhere(~hole)
    weights = np.zeros(hole.shape)
    for row, column in np.argwhere(hole):
        distance = np.sqrt(((known - (row, column)) ** 2).sum(axis=1).min()) if len(known) else np.inf
        weights[row, column] = min(1, distance / (width + 1))
    return weights


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("width", [0, 1, 5, 40])
def test_weights_rise_with_the_distance_from_the_edge(seed, width):
    hole = random_hole(np.random.default_rng(seed), 23, 31)
    hole[11, 13] = True
    box = hole_box(hole)
    weights = edge_weights(hole, box, width)
    assert weights.dtype == np.float32
    assert np.allclose(weights, brute_force(hole, width)[box.window], atol=1e-6)


def test_the_border_of_the_picture_is_no_edge():
    hole = np.zeros((20, 20), bool)
    hole[:, :10] = True
    weights = edge_weights(hole, hole_box(hole), 4)
    assert np.allclose(weights, np.minimum(1, np.arange(10, 0, -1) / 5))
    assert (edge_weights(np.ones((5, 5), bool), hole_box(np.ones((5, 5), bool)), 9) == 1).all()


def test_a_mixture_ends_in_the_bytes_of_either():
    painted, known = picture(30, 20, channels=4), picture(30, 20, channels=4)[::-1]
    weights = np.zeros((20, 30), np.float32)
    weights[:, 10:] = 1
    mixture = blended(painted, known, weights)
    assert np.array_equal(mixture[:, :10], known[:, :10])
    assert np.array_equal(mixture[:, 10:], painted[:, 10:])


def test_a_feathered_patch_is_a_mixture_of_the_sharp_one_and_the_photo():
    pixels, hole = picture(60, 60), np.zeros((60, 60), bool)
    hole[15:45, 20:50] = True
    patches = []
    for feather in (0, 6):
        plan = Plan(pixels, hole, 16, feather=feather)
        variation = paint(plan, 0)
        next(variation)
        with pytest.raises(StopIteration) as end:
            variation.send(torch.linspace(-1, 1, 768).reshape(3, 16, 16))
        patches.append(end.value.value)
    sharp, soft = patches
    known, weights = pixels[15:45, 20:50], edge_weights(hole, hole_box(hole), 6)
    assert np.array_equal(soft, blended(sharp, known, weights))
    assert np.array_equal(soft[7:-7, 7:-7], sharp[7:-7, 7:-7])
    assert np.abs(soft[0].astype(int) - known[0]).max() < np.abs(sharp[0].astype(int) - known[0]).max()
