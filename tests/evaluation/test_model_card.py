import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.evaluation.figures import Figure
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
    for k in range(4):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{k}.png")
    return tmp_path / "photos"


def test_an_untrained_model_gets_its_card(model, photos, tmp_path, monkeypatch, capsys):
    pytest.importorskip("cv2")
    pytest.importorskip(PACKAGE.replace("-", "_"), reason="the weights of ST-LPIPS are not installed")
    out = tmp_path / "card"
    run(
        monkeypatch,
        model,
        "--data",
        photos,
        "--count",
        4,
        "--sampler",
        "ddim steps=2 eta=1",
        "--batch",
        4,
        "--out",
        out,
    )
    quality, printed = json.loads((out / "quality-photos.json").read_text()), capsys.readouterr().out
    figures = {(f["name"], f["group"], f["method"]): f["value"] for f in quality["figures"]}
    methods, holes = ("telea", "navier-stokes", "biharmonic"), ("thin", "brush", "box", "half", "mixed", "smooth")
    assert {method for _, _, method in figures} == {*methods, "model"}
    ratios = {ratio["hole"]: ratio for ratio in quality["verdicts"] if ratio["figure"] == "ST-LPIPS"}
    assert [ratios[hole]["aim"] for hole in holes] == [None, 1.0, 1.0, 1.0, None, None]
    for hole, ratio in ratios.items():
        best = min(methods, key=lambda method: figures["ST-LPIPS", hole, method])
        assert ratio["beside"] == best
        assert ratio["ratio"] == figures["ST-LPIPS", hole, "model"] / figures["ST-LPIPS", hole, best]
        assert ratio["met"] == (ratio["aim"] and ratio["ratio"] <= ratio["aim"])
    for name in ("ST-LPIPS", "step across the border, x", "diversity, ST-LPIPS"):
        assert f"| {name} | {' | '.join(holes)} |" in printed
    assert "step across the border, smooth: " in printed
    assert quality["context"]["model_sha256"][:12] in printed
    with Image.open(out / "comparison.png") as sheet:
        assert sheet.height > 5 * 32
        assert sheet.width > 7 * 32


def test_a_figure_that_has_no_ratio_is_said_and_not_left_out():
    card = runpy.run_path(str(SCRIPT))

    def figure(name, method, value):
        return Figure(name, value, None, None, "low", "", 8, "", "", "box", method)

    found = [figure("KD", "telea", -0.01), figure("KD", "model", 0.02)]
    found += [figure("FD", "telea", 8.0), figure("FD", "biharmonic", 4.0), figure("FD", "model", 1.0)]
    assert [str(verdict) for verdict in card["judged"](found, "aligned_faces")] == [
        "KD, box: no ratio of telea, at most 0.5: cannot be said",
        "FD, box: 0.250 of biharmonic, at most 0.5: met",
        "step across the border, smooth: no ratio of the untouched pictures, at most 1.25: cannot be said",
    ]


def test_bad_input_is_one_line_and_exit_code_2(model, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, model, "--data", tmp_path / "nowhere")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
