import json
import os
import random
import shutil

import pytest
import torch

from ediffuser.runtime import checkpoint as module
from ediffuser.runtime.checkpoint import (
    FORMAT,
    MANIFEST,
    newest_checkpoint,
    read_checkpoint,
    tensors_from_bytes,
    tensors_to_bytes,
    write_checkpoint,
)
from ediffuser.runtime.errors import BadInputError, CheckpointError
from ediffuser.runtime.files import write_atomically

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}
FILES = {"model.safetensors": tensors_to_bytes(TENSORS), "model.json": b'{"kind": "unet"}', "notes.txt": b"a note\n"}


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "run" / "checkpoint"
    write_checkpoint(path, FILES)
    return path


def manifest_of(**changes):
    sums = {name: module.hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    return json.dumps({"format": FORMAT, "sha256": sums} | changes).encode()


def test_what_was_written_is_read(directory):
    assert read_checkpoint(directory) == FILES
    assert read_checkpoint(directory, ["model.json"]) == {"model.json": FILES["model.json"]}
    assert sorted(path.name for path in directory.parent.iterdir()) == ["checkpoint"]
    tensors = tensors_from_bytes(FILES["model.safetensors"], "model.safetensors", directory)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())
    assert tensors["b"].dtype == torch.bfloat16


def test_tensors_of_any_layout_are_written_plainly():
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    back = tensors_from_bytes(tensors_to_bytes({"x": image, "y": image[:, 1]}), "t", None)
    assert torch.equal(back["x"], image)
    assert torch.equal(back["y"], image[:, 1])


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_is_found(directory, name):
    content = bytearray(FILES[name])
    chance = random.Random(name)
    for trial in range(64):
        place, bit = chance.randrange(len(content)), trial % 8
        content[place] ^= 1 << bit
        (directory / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{name} is damaged; its SHA-256 is not the manifest's"):
            read_checkpoint(directory)
        content[place] ^= 1 << bit


def test_a_flipped_bit_in_any_byte_of_the_manifest_is_found(directory):
    content = bytearray((directory / MANIFEST).read_bytes())
    for place in range(len(content)):
        bit = 1 << (place * 5 + 1) % 8
        content[place] ^= bit
        (directory / MANIFEST).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{MANIFEST}|manifest"):
            read_checkpoint(directory)
        content[place] ^= bit


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_truncated_zeroed_and_longer_files_are_refused(directory, name):
    whole = (directory / name).read_bytes()
    cut = [whole[:length] for length in {0, 1, len(whole) // 2, len(whole) - 1}]
    for content in [*cut, bytes(len(whole)), whole + b"\0", whole + whole]:
        (directory / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name} is damaged"):
            read_checkpoint(directory)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_refused_even_if_others_are_wanted(directory, name):
    (directory / name).unlink()
    for wanted in (None, [other for other in FILES if other != name]):
        with pytest.raises(CheckpointError, match=f"{name} is missing; the manifest names it"):
            read_checkpoint(directory, wanted)
    (directory / name).mkdir()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        read_checkpoint(directory)


def test_foreign_files_are_refused(directory):
    (directory / "extra.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match=r"extra\.pkl is foreign; the manifest does not name it"):
        read_checkpoint(directory)
    for wanted in ([], ["model.json"], ["extra.pkl"]):
        with pytest.raises(CheckpointError, match=r"extra\.pkl is foreign"):
            read_checkpoint(directory, wanted)


def test_a_directory_without_a_manifest_was_never_finished(directory):
    (directory / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=f"{MANIFEST} is missing, so it was never finished"):
        read_checkpoint(directory)


def test_what_is_no_directory_is_refused(directory):
    for path in (directory / "nowhere", directory / "model.json"):
        with pytest.raises(
            CheckpointError, match=r"is not a directory; a checkpoint is a directory with manifest\.json"
        ):
            read_checkpoint(path)


def test_files_that_are_not_in_the_checkpoint_are_named(directory):
    with pytest.raises(
        CheckpointError, match=r"it holds no state\.json; it has model\.json, model\.safetensors, notes\.txt"
    ):
        read_checkpoint(directory, ["state.json"])


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        manifest_of()[:-1],
        b'{"format": "ediffuser-checkpoint-1"}',
        manifest_of(format=None),
        manifest_of(format="ediffuser-checkpoint-2"),
        manifest_of(sha256={"model.json": 5}),
        pytest.param(manifest_of(sha256=[]), id="list"),
        pytest.param(manifest_of(sha256=None), id="null"),
        pytest.param(manifest_of(sha256="all"), id="text"),
        pytest.param(b"[" * 100_000, id="nested"),
    ],
)
def test_a_broken_manifest_is_refused(directory, manifest):
    (directory / MANIFEST).write_bytes(manifest)
    with pytest.raises(CheckpointError, match=f"{MANIFEST}|format"):
        read_checkpoint(directory)


def test_a_manifest_that_is_a_directory_is_refused(directory):
    (directory / MANIFEST).unlink()
    (directory / MANIFEST).mkdir()
    with pytest.raises(CheckpointError, match=MANIFEST):
        read_checkpoint(directory)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, "names a file outside the directory") for name in ("../x", "/etc/passwd", "sub/x", ".", "./model.json")]
    + [(name, "is missing") for name in ("..", "", "nul\0")],
)
def test_a_manifest_cannot_reach_outside_its_directory(directory, name, fault):
    (directory.parent / "x").write_bytes(b"outside")
    (directory / "sub").mkdir()
    (directory / "sub" / "x").write_bytes(b"inside a folder")
    (directory / MANIFEST).write_bytes(manifest_of(sha256={name: module.hashlib.sha256(b"outside").hexdigest()}))
    with pytest.raises(CheckpointError, match=fault):
        read_checkpoint(directory)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"no tensors at all", FILES["model.safetensors"][:-1]])
def test_bytes_that_are_no_tensors_are_refused_by_name(content, tmp_path):
    with pytest.raises(CheckpointError, match=r"weights\.safetensors is not a safetensors file"):
        tensors_from_bytes(content, "weights.safetensors", tmp_path)


@pytest.mark.parametrize("fails_at", range(1, len(FILES) + 2))
def test_a_crash_while_writing_leaves_nothing_under_the_final_name(tmp_path, monkeypatch, fails_at):
    count = 0

    def crashing(path, content):
        nonlocal count
        count += 1
        if count == fails_at:
            path.write_bytes(content[: len(content) // 2])
            raise KeyboardInterrupt
        path.write_bytes(content)

    monkeypatch.setattr(module, "write_durably", crashing)
    target = tmp_path / "checkpoints" / "0000000100"
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(target, FILES)
    assert not target.exists()
    assert newest_checkpoint(tmp_path) is None
    monkeypatch.undo()
    write_checkpoint(target, FILES)  # what the crash left is in nobody's way
    assert read_checkpoint(target) == FILES
    assert newest_checkpoint(tmp_path) == target


def test_the_manifest_is_written_last(tmp_path, monkeypatch):
    order = []
    write = module.write_durably
    monkeypatch.setattr(module, "write_durably", lambda path, content: order.append(path.name) or write(path, content))
    write_checkpoint(tmp_path / "c", FILES)
    assert order[-1] == MANIFEST
    assert sorted(order[:-1]) == sorted(FILES)


def test_the_newest_checkpoint_is_the_newest_finished_one_by_number(tmp_path):
    for name in ("9", "0000000080", "700", "notes"):
        write_checkpoint(tmp_path / "checkpoints" / name, FILES)
    shutil.copytree(tmp_path / "checkpoints" / "700", tmp_path / "checkpoints" / "9000")
    (tmp_path / "checkpoints" / "9000" / MANIFEST).unlink()
    assert newest_checkpoint(tmp_path).name == "700"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    def crashing(*paths):
        raise KeyboardInterrupt

    file = tmp_path / "state.json"
    write_atomically(file, b"old")
    monkeypatch.setattr(os, "replace", crashing)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_place_that_cannot_be_written_to_is_bad_input(tmp_path):
    with pytest.raises(BadInputError, match=r"cannot write .*No such file or directory; choose a place"):
        write_atomically(tmp_path / "nowhere" / "file", b"content")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInputError, match="cannot write"):
        write_atomically(tmp_path / "folder", b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]
