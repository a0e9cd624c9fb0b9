import numpy as np
import pytest

from ediffuser.data import batch_indices

SIZE = 37


def test_every_epoch_is_a_permutation_and_no_two_are_alike():
    indices, _ = batch_indices(0, 0, 5 * SIZE, SIZE)
    epochs = indices.reshape(5, SIZE)
    assert (np.sort(epochs, axis=1) == np.arange(SIZE)).all()
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 5


@pytest.mark.parametrize("batch", [1, 2, 7, SIZE, 3 * SIZE])
def test_the_sequence_does_not_depend_on_how_it_is_cut(batch):
    whole = batch_indices(5, 0, 6 * SIZE, SIZE)
    pieces = [batch_indices(5, start, batch, SIZE) for start in range(0, 6 * SIZE, batch)]
    for part in range(2):
        assert np.array_equal(np.concatenate([piece[part] for piece in pieces])[: 6 * SIZE], whole[part])


@pytest.mark.parametrize("images_seen", [1, SIZE - 1, SIZE, 100])
def test_resuming_anywhere_continues_the_sequence(images_seen):
    whole = batch_indices(5, 0, images_seen + 50, SIZE)
    resumed = batch_indices(5, images_seen, 50, SIZE)
    for part in range(2):
        assert np.array_equal(resumed[part], whole[part][images_seen:])


def test_seeds_differ_and_any_integer_is_one():
    orders = {tuple(batch_indices(seed, 0, SIZE, SIZE)[0].tolist()) for seed in (-1, 0, 1, 2**64 - 2, 10**30)}
    assert len(orders) == 5


def test_flips_are_fair_and_independent_of_the_order():
    indices, flips = batch_indices(0, 0, 40_000, 2)
    assert abs(flips.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(indices, flips)[0, 1]) < 0.02
    assert abs(np.corrcoef(flips[1:], flips[:-1])[0, 1]) < 0.02


def test_every_place_is_equally_likely():
    firsts = [batch_indices(seed, 0, 1, 10)[0][0] for seed in range(2000)]
    counts = np.bincount(firsts, minlength=10)
    assert ((counts - 200) ** 2 / 200).sum() < 28  # chi-squared, 9 degrees of freedom, p = 0.001


def test_the_order_is_that_of_every_release():
    indices, flips = batch_indices(0, 0, 8, 8)
    assert indices.tolist() == [3, 1, 6, 2, 4, 7, 0, 5]
    assert np.flatnonzero(flips).tolist() == [2, 4, 6]


def test_arrays_are_the_callers_own():
    indices, _ = batch_indices(0, 0, 8, 8)
    indices[:] = 0
    assert sorted(batch_indices(0, 0, 8, 8)[0].tolist()) == list(range(8))
