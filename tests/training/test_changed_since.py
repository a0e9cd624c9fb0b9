"""What `--resume` says has changed since the checkpoint was saved: settings, and the pictures themselves."""

import dataclasses
import json
import os

import pytest
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.runtime.checkpoint import checkpoints, read_checkpoint, write_checkpoint
from ediffuser.runtime.component import to_json
from ediffuser.training import Experiment, train
from ediffuser.training.experiment import changed_settings
from ediffuser.training.perceptual import PerceptualTerm

pytestmark = pytest.mark.integration


def said(plan, directory, caplog):
    """What resuming says has changed."""
    caplog.clear()
    with caplog.at_level("INFO", "ediffuser.training"):
        next(train(plan, directory, resume=True, device="cpu"))
    mark = "changed since then: "
    return [line.message.removeprefix(mark) for line in caplog.records if line.message.startswith(mark)]


def test_a_setting_that_is_switched_on_or_off_is_said(experiment):
    plain = experiment()
    term = dataclasses.replace(plain, perceptual=PerceptualTerm(weight=0.5))
    shown = json.dumps(json.loads(to_json(term, Experiment))["perceptual"])
    assert changed_settings(to_json(plain, Experiment).encode(), term) == [f"perceptual: null, now {shown}"]
    assert changed_settings(to_json(term, Experiment).encode(), plain) == [f"perceptual: {shown}, now null"]
    held_out = dataclasses.replace(plain, held_out=ImageFolder(path="others", resolution=8))
    (change,) = changed_settings(to_json(plain, Experiment).encode(), held_out)
    assert change.startswith('held_out: null, now {"kind": "image_folder", "path": "others"')


def test_a_setting_that_was_not_there_yet_is_not_said(experiment):
    before = json.loads(to_json(experiment(), Experiment))
    del before["held_out"], before["optimizer"]["clip_norm"]
    assert changed_settings(json.dumps(before).encode(), experiment(seed=1)) == ["seed: 0, now 1"]


@pytest.fixture
def begun(experiment, tmp_path):
    """A run of 16 images that may go on to 32."""
    list(train(experiment(images=16), tmp_path / "run", device="cpu"))
    return experiment(images=32)


def test_pictures_that_are_more_fewer_or_others_are_said(begun, toys, tmp_path, caplog):
    assert said(begun, tmp_path / "run", caplog) == ["images: 16, now 32"]
    (toys / "3.png").rename(toys / "33.png")
    assert said(begun, tmp_path / "run", caplog)[1:] == ["data: 14 pictures, now as many of other names"]
    (toys / "33.png").unlink()
    assert said(begun, tmp_path / "run", caplog)[1:] == ["data: 14 pictures, now 13"]


def test_the_same_pictures_in_another_place_are_no_others(begun, toys, tmp_path, caplog):
    moved = toys.rename(tmp_path / "moved")
    plan = dataclasses.replace(begun, data=dataclasses.replace(begun.data, path=str(moved)))
    assert [change.split(":")[0] for change in said(plan, tmp_path / "run", caplog)] == ["data.path", "images"]


def test_a_checkpoint_that_does_not_know_its_pictures_goes_on(begun, toys, tmp_path, caplog):
    (path,) = checkpoints(tmp_path / "run")
    files = read_checkpoint(path)
    state = json.loads(files["state.json"])
    assert state.pop("data")["pictures"] == 14
    path.rename(tmp_path / "aside")
    write_checkpoint(path, files | {"state.json": json.dumps(state).encode()})
    (toys / "3.png").unlink()
    assert said(begun, tmp_path / "run", caplog) == ["images: 16, now 32"]


def test_names_that_are_no_utf_8_are_names_too(begun, toys, tmp_path, caplog):
    Image.new("RGB", (8, 8)).save(toys / "x.png")
    os.rename(toys / "x.png", os.fsencode(toys) + b"/\xff.png")
    assert said(begun, tmp_path / "run", caplog)[1:] == ["data: 14 pictures, now 15"]
