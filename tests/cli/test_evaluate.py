"""`ediffuser evaluate`: every task once on tiny models, and every option's mistake in one sentence."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.cli import main
from ediffuser.diffusion.schedules import CosineBetas, VariancePreserving
from ediffuser.evaluation.figures import Figure
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.tasks import Colorization, Inpainting, Unconditional

SAMPLER = ("--sampler", "ddim steps=2 eta=1", "--device", "cpu", "--precision", "float32")


def checkpoint(path, task, schedule=CosineBetas(steps=8)):  # noqa: B008
    channels = 3 + task.condition_channels
    network = UNetConfig(resolution=32, in_channels=channels, patch=4, widths=(8,), blocks=(1,), norm_groups=4)
    torch.manual_seed(0)
    config = ModelConfig(network=network, schedule=schedule, task=task, parametrisation="x0")
    write_checkpoint(path, model_files(config, network.build()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("evaluate")
    for name, task in (("inpaint", Inpainting()), ("colour", Colorization()), ("free", Unconditional())):
        checkpoint(place / name, task)
    checkpoint(place / "flow", Unconditional(), VariancePreserving())
    for kind in ("goldfish", "hen"):
        (place / "pictures" / kind).mkdir(parents=True)
        for k in range(4):
            coarse = np.random.default_rng(k).integers(0, 256, (4, 4, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)
            picture.save(place / "pictures" / kind / f"{k}.png")
    return place


@pytest.fixture(autouse=True)
def _own_cache(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def run(*arguments) -> int:
    try:
        main(["evaluate", *(str(argument) for argument in arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def evaluated(folder, out, model, task, *options):
    """The context, and the figures by method, kind of hole and name."""
    data = ("--data", folder / "pictures", "--task", task, "--out", out)
    assert run(folder / model, *data, "--count", 8, "--batch", 4, *SAMPLER, *options) == 0
    content = json.loads((out / "figures.json").read_text())
    figures = [Figure(**figure) for figure in content["figures"]]
    assert len({(f.method, f.group, f.name) for f in figures}) == len(figures)
    return content["context"], {(f.method, f.group, f.name): f for f in figures}


def test_inpainting_has_a_table_with_the_classical_methods_and_a_picture(folder, tmp_path, capsys):
    context, figures = evaluated(
        folder, tmp_path / "out", "inpaint", "inpainting", "--holes", "box,thin", "--variations", 2
    )
    methods = {"model", "telea", "navier-stokes", "biharmonic"}
    assert {method for method, _, _ in figures} == methods
    assert {group for _, group, _ in figures} == {"box", "thin"}
    names = {name for method, _, name in figures if method == "telea"}
    assert names == {
        "ST-LPIPS",
        "PSNR in the hole",
        "SSIM in the hole",
        "PSNR",
        "SSIM",
        "KD",
        "PD",
        "step across the border",
    }
    own = {name for method, _, name in figures if method == "model"} - names
    assert own == {"diversity, ST-LPIPS", "diversity, SSIM in the hole", "NFE"}
    assert context["nfe"] == figures["model", "box", "NFE"].value == 2
    # A smooth picture comes back better from its surroundings than from a network that has learnt nothing.
    assert figures["biharmonic", "thin", "PSNR in the hole"].value > figures["model", "thin", "PSNR in the hole"].value
    # Outside the hole nothing changes, so the whole picture has less error than the hole.
    for method in methods:
        assert figures[method, "box", "PSNR"].value > figures[method, "box", "PSNR in the hole"].value + 5
    said = capsys.readouterr().out
    table = (tmp_path / "out" / "table.md").read_text()
    assert table in said
    for needed in ("sha256", "EfficientNet-Lite0", "ST-LPIPS", "ediffuser-holes-", "8 bits", "NFE 2.0", "8 pictures"):
        assert needed in table
    with Image.open(tmp_path / "out" / "grid.png") as sheet:
        assert sheet.height > 2 * 128
        assert sheet.width > 7 * 128


def test_colorization_has_its_grey_baseline_and_keeps_the_luma(folder, tmp_path):
    _, figures = evaluated(folder, tmp_path / "out", "colour", "colorization", "--variations", 2)
    names = {name for method, _, name in figures if method == "model"}
    assert {"ST-LPIPS", "PSNR", "SSIM", "KD", "PD", "CA", "diversity, ST-LPIPS", "diversity, SSIM", "NFE"} <= names
    assert figures["grey", "", "CA"].unit == "%"
    assert figures["grey", "", "CA"].count == 8
    assert "FID" not in {name for _, _, name in figures}


def test_generation_is_compared_as_a_set_and_measured_by_likelihood_and_speed(folder, tmp_path):
    options = ("--nll", "vlb", "--speed")
    context, figures = evaluated(folder, tmp_path / "out", "free", "generation", *options)
    names = {name for _, _, name in figures}
    assert {"KD", "precision", "recall", "density", "coverage", "NLL (VLB)", "NFE", "time for a batch"} <= names
    assert figures["model", "", "NLL (VLB)"].unit == "bits/dim"
    assert figures["model", "", "time for a batch"].value > 0
    assert context["machine"].startswith("cpu, ")
    assert (context["reference_count"], context["looked_at"]) == (8, "bilinear to 224 x 224, antialiased")
    table = (tmp_path / "out" / "table.md").read_text()
    assert " ± " in table
    assert f"of 64 pictures, mean ± standard deviation of 10 batches, on {context['machine']}" in table
    assert not names & {"FID", "FD", "KID", "LPIPS"}


def test_a_likelihood_of_more_pictures_than_there_are_is_refused(folder, tmp_path, capsys):
    options = ("--data", folder / "pictures", "--task", "generation", "--out", tmp_path / "out", "--count", 9)
    assert run(folder / "free", *options, *SAMPLER, "--features", "none", "--nll", "vlb") == 2
    assert "the likelihood is that of the first 9 pictures, and there are 8" in capsys.readouterr().err


def test_a_likelihood_may_be_of_other_pictures_than_those_compared_with(folder, tmp_path):
    options = ("--nll", "vlb", "--features", "none", "--held-out", folder / "pictures" / "hen", "--count", 4)
    evaluated(folder, tmp_path / "out", "free", "generation", *options)
    assert "the first 4 pictures of hen (sha256 " in (tmp_path / "out" / "table.md").read_text()


def test_of_data_with_parts_pictures_meet_those_trained_on_and_the_likelihood_is_of_the_others(folder, tmp_path):
    random = np.random.default_rng(0)
    for name, count in [*((f"data_batch_{number}", 2) for number in range(1, 6)), ("test_batch", 4)]:
        random.integers(0, 10, (count, 3073), np.uint8).tofile(tmp_path / f"{name}.bin")
    options = ("--data", tmp_path, "--task", "generation", "--out", tmp_path / "out", "--count", 4, "--nll", "vlb")
    assert run(folder / "free", *options, *SAMPLER, "--features", "none") == 0
    table = (tmp_path / "out" / "table.md").read_text()
    assert f"data: {tmp_path.name}, train, 10 pictures" in table
    assert f"the first 4 pictures of {tmp_path.name}, test (sha256 " in table


@pytest.mark.parametrize(("options", "split"), [((), "all"), (("--split", "train"), "train")])
def test_data_without_parts_are_called_all_unless_somebody_knows_better(folder, tmp_path, options, split):
    context, _ = evaluated(folder, tmp_path / "out", "colour", "colorization", "--features", "none", *options)
    assert context["split"] == split


def test_two_runs_give_the_same_bytes_and_a_finished_one_is_not_measured_again(folder, tmp_path, capsys):
    options = ("--holes", "brush", "--features", "none", "--baselines", "none")
    for name in ("one", "two", "one"):
        evaluated(folder, tmp_path / name, "inpaint", "inpainting", *options)
        said = capsys.readouterr().err.splitlines()
    assert said == ["3/3 parts, begun"]
    for name in ("figures.json", "table.md", "grid.png", "plan.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_untrained_conditioning_is_evaluated_like_a_trained_model(folder, tmp_path):
    options = ("--conditioning", "null-space", "--holes", "box", "--baselines", "none", "--features", "none")
    _, figures = evaluated(folder, tmp_path / "out", "free", "inpainting", *options)
    assert {method for method, _, _ in figures} == {"model"}
    assert figures["model", "box", "PSNR"].count == 8


MISTAKES = [
    (("--count", 9), "there are 8 pictures in the data"),
    (("--count", 1), "count: Input should be greater than or equal to 2, got 1"),
    (("--batch", 0), "batch: Input should be greater than or equal to 1, got 0"),
    (("--seed", -1), "seed: Input should be greater than or equal to 0, got -1"),
    (("--variations", 0), "variations: Input should be greater than or equal to 1, got 0"),
    (("--holes", "bru"), "no kind of hole is named 'bru'; there are thin, brush, box, half, mixed"),
    (("--holes", "box,box"), "a kind of hole is named twice: box, box"),
    (("--holes", "none"), "inpainting needs at least one kind of hole"),
    (("--baselines", "tela"), "no baseline of inpainting is named 'tela'; there are telea, navier-stokes, biharmonic"),
    (("--baselines", "grey"), "no baseline of inpainting is named 'grey'"),
    (("--features", "efficientnet"), "did you mean 'efficientnet-lite0'?"),
    (("--distance", "st-lpips"), "did you mean 'st-lpips-"),
    (("--sampler", "dimm"), "unknown sampler 'dimm': did you mean 'ddim'?"),
    (("--conditioning", "repaint"), "leave the conditioning out"),
    (("--device", "tpu9"), "device 'tpu9' cannot be used here"),
    (("--task", "colorization"), "colorization needs a model trained for it"),
    (("--task", "generation"), "unconditional needs a model trained for it"),
    (("--data", "nowhere"), "there is no data set at 'nowhere'"),
]


@pytest.mark.parametrize(
    ("options", "said"), MISTAKES, ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else ""
)
def test_a_mistake_in_any_option_is_one_sentence_and_code_2(options, said, folder, tmp_path, capsys):
    out = tmp_path / "out"
    right = ("--data", folder / "pictures", "--task", "inpainting", "--out", out, "--count", 4, "--features", "none")
    assert run(folder / "inpaint", *right, "--distance", "none", "--device", "cpu", *options) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not (out / "parts").exists()


def test_a_directory_with_another_plan_is_refused_with_the_first_difference(folder, tmp_path, capsys):
    options = ["--holes", "box", "--baselines", "none", "--features", "none", "--distance", "none"]
    data = ["--data", folder / "pictures", "--task", "inpainting", "--out", tmp_path / "out", "--count", 4, *SAMPLER]
    assert run(folder / "inpaint", *data, *options) == 0
    capsys.readouterr()
    assert run(folder / "inpaint", *data, *options, "--seed", 3) == 2
    assert f"{tmp_path / 'out'} holds an evaluation with seed 0, not 3; choose another --out" in capsys.readouterr().err
    assert run(folder / "inpaint", *data, *options, "--holes", "thin") == 2
    assert "with holes ['box'], not ['thin']" in capsys.readouterr().err


def test_the_same_pictures_and_weights_elsewhere_are_the_same_plan_and_others_are_not(folder, tmp_path, capsys):
    options = ["--holes", "box", "--baselines", "none", "--features", "none", "--distance", "none", "--count", 4]
    rest = ["--task", "inpainting", "--out", tmp_path / "out", *SAMPLER, *options]
    assert run(folder / "inpaint", "--data", folder / "pictures", *rest) == 0
    shutil.copytree(folder / "inpaint", tmp_path / "copy")
    shutil.copytree(folder / "pictures", tmp_path / "same")
    assert run(tmp_path / "copy", "--data", tmp_path / "same", *rest) == 0
    Image.new("RGB", (32, 32)).save(tmp_path / "same" / "goldfish" / "0.png")
    capsys.readouterr()
    assert run(folder / "inpaint", "--data", tmp_path / "same", *rest) == 2
    assert "holds an evaluation with data_sha256" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_refused(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    rest = ["--task", "inpainting", "--out", tmp_path / "file" / "out", "--count", 4]
    assert run(folder / "inpaint", "--data", folder / "pictures", *rest) == 2
    assert "choose another --out" in capsys.readouterr().err
