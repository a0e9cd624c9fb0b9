"""What a crash, a power cut or a full disk can do to a checkpoint that is being saved: nothing to the ones before."""

import errno
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import saver
from faults import PRELOADED, KillAt
from saver import FILES, begin, place, save

from ediffuser.runtime import checkpoint as saving
from ediffuser.runtime import files
from ediffuser.runtime.checkpoint import checkpoints, read_checkpoint
from ediffuser.runtime.errors import BadInputError
from ediffuser.training import train
from ediffuser.training.checkpoints import newest_sound
from ediffuser.training.step_log import StepLog

SCRIPT = [sys.executable, str(Path(saver.__file__))]


def test_a_crash_before_any_change_of_the_disk_leaves_a_sound_checkpoint(tmp_path):
    """kill -9 before each mkdir, open, write, fsync, rename, unlink and rmdir of a save (trap 40)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    killed = 0
    while True:
        run = tmp_path / str(killed)
        begin(run)
        process = context.Process(target=save, args=(run, KillAt(killed + 1)))
        process.start()
        process.join(60)
        newest, content, faults = newest_sound(run)
        assert (content, faults) == (FILES, {})
        assert newest in (place(run, 16), place(run, 24))
        assert all(read_checkpoint(path) == FILES for path in checkpoints(run))
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
        killed += 1
        if newest == place(run, 16):
            save(run)  # the run comes by again; what the crash left is in nobody's way
            assert sorted(os.listdir(run / "checkpoints")) == ["0000000016", "0000000024"]
        shutil.rmtree(run)
    assert killed >= 20, f"only {killed} boundaries"


CALL = re.compile(r"(?P<call>openat|write|fsync|renameat2?|rename)\((?P<arguments>.*)\) += (?P<result>-?\d+)")


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here (Debian: apt install strace)")
def test_a_power_cut_cannot_publish_what_is_not_on_the_disk(tmp_path):
    """Every file is synced, the manifest last, then their folder; only then the name appears, and is synced too."""
    begin(tmp_path / "run")
    traced = ["strace", "-f", "-y", "-e", "trace=openat,fsync,rename,renameat,renameat2", "-o", str(tmp_path / "calls")]
    subprocess.run([*traced, *SCRIPT, "run", str(tmp_path / "run")], check=True, timeout=120)
    calls = [match for line in (tmp_path / "calls").read_text().splitlines() if (match := CALL.search(line))]
    order = []
    for call in calls:
        if call["call"] == "fsync":
            order.append("sync " + Path(re.search(r"<(.*)>", call["arguments"])[1]).name)
        elif call["call"].startswith("rename"):
            names = [Path(name).name for name in re.findall(r'"(.*?)"', call["arguments"])]
            order.append(f"rename {names[-1]}")
    temporary = next(name for name in order if name.startswith("sync .0000000024."))
    assert order[: order.index("rename 0000000024") + 2] == [
        *(f"sync {name}" for name in FILES),
        "sync manifest.json",
        temporary,
        "rename 0000000024",
        "sync checkpoints",
    ]


def test_a_full_disk_at_20_levels_leaves_the_old_checkpoints_and_nothing_half(tmp_path):
    mount = f'mount -t tmpfs -o size=4m none {tmp_path} && exec "$@"'
    possible = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=4m none {tmp_path}"]
    if shutil.which("unshare") is None or subprocess.run(possible, capture_output=True, check=False).returncode:
        pytest.skip("a file system of one's own takes root")
    command = ["unshare", "-m", "sh", "-c", mount, "sh", *SCRIPT, "full", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    refused = int(re.search(r"20 levels, refused at (\d+)", done.stdout)[1])
    assert 15 <= refused <= 20


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that has no room for the files of the given checkpoints."""
    write = saving.write_durably

    def fill(*images: int) -> None:
        def full(path, content):
            if any(f"{number:010d}" in str(path) for number in images):
                path.write_bytes(content[:100])
                raise OSError(errno.ENOSPC, "No space left on device")
            write(path, content)

        monkeypatch.setattr(saving, "write_durably", full)

    return fill


def test_training_goes_on_when_a_checkpoint_finds_no_room_and_says_so(experiment, tmp_path, full_disk, caplog):
    full_disk(16)
    steps = list(train(experiment(images=24, checkpoint_every=8), tmp_path / "run", device="cpu"))
    assert [bool(step.checkpoint) for step in steps] == [True, False, True]
    assert [int(path.name) for path in checkpoints(tmp_path / "run")] == [24, 8]
    assert "cannot save the checkpoint of 16 images" in caplog.text
    assert "No space left on device; training goes on" in caplog.text
    assert sorted(os.listdir(tmp_path / "run" / "checkpoints")) == ["0000000008", "0000000024"]


def test_a_last_checkpoint_that_finds_no_room_is_bad_input(experiment, tmp_path, full_disk):
    full_disk(24)
    with pytest.raises(BadInputError, match=r"cannot save .* 24 images .*No space left on device; make room and go on"):
        list(train(experiment(images=24, checkpoint_every=8), tmp_path / "run", device="cpu"))
    assert [int(path.name) for path in checkpoints(tmp_path / "run")] == [16, 8]


def test_a_checkpoint_counts_as_saved_where_older_ones_cannot_be_removed(experiment, tmp_path, monkeypatch, caplog):
    def refused(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("ediffuser.training.checkpoints.remove_checkpoint", refused)
    steps = list(train(experiment(images=24, checkpoint_every=8), tmp_path / "run", device="cpu"))
    assert all(step.checkpoint for step in steps)
    assert [int(path.name) for path in checkpoints(tmp_path / "run")] == [24, 16, 8]
    assert "cannot remove older checkpoints" in caplog.text
    assert "Input/output error" in caplog.text


def test_a_log_that_cannot_be_begun_waits_for_room(tmp_path, monkeypatch):
    """A resumed run first takes out of its log what it will do again, and the disk may be full."""
    (tmp_path / "log.jsonl").write_text('{"images_seen": 8}\n{"images_seen": 16}\n')
    log, write = StepLog(tmp_path / "log.jsonl"), files.write_durably

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_durably", full)
    said = [*log.add({"images_seen": 16}), *log.add({"images_seen": 24})]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert said[0].endswith("training goes on, and the log waits for room")
    monkeypatch.setattr(files, "write_durably", write)
    assert list(log.add({"images_seen": 32})) == []
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert lines == [f'{{"images_seen": {images}}}' for images in (8, 16, 24, 32)]


def test_the_name_of_a_run_directory_is_on_the_disk_before_the_first_checkpoint(experiment, tmp_path, monkeypatch):
    folders, sync = [], files.sync_directory
    monkeypatch.setattr(files, "sync_directory", lambda path: folders.append(path) or sync(path))
    next(train(experiment(images=16), tmp_path / "runs" / "one", device="cpu"))
    assert folders[:2] == [tmp_path, tmp_path / "runs"]
