"""The scripts by which a shipped model's recipe and sampler are chosen."""

import json
import runpy
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.evaluation.perceptual import PACKAGE
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.summary import scores
from ediffuser.model import ModelConfig, load_checkpoint, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.tasks import Inpainting
from ediffuser.tasks.sharpening import Sharpening

SCRIPTS = Path(__file__).parents[2] / "scripts"

needs_distance = pytest.mark.skipif(
    not any((Path(folder) / PACKAGE.replace("-", "_")).exists() for folder in sys.path),
    reason="the weights of ST-LPIPS are not installed",
)


def run(monkeypatch, script: str, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    runpy.run_path(str(SCRIPTS / script), run_name="__main__")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for k in range(4):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{k}.png")
    return tmp_path / "photos"


@needs_distance
def test_few_calls_are_compared_with_a_thousand_on_the_pictures_that_both_have(photos, tmp_path, monkeypatch, capsys):
    network = UNetConfig(resolution=32, in_channels=7, patch=8, widths=(32,), blocks=(1,), attention=())
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting(), parametrisation="x0")
    write_checkpoint(tmp_path / "model", model_files(config, network.build()))
    asked = ("--data", photos, "--count", 4, "--compared", 2, "--calls", 2, 5, "--holes", "box", "--out", tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "few_calls.py", tmp_path / "model", *asked, "--report")
    assert stopped.value.code == 2
    assert "'ancestral steps=1000'" in capsys.readouterr().err
    run(monkeypatch, "few_calls.py", tmp_path / "model", *asked)
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "few-calls.json").read_text())
    rows = {(row["sampler"], row["calls"]): row for row in found["rows"]}
    assert len(rows) == 5 * 2 + 1
    assert rows["ancestral", 1000]["ratio"] == 1
    # A fresh network says 0 whatever it is shown, so every way ends at the same picture.
    assert [row["ratio"] for row in rows.values()] == pytest.approx([1.0] * 11, abs=1e-6)
    assert "at most 1.1 at 5 calls: met" in said
    assert (tmp_path / "few-calls.svg").read_text().startswith("<svg")


@needs_distance
def test_amounts_of_sharpening_have_the_figures_of_a_model_that_asks_for_them(photos, tmp_path, monkeypatch, capsys):
    network = UNetConfig(resolution=32, in_channels=7, patch=4, widths=(32,), blocks=(1,), attention=())
    asks = ModelConfig(
        network=network,
        schedule=CosineBetas(),
        task=Inpainting(),
        parametrisation="x0",
        sharpening=Sharpening(amount=2.0),
    )
    torch.manual_seed(0)
    weights = network.build()
    with torch.no_grad():
        for parameter in weights.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    write_checkpoint(tmp_path / "model", model_files(asks, weights))
    run(monkeypatch, "sharpening.py", tmp_path / "model", "--data", photos, "--holes", "box", "--amounts", 1, 2)
    header, _, row = capsys.readouterr().out.strip().splitlines()
    kind, plain, half, whole = (cell.strip() for cell in row.strip("|").split("|"))
    assert kind == "box"
    assert header == "| distance; detail | none | 1 at 0.7 px | 2 at 0.7 px |"
    found = {}
    for name, config in (("asks", asks), ("not", replace(asks, sharpening=None))):
        write_checkpoint(tmp_path / name, model_files(config, weights))
        plan = Plan(
            model=str(tmp_path / name),
            task="inpainting",
            data=ImageFolder(path=str(photos), resolution=32),
            count=4,
            holes=("box",),
            matched=True,
            baselines=(),
            features="none",
            variations=1,
        )
        for _ in evaluate(plan, tmp_path / f"{name}-figures"):
            pass
        found[name] = next(iter(scores(tmp_path / f"{name}-figures"))).values["distance"].mean().item()
    assert (plain.split(";")[0], whole.split(" ")[0]) == (f"{found['not']:.4f}", f"{found['asks']:.4f}")
    details = [float(cell.rsplit(";", 1)[1]) for cell in (plain, half, whole)]
    assert details == sorted(details)
    assert details[0] < details[2]


@needs_distance
def test_trials_of_a_recipe_take_as_long_and_go_on_where_they_were(photos, tmp_path, monkeypatch, capsys):
    network = UNetConfig(
        resolution=32, in_channels=7, patch=4, widths=(32,), blocks=(1,), attention=(), heads=4, scale_shift=True
    )
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting(), parametrisation="x0")
    write_checkpoint(tmp_path / "model", model_files(config, network.build()))
    (tmp_path / "trials.toml").write_text(
        'recipe = "inpaint-faces128"\n'
        'set = ["batch=2", "data.resolution=32", "model.network.resolution=32", "model.network.widths=[32]", '
        '"model.network.blocks=[1]", "model.network.attention=[]"]\n'
        f'start_from = "{tmp_path / "model"}"\n'
        '[trials]\nfirst = []\nother = ["model.network.pixel_width=8"]\nas-it-was = "untrained"\n'
    )
    asked = (tmp_path / "trials.toml", "--data", photos, "--held-out", photos, "--count", 2, "--out", tmp_path / "out")
    run(monkeypatch, "recipe_trials.py", *asked, "--images", 40)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in table] == ["| trial", "| ---", "| first", "| other", "| as-it-was"]
    assert "(" not in table[2]  # the first one is compared with nothing
    assert table[2].split(" | ")[1:3] == ["40", "1.00"]
    assert table[3].count(" to ") == table[4].count(" to ") == 8
    assert table[4].split(" | ")[1:3] == ["0", ""]
    run(monkeypatch, "recipe_trials.py", *asked, "--images", 8000)  # all of it is done: nothing is trained again
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")] == table
    changed = (tmp_path / "trials.toml").read_text().replace("first = []", 'first = ["optimizer.learning_rate=1e-3"]')
    (tmp_path / "trials.toml").write_text(changed)
    with pytest.raises(SystemExit):
        run(monkeypatch, "recipe_trials.py", *asked)
    assert "first is a trial with other settings" in capsys.readouterr().err


@pytest.mark.parametrize(("content", "said"), [("", "'recipe'"), ('recipe = "x"\ntrials = 3', "no attribute")])
def test_a_file_that_is_none_of_trials_is_one_line(content, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "trials.toml").write_text(content)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "recipe_trials.py", tmp_path / "trials.toml", "--data", "x", "--held-out", "x")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.fixture
def further(tmp_path: Path) -> tuple[ModelConfig, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A model, the same with a path of pixels and other weights; in tmp_path as "first" and "second"."""
    network = UNetConfig(resolution=32, in_channels=7, patch=4, widths=(32,), blocks=(1,), attention=())
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting(), parametrisation="x0")
    wider = replace(config, network=replace(network, pixel_width=4))
    torch.manual_seed(0)
    weights = []
    for name, settings in (("first", config), ("second", wider)):
        built = settings.network.build()
        for parameter in built.parameters():
            parameter.data.add_(torch.randn_like(parameter))
        write_checkpoint(tmp_path / name, model_files(settings, built))
        weights.append(built.state_dict())
    return wider, weights[0], weights[1]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_mean_of_weights_takes_of_each_its_share_and_of_a_path_that_one_lacks_its_beginning(
    further, share, tmp_path, monkeypatch, capsys
):
    wider, first, second = further
    run(
        monkeypatch,
        "mean_of_weights.py",
        tmp_path / "first",
        tmp_path / "second",
        "--share",
        share,
        "--out",
        tmp_path / "m",
    )
    model = load_checkpoint(tmp_path / "m", "cpu", "float32")
    assert model.config == wider
    found = model.network.state_dict()
    for name, theirs in second.items():
        if name in first:
            ours = first[name]
        else:
            ours = torch.zeros_like(theirs) if name.startswith("pixels.conv_out") else theirs
        torch.testing.assert_close(found[name], (ours + share * (theirs - ours)).half().float(), rtol=1e-3, atol=1e-6)
    if share == 0:
        without = load_checkpoint(tmp_path / "first", "cpu", "float32").network
        without.load_state_dict({name: tensor.half() for name, tensor in first.items()})
        x, t = torch.randn(1, 7, 32, 32), torch.tensor([5.0])
        torch.testing.assert_close(model.network(x, t), without(x, t), rtol=1e-4, atol=1e-4)
    assert f"{share:g} of {tmp_path / 'second'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (("first", "second"), ("--share", 1.5), "share 1.5 must be in [0, 1]"),
        (("second", "first"), (), "first was not trained from"),
        (("first", "nowhere"), (), "nowhere"),
        (("first", "second"), ("--out", "first"), "is there already"),
    ],
)
def test_weights_that_have_no_mean_are_one_line(names, more, said, further, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "mean_of_weights.py", *names, *(() if "--out" in more else ("--out", "m")), *more)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_crops_of_one_photo_are_held_out_together_whatever_else_there_is(tmp_path, monkeypatch, capsys):
    def zipped(name: str, photos: range) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for photo in photos:
                for crop in range(3):
                    archive.writestr(f"lakes/lake-{photo:02d}-{crop}.png", f"{photo} {crop}")
        return tmp_path / name

    def divided(pictures: Path) -> list[dict[str, bytes]]:
        parts = [tmp_path / "train.zip", tmp_path / "val.zip"]
        run(monkeypatch, "hold_out.py", pictures, "--count", 10, "--train", parts[0], "--held-out", parts[1])
        return [{n: archive.read(n) for n in archive.namelist()} for archive in map(zipfile.ZipFile, parts)]

    train, held_out = divided(zipped("all.zip", range(20)))
    assert (len(train), len(held_out)) == (51, 9)
    assert not {name[:-6] for name in train} & {name[:-6] for name in held_out}
    assert train | held_out == {f"lakes/lake-{k:02d}-{c}.png": f"{k} {c}".encode() for k in range(20) for c in range(3)}
    again = divided(zipped("backwards.zip", range(19, -1, -1)))
    assert again == [train, held_out]
    with pytest.raises(SystemExit) as stopped:
        run(
            monkeypatch,
            "hold_out.py",
            zipped("one.zip", range(1)),
            "--train",
            tmp_path / "a",
            "--held-out",
            tmp_path / "b",
        )
    assert stopped.value.code == 2
    assert "cannot be divided" in capsys.readouterr().err
