"""What is broken in a run directory is found, said and passed over; one sound checkpoint is always left."""

import json
import os
import random
import shutil

import pytest
from faults import Run

from ediffuser.cli.train import train as train_command
from ediffuser.recipes import RECIPES
from ediffuser.runtime.checkpoint import MANIFEST, checkpoints, newest_checkpoint, read_checkpoint, write_checkpoint
from ediffuser.runtime.errors import BadInputError, CheckpointError
from ediffuser.training import train
from ediffuser.training.checkpoints import newest_sound, prune, set_aside

FILES = {"model.safetensors": random.Random(0).randbytes(3000), "state.json": b'{"steps": 3}'}


@pytest.fixture
def run(tmp_path):
    """A run directory with the checkpoints of 8 and 16 images."""
    for number in (8, 16):
        write_checkpoint(tmp_path / "run" / "checkpoints" / f"{number:010d}", FILES)
    return tmp_path / "run"


def damages():
    """200 single bits, 50 truncations, zeros, an empty and a missing file."""
    chance = random.Random(1)

    def flip(path):
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)

    def truncate(path):
        os.truncate(path, chance.randrange(path.stat().st_size))

    yield from ((f"bit {k}", flip) for k in range(200))
    yield from ((f"truncation {k}", truncate) for k in range(50))
    yield "zeros", lambda path: path.write_bytes(bytes(path.stat().st_size))
    yield "empty", lambda path: path.write_bytes(b"")
    yield "missing", os.unlink


def test_253_damages_of_the_newest_checkpoint_are_all_found_and_the_one_before_is_used(run):
    newest, before = checkpoints(run)
    count = 0
    for number, (name, damage) in enumerate(damages()):
        file = sorted(newest.iterdir())[number % 3]
        whole = file.read_bytes()
        damage(file)
        used, content, faults = newest_sound(run)
        assert (used, content) == (before, FILES), name
        assert list(faults) == [newest], name
        said = str(faults[newest])
        assert file.name in said or file.name == MANIFEST, name  # a damaged manifest accuses what it no longer fits
        assert str(newest) in said
        file.write_bytes(whole)
        count += 1
    assert count == 253
    assert newest_sound(run)[0] == newest


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_and_says_so(experiment, tmp_path, caplog):
    plan = experiment(images=32, checkpoint_every=8)
    list(train(plan, tmp_path / "whole", device="cpu"))
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    newest, before = checkpoints(tmp_path / "run")
    file = newest / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with caplog.at_level("INFO", "ediffuser.training"):
        steps = list(train(plan, tmp_path / "run", resume=True, device="cpu"))
    assert [step.images_seen for step in steps] == [32]
    assert [record.message for record in caplog.records][1:] == [
        f"checkpoint {newest}: model.safetensors is damaged; its SHA-256 is not the manifest's; it is set aside as "
        "damaged-0000000032",
        f"going on from checkpoint {before}",
    ]
    assert (newest.with_name("damaged-0000000032") / "model.safetensors").exists()
    for name in ("model.safetensors", "training.safetensors"):
        assert (newest / name).read_bytes() == (tmp_path / "whole" / "checkpoints" / newest.name / name).read_bytes()


@pytest.mark.parametrize("damage", [b"", b"{", None], ids=["empty", "cut", "missing"])
def test_a_damaged_checkpoint_before_the_one_that_is_resumed_is_in_nobodys_way(
    experiment, toys, tmp_path, monkeypatch, damage
):
    """The log takes figures of checkpoints; of a damaged one it has none, and goes on."""
    monkeypatch.setitem(RECIPES, "toy", lambda: experiment(images=16, checkpoint_every=8))
    train_command("toy", str(toys), tmp_path / "run", device="cpu")
    file = checkpoints(tmp_path / "run")[1] / "state.json"
    file.unlink() if damage is None else file.write_bytes(damage)
    train_command("toy", str(toys), tmp_path / "run", resume=True, set=("images=32",), device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == [8, 16, 24, 32]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_resuming_without_a_sound_checkpoint_is_refused_and_never_starts_anew(experiment, tmp_path, kept):
    """None, one or two checkpoints, all damaged: exit code 2, one sentence, nothing changed."""
    run = Run(experiment(images=16, checkpoint_every=8), tmp_path / "run")
    (tmp_path / "run").mkdir()
    for number in range(kept):
        path = tmp_path / "run" / "checkpoints" / f"{8 * (number + 1):010d}"
        write_checkpoint(path, FILES)
        (path / "model.safetensors").write_bytes(b"")
    assert run.finish(resume=True) == 2
    said = run.output().splitlines()[-1]
    assert said.startswith(f"ediffuser: nothing to resume in {tmp_path / 'run'}: ")
    reason = f"none of its {kept} checkpoints is sound" if kept else "it holds no finished checkpoint"
    assert reason in said
    assert kept == 0 or "model.safetensors is damaged" in said
    assert len(checkpoints(tmp_path / "run")) == kept
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_run_whose_checkpoints_are_all_damaged_is_not_overwritten_by_a_new_one(experiment, run):
    for path in checkpoints(run):
        (path / "manifest.json").unlink()
    with pytest.raises(BadInputError, match="already holds a run"):
        next(train(experiment(), run, device="cpu"))


def test_pruning_keeps_the_last_two_and_the_first_after_each_backup(tmp_path):
    for number in (8, 16, 24, 32, 40, 48, 56):
        write_checkpoint(tmp_path / "checkpoints" / f"{number:010d}", FILES)
        prune(tmp_path, backup_images=20)
    assert [int(path.name) for path in checkpoints(tmp_path)] == [56, 48, 40, 24]


def test_pruning_never_counts_on_a_damaged_checkpoint(run, caplog):
    (newest, before), folder = checkpoints(run), run / "checkpoints"
    write_checkpoint(folder / f"{24:010d}", FILES)
    (newest / "state.json").write_bytes(b"")
    prune(run, backup_images=1000)
    assert [int(path.name) for path in checkpoints(run)] == [24, 8]
    assert read_checkpoint(before) == FILES
    assert "set aside as damaged-0000000016" in caplog.text
    assert (folder / "damaged-0000000016").is_dir()


def test_setting_aside_never_replaces_what_was_set_aside_before(run):
    newest = newest_checkpoint(run)
    first = set_aside(newest)
    write_checkpoint(newest, FILES)
    second = set_aside(newest)
    assert (first.name, second.name) == ("damaged-0000000016", "damaged-0000000016-2")
    assert read_checkpoint(first) == FILES


def test_a_run_without_checkpoints_is_none_to_resume(tmp_path):
    with pytest.raises(BadInputError, match="it holds no finished checkpoint"):
        newest_sound(tmp_path)
    (tmp_path / "checkpoints" / "0000000008").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"none of its 1 checkpoints is sound; .*manifest\.json is missing"):
        newest_sound(tmp_path)
