"""Groups in wanted shares, as a pure function of (seed, position)."""

from itertools import islice

import numpy as np
import pydantic
import pytest

from ediffuser.data import GroupShares, batches
from ediffuser.data.group_shares import GroupOrder
from ediffuser.data.groups import Groups
from ediffuser.data.pictures import ArrayPictures
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.errors import BadInputError

GROUPS = Groups.of(["few"] * 5 + ["many"] * 45 + ["some"] * 10)
WANTED = np.array([0.5, 0.3, 0.2])


def drawn(order, first=0, count=10_020, seed=0):
    return order.indices(seed, np.arange(first, first + count))


def test_groups_have_the_wanted_shares_and_their_pictures_equal_ones():
    """A twelfth of the data is half of what is seen in each round, and each picture of it as frequent as the next."""
    order = GroupOrder(GROUPS, WANTED)
    assert order.places.sum() == 10_020  # the first multiple of 60 pictures from 10,000 on
    for first in (0, 10_020):
        shares = np.bincount(GROUPS.labels[drawn(order, first)], minlength=3) / 10_020
        assert abs(shares - WANTED).max() < 1e-4
    for count in (2500, 20_040):
        seen = np.bincount(drawn(order, 0, count), minlength=60)
        assert all(np.ptp(seen[GROUPS.labels == group]) <= 1 for group in range(3))


def test_every_stretch_of_training_has_the_shares_as_chance_has_it():
    labels = GROUPS.labels[drawn(GroupOrder(GROUPS, WANTED), 300_600)].reshape(-1, 60)
    counts = np.stack([(labels == group).sum(1) for group in range(3)], 1)
    variance = 60 * WANTED * (1 - WANTED)
    assert np.allclose(counts.mean(0), 60 * WANTED, atol=0.01)
    assert np.allclose(counts.var(0), variance, rtol=0.35)  # neither bunched nor taken in turns
    assert abs(np.corrcoef(labels.ravel()[1:], labels.ravel()[:-1])[0, 1]) < 0.03


@pytest.mark.parametrize("batch", [1, 7, 64, 20_000])
def test_the_sequence_does_not_depend_on_how_it_is_cut_or_where_it_is_taken_up(batch):
    order = GroupOrder(GROUPS, WANTED)
    whole = drawn(order, 9_990, 100)  # over the border of a round
    pieces = [drawn(GroupOrder(GROUPS, WANTED), first, batch) for first in range(9_990, 10_090, batch)]
    assert np.array_equal(np.concatenate(pieces)[:100], whole)


def test_seeds_and_rounds_differ():
    order = GroupOrder(GROUPS, WANTED)
    orders = [drawn(order, first, 60, seed) for first, seed in ((0, 0), (0, 1), (10_020, 0))]
    assert all((a != b).mean() > 0.8 for a, b in zip(orders, orders[1:] + orders[:1], strict=True))


def test_processes_share_the_sequence_out():
    pictures = ArrayPictures(np.arange(60, dtype=np.uint8)[:, None, None, None].repeat(3, 1))
    order = GroupOrder(GROUPS, WANTED)

    def stream(batch, rank=0, world=1):
        found = batches(pictures, seed=3, images_seen=12, batch=batch, flip=True, order=order, rank=rank, world=world)
        return [part.indices.numpy() for part in islice(found, 3)]

    together = np.concatenate([np.concatenate(parts) for parts in zip(stream(4, 0, 2), stream(4, 1, 2), strict=True)])
    assert np.array_equal(together, np.concatenate(stream(8)))
    assert np.array_equal(together, drawn(order, 12, 24, 3))


def test_a_group_of_no_share_is_left_out_and_one_of_all_is_alone():
    assert set(GROUPS.labels[drawn(GroupOrder(GROUPS, np.array([0, 1, 0])))]) == {1}


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("number,kind\n0,few\n1,many\n2,many\n3,many\n")
    pictures = ArrayPictures(np.zeros((4, 3, 8, 8), np.uint8))
    return lambda **settings: GroupShares(path=str(path), columns=("kind",), **settings).open(pictures)


def test_unnamed_shares_are_all_alike(opened):
    assert opened().places.tolist() == [5000, 5000]
    assert opened(shares={"many": 0.8, "few": 0.2}).places.tolist() == [2000, 8000]


def test_without_a_table_the_groups_are_the_folders():
    pictures = ArrayPictures(np.zeros((4, 3, 8, 8), np.uint8), np.array([0, 1, 1, 1]), ("faces", "photos"))
    assert GroupShares().open(pictures).places.tolist() == [5000, 5000]
    order = GroupShares(shares={"photos": 0.8, "faces": 0.2}).open(pictures)
    assert order.places.tolist() == [2000, 8000]
    assert np.count_nonzero(drawn(order, 0, 10_000) == 0) == 2000
    with pytest.raises(BadInputError, match="the groups of the pictures by their folders 'faces', 'photos'"):
        GroupShares(shares={"faces": 1}).open(pictures)


def test_neither_a_table_nor_folders_is_bad_input():
    with pytest.raises(BadInputError, match=r"a table of them .* or pictures in two folders or more"):
        GroupShares().open(ArrayPictures(np.zeros((4, 3, 8, 8), np.uint8)))
    with pytest.raises(pydantic.ValidationError, match="columns Male are headings of a table: give its path too"):
        GroupShares(columns=("Male",))


def test_shares_of_other_groups_are_bad_input(opened):
    with pytest.raises(BadInputError, match=r"the shares are those of 'few', 'rare', and the groups .* 'few', 'many'"):
        opened(shares={"few": 0.5, "rare": 0.5})


@pytest.mark.parametrize(
    ("shares", "message"),
    [({"a": 0.5, "b": 0.6}, "sum to 1.1"), ({"a": -1, "b": 2}, "greater than"), ((("a", 0.5), ("a", 0.5)), "twice")],
)
def test_shares_that_are_none_are_refused(shares, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        GroupShares(path="x.csv", columns=("a",), shares=shares)


def test_shares_written_as_a_mapping_come_back_from_json():
    order = GroupShares(path="x.csv", columns=("kind",), shares={"b": 0.25, "a": 0.75})
    assert order.shares == (("a", 0.75), ("b", 0.25))
    assert from_json(to_json(order, GroupShares), GroupShares) == order
    assert from_json('{"path": "x.csv", "columns": ["kind"], "shares": {"a": 0.75, "b": 0.25}}', GroupShares) == order
