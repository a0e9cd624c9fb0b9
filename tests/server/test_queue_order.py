import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ediffuser.server.batching import Rota
from ediffuser.server.order import round_robin


def test_one_of_each_client_then_a_second_of_each():
    waiting = [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("c", "c1"), ("b", "b2")]
    assert round_robin(waiting, {}) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert round_robin(waiting, {"a": 7, "b": 3}) == ["c1", "b1", "a1", "b2", "a2", "a3"]
    assert round_robin([], {"a": 1}) == []


JOBS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5), st.sampled_from(["x", "y"])), max_size=8)


@given(jobs=JOBS, rows=st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_every_variation_is_painted_once_in_batches_of_one_kind(jobs, rows):
    rota, expected = Rota(), []
    kinds = {}
    for number, (client, variations, kind) in enumerate(jobs):
        rota.add(f"{client}{number}", client, kind, range(variations))
        kinds[f"{client}{number}"] = kind
        expected += [(f"{client}{number}", variation) for variation in range(variations)]
    painted = []
    while rota:
        batch = rota.next(rows)
        assert 1 <= len(batch) <= rows
        assert len({kinds[job] for job, _ in batch}) == 1
        painted += batch
    assert rota.next(rows) == []
    assert sorted(painted) == sorted(expected)
    for job in kinds:
        assert [variation for name, variation in painted if name == job] == sorted(v for n, v in expected if n == job)


@given(jobs=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5)), max_size=8), rows=st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_no_client_gets_a_second_turn_before_all_others_had_one(jobs, rows):
    rota, left = Rota(), {}
    for number, (client, variations) in enumerate(jobs):
        rota.add(f"{client}{number}", client, "x", range(variations))
        left[client] = left.get(client, 0) + variations
    last, turn = {}, 0
    while rota:
        for job, _ in rota.next(rows):
            client, turn = job[0], turn + 1
            others = [last.get(other, 0) for other in left if left[other] and other != client]
            assert last.get(client, 0) <= min(others, default=turn)
            last[client], left[client] = turn, left[client] - 1


def test_a_rare_kind_is_not_starved():
    rota = Rota()
    for number in range(6):
        rota.add(f"a{number}", "a", "x", range(4))
    rota.add("b0", "b", "y", range(2))
    batches = [rota.next(4) for _ in range(2)]
    assert [job for job, _ in batches[1]] == ["b0", "b0"]


def test_what_has_begun_comes_before_what_has_not():
    rota = Rota()
    rota.add("a0", "a", "x", range(3))
    (first,) = rota.next(1)
    rota.again(*first)
    assert rota.next(2) == [("a0", 0), ("a0", 1)]


def test_a_removed_job_is_gone():
    rota = Rota()
    rota.add("a0", "a", "x", range(3))
    rota.remove("a0")
    rota.remove("a0")
    assert not rota
    with pytest.raises(KeyError):
        rota.again("a0", 1)
