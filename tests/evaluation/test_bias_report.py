"""A bias that was put into a toy model, found by `ediffuser evaluate --bias`.

The model has learnt nothing and paints every hole in the same grey. That is nearer to bright pictures than to dark
ones, so it is worse for the dark, and they come out brighter than they were.
"""

import json
import shutil

import numpy as np
import pytest
import torch
from classifiers import write_classifier
from PIL import Image

from ediffuser.cli import main
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.tasks import Inpainting, Unconditional

BRIGHT, DARK, BETWEEN = 180, 50, 0.3
"""Tones in grey levels, and the tone in [0, 1] between them: half a dark picture painted grey is above it."""


def checkpoint(path, task):
    network = UNetConfig(
        resolution=32, in_channels=3 + task.condition_channels, patch=4, widths=(8,), blocks=(1,), norm_groups=4
    )
    torch.manual_seed(0)
    config = ModelConfig(network=network, schedule=CosineBetas(steps=8), task=task, parametrisation="x0")
    write_checkpoint(path, model_files(config, network.build()))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Eighty faces, half of them dark, the table that says so, a classifier that sees it, and two models."""
    place, random = tmp_path_factory.mktemp("bias"), np.random.default_rng(0)
    (place / "faces").mkdir()
    lines = ["image_id,Bright,Hat"]
    for number in range(80):
        bright = number % 2
        tone = (BRIGHT if bright else DARK) + random.normal(0, 12, (1, 1, 1)) + random.normal(0, 4, (32, 32, 3))
        picture = Image.fromarray(tone.round().clip(0, 255).astype(np.uint8))
        picture.save(place / "faces" / f"{number:03d}.png")
        lines.append(f"{number:03d}.jpg,{1 if bright else -1},{1 if number < 4 else -1}")
    (place / "groups.csv").write_text("\n".join([*lines, "999.jpg,1,1"]))
    write_classifier(place / "tone.onnx", border=BETWEEN)
    checkpoint(place / "inpaint", Inpainting())
    checkpoint(place / "free", Unconditional())
    return place


def run(place, out, model, task, *options) -> int:
    small = ("--count", 80, "--batch", 40, "--variations", 1, "--features", "none", "--distance", "none")
    way = ("--sampler", "ddim steps=1 eta=0", "--device", "cpu", "--precision", "float32")
    arguments = (place / model, "--data", place / "faces", "--task", task, "--out", out, *small, *way, *options)
    try:
        main(["evaluate", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


HALF = ("--holes", "half", "--no-matched", "--baselines", "telea")


def test_a_model_that_paints_all_in_one_grey_is_worse_for_dark_faces_and_makes_them_bright(place, tmp_path, capsys):
    groups = ("--bias", place / "groups.csv", "--group", "Bright", "--bias", place / "tone.onnx")
    assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF, *groups) == 0
    text = (tmp_path / "out" / "bias.md").read_text()
    assert text in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "bias.json").read_text())
    assert dict(zip(found["names"], found["counts"], strict=True)) == {"Bright": 40, "not Bright": 40}
    model, telea = found["methods"]
    (psnr,) = model["errors"]
    assert (psnr["name"], psnr["worst"]) == ("PSNR in the hole, half holes", "not Bright")
    assert psnr["gaps"][0]["p_holm"] < 0.001
    # It continues what is there, whatever its tone; but OpenCV cuts fractions of a level off, a fraction of a dB.
    assert abs(telea["errors"][0]["gaps"][0]["gap"]) < 0.3 < 2 < psnr["gaps"][0]["low"]
    rows = {row["group"]: row for row in model["flips"]["half"]["rows"]}
    assert rows["dark"]["before"]["count"] == 40
    assert rows["dark"]["flipped"]["share"] > 0.9
    assert rows["dark"]["p_change_holm"] < 0.001
    assert rows["bright"]["flipped"]["count"] == 0
    assert "Significantly rarer in the results: dark." in text
    assert "Significantly worse: not Bright by PSNR in the hole, half holes." in text
    assert all(row["flipped"]["count"] == 0 for row in telea["flips"]["half"]["rows"])


def test_the_report_is_the_same_bytes_when_it_is_made_again_or_for_other_groups_in_between(place, tmp_path):
    def report(column):
        options = ("--bias", place / "groups.csv", "--group", column)
        assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF, *options) == 0
        return [(tmp_path / "out" / name).read_bytes() for name in ("bias.json", "bias.md", "figures.json")]

    first, parts = report("Bright"), sorted(path.stat().st_mtime_ns for path in (tmp_path / "out" / "parts").iterdir())
    other = report("Hat")
    assert other[0] != first[0]
    assert b"No group is judged" in other[1]
    assert report("Bright") == first
    assert sorted(path.stat().st_mtime_ns for path in (tmp_path / "out" / "parts").iterdir()) == parts


def test_a_generator_that_makes_only_bright_faces_is_found_by_the_classifier(place, tmp_path, capsys):
    assert run(place, tmp_path / "out", "free", "generation", "--bias", place / "tone.onnx") == 0
    found = json.loads((tmp_path / "out" / "bias.json").read_text())
    bright, dark = found["shares"]["rows"]
    assert (bright["data"]["count"], bright["made"]["count"], dark["made"]["count"]) == (40, 80, 0)
    assert dark["p_holm"] < 0.001
    assert "Significantly rarer among the samples: dark." in capsys.readouterr().out


def test_groups_of_a_classifier_alone_are_compared_by_error_too(place, tmp_path):
    assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF, "--bias", place / "tone.onnx") == 0
    found = json.loads((tmp_path / "out" / "bias.json").read_text())
    assert found["names"] == ["bright", "dark"]
    assert found["methods"][0]["errors"][0]["worst"] == "dark"


def test_a_table_is_read_in_the_order_of_the_evaluation_where_pictures_lie_in_folders_of_classes(place, tmp_path):
    lines = ["image_id,Tone"]
    for number in range(80):
        folder = tmp_path / "faces" / ("old" if number < 60 else "young")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(place / "faces" / f"{number:03d}.png", folder)
        lines.append(f"{number:03d},{'bright' if number % 2 else 'dark'}")
    (tmp_path / "groups.csv").write_text("\n".join(lines))
    groups = ("--bias", tmp_path / "groups.csv", "--group", "Tone", "--bias", place / "tone.onnx")
    assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF, "--data", tmp_path / "faces", *groups) == 0
    found = json.loads((tmp_path / "out" / "bias.json").read_text())
    assert (found["agreement"]["count"], found["agreement"]["total"]) == (80, 80)


def test_an_evaluation_without_the_classifier_is_another_one(place, tmp_path, capsys):
    assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF) == 0
    assert not (tmp_path / "out" / "bias.md").exists()
    assert run(place, tmp_path / "out", "inpaint", "inpainting", *HALF, "--bias", place / "tone.onnx") == 2
    assert "holds an evaluation with classifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("inpainting", ("--bias", "groups.csv"), "no column of 'groups.csv' is named"),
        ("inpainting", ("--group", "Bright"), "--group Bright needs the table it is a column of: --bias groups.csv"),
        ("inpainting", ("--bias", "tone.onnx", "--group", "Bright"), "needs the table it is a column of"),
        (
            "inpainting",
            ("--bias", "groups.csv", "--bias", "groups.csv", "--group", "Bright"),
            "one table and one class",
        ),
        ("inpainting", ("--bias", "groups.csv", "--group", "Bald"), "unknown column"),
        ("inpainting", ("--bias", "none.csv", "--group", "Bright"), "cannot be read: No such file"),
        ("inpainting", ("--bias", "none.onnx"), "cannot be read from"),
        ("generation", ("--bias", "groups.csv", "--group", "Bright"), "pictures from nothing are in no table"),
    ],
)
def test_mistakes_are_said_in_one_sentence_before_anything_is_measured(
    place, tmp_path, capsys, monkeypatch, task, options, message
):
    monkeypatch.chdir(place)
    model = "inpaint" if task == "inpainting" else "free"
    assert run(place, tmp_path / "out", model, task, *options) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
