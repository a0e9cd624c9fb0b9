"""Collectives of several processes: what each knows before, and what all know after."""

import pytest
import torch

from ediffuser.runtime.distributed import ALONE, VARIABLES, PeerError, Processes, processes
from ediffuser.runtime.errors import BadInputError
from several import together


def collectives(world):
    with processes() as group:
        rank = group.rank
        weight = torch.nn.Parameter(torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))
        frozen = torch.nn.Parameter(torch.zeros(5))
        weight.grad = torch.arange(96.0).reshape(2, 3, 4, 4).contiguous(memory_format=torch.channels_last) * (rank + 1)
        group.average_gradients([weight, frozen])
        group.assert_alike({"gradient": weight.grad})
        return {
            "rank": rank,
            "first": group.first,
            "world": group.world,
            "mean": group.mean(torch.tensor([rank, 1.0])),
            "gather": group.gather(torch.tensor([[rank], [10 + rank]])),
            "none": group.any(False),
            "one": group.any(rank == world - 1),
            "gradient": weight.grad,
            "strides": weight.grad.stride() == weight.stride(),
            "frozen": frozen.grad,
            "mine": list(group.mine(range(7))),
            "share": group.share(24, accumulation=4),
        }


@pytest.fixture(scope="module", params=[1, 3])
def seen(request):
    return together(request.param, collectives, request.param)


def test_every_process_knows_its_place(seen):
    world = len(seen)
    assert [each["rank"] for each in seen] == list(range(world))
    assert [each["first"] for each in seen] == [True] + [False] * (world - 1)
    assert {each["world"] for each in seen} == {world}


def test_means_and_rows_are_those_of_all(seen):
    world = len(seen)
    for each in seen:
        assert torch.equal(each["mean"], torch.tensor([(world - 1) / 2, 1.0]))
        assert each["gather"].tolist() == [[number] for rank in range(world) for number in (rank, 10 + rank)]


def test_a_flag_of_one_is_a_flag_of_all(seen):
    assert not any(each["none"] for each in seen)
    assert all(each["one"] for each in seen)


def test_gradients_become_their_mean_and_keep_their_layout(seen):
    """Trap 41: gloo averages, it does not sum."""
    mean = torch.arange(96.0).reshape(2, 3, 4, 4) * (len(seen) + 1) / 2
    for each in seen:
        torch.testing.assert_close(each["gradient"], mean, rtol=1e-6, atol=0)
        assert each["strides"]
        assert each["frozen"] is None


def test_work_is_shared_out_whole(seen):
    assert sorted(item for each in seen for item in each["mine"]) == list(range(7))
    assert {each["share"] for each in seen} == {24 // len(seen)}


def different_fates(failing):
    with processes() as group:
        held = Processes(group.rank, group.world, group.local_rank, group.group)
        with held.together():
            pass
        with held.together():
            if group.rank in failing:
                raise BadInputError(f"process {group.rank} is at fault")
        return "not reached"


def test_what_fails_for_one_fails_for_all_and_is_said_once():
    fine, first, second = together(3, different_fates, (1, 2))
    assert isinstance(first, BadInputError)
    assert str(first) == "process 1 is at fault"
    for other in (fine, second):
        assert isinstance(other, PeerError)
        assert "process 1 of this run has failed" in str(other)


def drift():
    with processes() as group:
        alike, apart, other = torch.ones(3), torch.tensor([1.0, group.rank]), torch.tensor(torch.nan)
        tensors = {"alike": alike, "other": other}
        group.assert_alike(tensors if group.first else dict(reversed(tensors.items())))
        group.assert_alike({"alike": alike, "apart": apart})


def test_processes_that_drift_apart_are_found_out():
    for error in together(2, drift):
        assert isinstance(error, RuntimeError)
        assert str(error) == "the 2 processes of this run have drifted apart: apart differs"


def test_a_process_on_its_own_is_handed_back_what_it_gave(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with processes() as group:
        assert group == ALONE
    rows = torch.arange(4.0)
    assert ALONE.mean(rows) is rows
    assert ALONE.gather(rows) is rows
    assert (ALONE.any(True), ALONE.any(False)) == (True, False)
    with pytest.raises(ZeroDivisionError), ALONE.together():
        raise ZeroDivisionError


def test_half_told_of_the_others_is_bad_input(monkeypatch):
    for name in VARIABLES[1:]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "0")
    sentence = "RANK is set but WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT not; start with torchrun, or unset"
    with pytest.raises(BadInputError, match=sentence), processes():
        pass


def test_a_batch_that_cannot_be_shared_equally_is_bad_input():
    sentence = r"batch 8 cannot be shared equally: make it a multiple of 12 \(6 processes x accumulation 2\)"
    with pytest.raises(BadInputError, match=sentence):
        Processes(world=6).share(8, accumulation=2)


def test_more_processes_than_gpus_is_bad_input(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    group, other = object(), torch.device("cuda", 7)
    place = torch.device("cuda")
    assert Processes(1, 3, 1, group).device(place) == torch.device("cuda", 1)
    assert Processes(1, 3, 1, group).device(other) == other
    assert ALONE.device(place) == place
    with pytest.raises(BadInputError, match="process 2 of this machine has no GPU of its own, there are 2"):
        Processes(2, 3, 2, group).device(place)
