import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.evaluation.perceptual import PACKAGE
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.tasks import Inpainting

SCRIPT = Path(__file__).parents[2] / "scripts" / "model_card.py"


def run(monkeypatch, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network = UNetConfig(resolution=32, in_channels=7, patch=4, widths=(32,), blocks=(1,), attention=())
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting(), parametrisation="x0")
    write_checkpoint(tmp_path / "model", model_files(config, network.build()))
    return tmp_path / "model"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{k}.png")
    return tmp_path / "photos"


def test_an_untrained_model_gets_its_card(model, photos, tmp_path, monkeypatch, capsys):
    pytest.importorskip("cv2")
    pytest.importorskip(PACKAGE.replace("-", "_"), reason="the weights of ST-LPIPS are not installed")
    out = tmp_path / "card"
    run(monkeypatch, model, "--data", photos, "--count", 3, "--calls", 2, "--batch", 2, "--out", out)
    quality = json.loads((out / "quality.json").read_text())
    assert {row["method"] for row in quality["table"]} == {"telea", "navier-stokes", "model"}
    assert {row["count"] for row in quality["table"]} == {3}
    assert [ratio["required"] for ratio in quality["ratios"]] == [None, 0.85, 0.65, 0.65, None]
    distances = {(row["method"], row["hole"]): row["st_lpips"] for row in quality["table"]}
    for ratio in quality["ratios"]:
        hole, best = ratio["hole"], min(distances[method, ratio["hole"]] for method in ("telea", "navier-stokes"))
        assert ratio["ratio"] == pytest.approx(distances["model", hole] / best)
        assert distances[ratio["best"], hole] == best
    assert quality["metric"]["features"] in capsys.readouterr().out
    with Image.open(out / "comparison.png") as sheet:
        assert sheet.height > 5 * 32


def test_bad_input_is_one_line_and_exit_code_2(model, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, model, "--data", tmp_path / "nowhere")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
