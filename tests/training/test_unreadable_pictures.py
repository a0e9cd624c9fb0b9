"""A picture that cannot be read when training has long begun: what has been trained is saved first."""

import errno
import os

import pytest

from ediffuser.data import files, pictures
from ediffuser.runtime import checkpoint as saving
from ediffuser.runtime.checkpoint import checkpoints
from ediffuser.runtime.distributed import PeerError, processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.training import train
from several import together

pytestmark = pytest.mark.integration


def spoil(at):
    """Nothing fits in memory, and the `at`-th picture that is decoded is damaged."""
    read, counted = files.read_patiently, iter(range(1, 1 << 30))
    pictures.cache_budget_bytes = lambda: 0
    pictures.read_patiently = lambda *given: b"" if next(counted) == at else read(*given)


@pytest.fixture
def spoiled(monkeypatch):
    monkeypatch.setattr(pictures, "cache_budget_bytes", pictures.cache_budget_bytes)
    monkeypatch.setattr(pictures, "read_patiently", pictures.read_patiently)
    return spoil


def kept(directory):
    return [int(path.name) for path in checkpoints(directory)]


def test_what_is_trained_is_saved_before_the_run_ends(experiment, tmp_path, spoiled, monkeypatch, caplog):
    spoiled(at=3 * 8 + 5)  # in the fourth batch
    steps = []
    with caplog.at_level("INFO", "ediffuser.training"), pytest.raises(BadInputError, match="is not a whole JPEG"):
        steps.extend(train(experiment(images=64), tmp_path / "run", device="cpu"))
    assert kept(tmp_path / "run") == [24]
    assert f"saved {checkpoints(tmp_path / 'run')[0]} before the run ends" in caplog.text
    monkeypatch.undo()
    after = list(train(experiment(images=64), tmp_path / "run", resume=True, device="cpu"))
    assert after[0].images_seen == 32


@pytest.mark.parametrize(("at", "expected"), [(5, []), (2 * 8 + 5, [16])], ids=["nothing trained", "already saved"])
def test_what_needs_no_saving_is_not_saved(experiment, tmp_path, spoiled, at, expected):
    spoiled(at)
    with pytest.raises(BadInputError, match="is not a whole JPEG"):
        list(train(experiment(images=64, checkpoint_every=16), tmp_path / "run", device="cpu"))
    assert kept(tmp_path / "run") == expected


def test_a_full_disk_does_not_hide_which_picture_it_was(experiment, tmp_path, spoiled, monkeypatch, caplog):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spoiled(at=2 * 8 + 5)
    monkeypatch.setattr(saving, "write_durably", full)
    with pytest.raises(BadInputError, match="is not a whole JPEG"):
        list(train(experiment(images=64), tmp_path / "run", device="cpu"))
    assert kept(tmp_path / "run") == []
    assert "cannot save the checkpoint of 16 images" in caplog.text


def trained(plan, directory):
    with processes() as group:
        if group.rank == 1:
            spoil(at=2 * 4 + 2)  # in its third batch
        list(train(plan, directory, device="cpu", group=group))


def test_of_two_processes_one_cannot_read_and_the_first_saves(experiment, tmp_path):
    first, second = together(2, trained, experiment(images=64, dropout=0.0), tmp_path / "run")
    assert isinstance(first, PeerError)
    assert isinstance(second, BadInputError)
    assert "is not a whole JPEG" in str(second)
    assert kept(tmp_path / "run") == [16]
