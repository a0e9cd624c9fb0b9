"""The command line in a process of its own where codes and output matter, in this one where speed does."""

import json
import shutil

import numpy as np
import pytest
import torch
import tyro
from PIL import Image

from ediffuser.cli import main
from ediffuser.cli.common import SamplerOptions
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.editing.compose import grow
from ediffuser.editing.encode import GENERATED
from ediffuser.model import ModelConfig, model_files
from ediffuser.networks import UNetConfig
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.samplers import Ancestral, Ddim, ProbabilityFlow
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Unconditional


def checkpoint(path, task: AnyTask):
    network = UNetConfig(
        resolution=16, in_channels=3 + task.condition_channels, widths=(8, 8), blocks=(1, 1), norm_groups=4
    )
    torch.manual_seed(0)
    config = ModelConfig(network=network, schedule=CosineBetas(), task=task, parametrisation="v")
    write_checkpoint(path, model_files(config, network.build()))
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (40, 30, 3), np.uint8)).save(place / "photo.png")
    mask = np.zeros((40, 30), np.uint8)
    mask[10:20, 5:15] = 255
    Image.fromarray(mask).save(place / "mask.png")
    Image.fromarray(mask[:-1]).save(place / "small-mask.png")
    Image.fromarray(mask * 0).save(place / "empty-mask.png")
    (place / "text.png").write_text("not a picture")
    (place / "nothing").mkdir()
    for name, task in (("inpaint", Inpainting()), ("color", Colorization()), ("free", Unconditional())):
        checkpoint(place / name, task)
    pictures = place / "pictures"
    pictures.mkdir()
    for k in range(6):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(pictures / f"{k}.png")
    return place


def run(*arguments) -> int:
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def size_of(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def refusal(capsys, *arguments) -> str:
    """The one line on stderr of a command that must end with code 2 and nothing on stdout."""
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1
    return said.err


def test_inpaint_writes_variations_that_keep_every_pixel_outside_the_hole(folder, tmp_path, capsys):
    arguments = ["--model", folder / "inpaint", "--variations", 3, "--steps", 3]
    assert run("inpaint", folder / "photo.png", folder / "mask.png", "-o", tmp_path, *arguments) == 0
    paths = capsys.readouterr().out.split()
    assert paths == [str(tmp_path / f"photo-{k}.png") for k in (1, 2, 3)]
    photo, mask = (np.asarray(Image.open(folder / name)) for name in ("photo.png", "mask.png"))
    results = [np.asarray(Image.open(path)) for path in paths]
    assert all((result[mask == 0] == photo[mask == 0]).all() for result in results)
    assert not (results[0] == results[1]).all()
    assert not (results[1] == results[2]).all()


def test_the_photo_lends_a_hole_its_texture_unless_told_not_to(tmp_path):
    channels = 3 + Inpainting().condition_channels
    network = UNetConfig(resolution=64, in_channels=channels, widths=(8,), blocks=(1,), norm_groups=4, patch=4)
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting())
    write_checkpoint(tmp_path / "model", model_files(config, network.build()))
    options = ["--model", tmp_path / "model", "--steps", 2]
    hole = np.zeros((80, 120), np.uint8)
    hole[36:42, 60:68] = 255
    Image.fromarray(np.random.default_rng(1).integers(100, 156, (80, 120, 3), np.uint8)).save(tmp_path / "grain.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    given = [tmp_path / "grain.png", tmp_path / "mask.png"]
    assert run("inpaint", *given, "-o", tmp_path / "with.png", *options) == 0
    assert run("inpaint", *given, "-o", tmp_path / "without.png", *options, "--no-detail") == 0
    photo, lent, plain = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("grain", "with", "without"))
    assert (lent[hole == 0] == photo[hole == 0]).all()
    assert (lent[hole > 0] != plain[hole > 0]).any()


def test_inpaint_grows_the_hole_and_softens_its_edge(folder, tmp_path):
    arguments = ["--model", folder / "inpaint", "--steps", 2, "--grow", 3, "--feather", 4]
    assert run("inpaint", folder / "photo.png", folder / "mask.png", "-o", tmp_path / "out.png", *arguments) == 0
    photo, mask, result = (
        np.asarray(Image.open(path)) for path in (folder / "photo.png", folder / "mask.png", tmp_path / "out.png")
    )
    changed = (result != photo).any(axis=-1)
    larger = grow(mask > 0, 3)
    assert not changed[~larger].any()
    assert changed[larger & (mask == 0)].any()


def test_a_model_of_grey_pictures_paints_no_photo(folder, tmp_path, capsys):
    network = UNetConfig(resolution=16, in_channels=1, out_channels=1, widths=(8,), blocks=(1,), norm_groups=4)
    config = ModelConfig(network=network, schedule=CosineBetas(), task=Unconditional())
    write_checkpoint(tmp_path / "grey", model_files(config, network.build()))
    options = ["-o", tmp_path / "out.png", "--model", tmp_path / "grey", "--conditioning", "null-space"]
    said = refusal(capsys, "inpaint", folder / "photo.png", folder / "mask.png", *options)
    assert "a photo needs a model of RGB pictures, 3 channels; this one's have 1" in said
    assert "needs a model of RGB pictures" in refusal(capsys, "colorize", folder / "photo.png", *options)


CONDITIONINGS = ["repaint jump_length=1 passes=2", "null-space", "replacement known_noise=kept", "replacement"]


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_an_unconditional_model_paints_and_colours_with_a_conditioning(conditioning, folder, tmp_path, capsys):
    options = ["--model", folder / "free", "--steps", 3, "--conditioning", conditioning]
    assert run("inpaint", folder / "photo.png", folder / "mask.png", "-o", tmp_path / "painted.png", *options) == 0
    assert run("colorize", folder / "photo.png", "-o", tmp_path / "coloured.png", *options) == 0
    photo, painted, coloured = (
        np.asarray(Image.open(path)).astype(int)
        for path in (folder / "photo.png", tmp_path / "painted.png", tmp_path / "coloured.png")
    )
    outside = np.asarray(Image.open(folder / "mask.png")) == 0
    assert (painted[outside] == photo[outside]).all()
    assert (painted[~outside] != photo[~outside]).any()
    # Trap 33: the grey of every pixel comes back exactly.
    grey = [(picture @ [299, 587, 114] + 500) // 1000 for picture in (photo, coloured)]
    assert (grey[0] == grey[1]).all()
    assert (coloured != photo).any()


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("free", (), "needs a model trained for it, or one of the conditionings "),
        ("free", ("--conditioning", "concat"), "needs a model trained for it, or one of the conditionings "),
        ("inpaint", ("--conditioning", "repaint"), "leave the conditioning out; repaint is for models"),
        ("color", ("--conditioning", "repaint"), "trained for colorization; inpainting needs a model trained for it"),
        ("free", ("--conditioning", "re-paint"), "unknown conditioning 're-paint': did you mean 'repaint'?"),
        ("free", ("--conditioning", "repaint jumps=3"), "conditioning 'repaint' has no setting 'jumps'"),
        ("free", ("--conditioning", "repaint passes=0"), "passes: Input should be greater than or equal to 1, got 0"),
        ("free", ("--conditioning", "repaint"), "repaint jumps 10 steps at a time and the sampler has 3 steps"),
        (
            "free",
            ("--conditioning", "repaint", "--sampler", "dpm-solver++"),
            "such as ancestral, ddim or predictor_corrector, and dpm_solver++ is none; null_space works with any",
        ),
        (
            "free",
            ("--conditioning", "replacement known_noise=fresh", "--sampler", "dpm-solver++"),
            "and dpm_solver++ is none; known_noise=kept works with any",
        ),
    ],
)
def test_a_conditioning_that_does_not_fit_ends_with_one_line(model, options, said, folder, tmp_path, capsys):
    options = [*options, "--steps", 3, "--model", folder / model, "-o", tmp_path / "out.png"]
    assert said in refusal(capsys, "inpaint", folder / "photo.png", folder / "mask.png", *options)
    assert not (tmp_path / "out.png").exists()


def test_one_picture_can_be_named(folder, tmp_path, capsys):
    out = tmp_path / "new" / "result.jpg"
    assert run("inpaint", folder / "photo.png", folder / "mask.png", "-o", out, "--model", folder / "inpaint") == 0
    assert size_of(out) == (30, 40)


def test_colorize_and_generate_write_pictures(folder, tmp_path, capsys):
    assert run("colorize", folder / "photo.png", "-o", tmp_path / "c.png", "--model", folder / "color") == 0
    assert size_of(tmp_path / "c.png") == (30, 40)
    options = ["--model", folder / "free", "--count", 3, "--sampler", "ddim steps=2 eta=0.5"]
    assert run("generate", "-o", tmp_path / "many", *options) == 0
    assert all(GENERATED.encode() in path.read_bytes() for path in (tmp_path / "many").iterdir())
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == [f"picture-{k}.png" for k in (1, 2, 3)]


def test_later_pictures_have_later_numbers_and_leave_the_first_ones_alone(folder, tmp_path):
    options = ["-o", tmp_path, "--model", folder / "free", "--steps", 2, "--count", 2]
    assert run("generate", *options) == 0
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run("generate", *options, "--first-index", 2) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"picture-{k}.png" for k in (1, 2, 3, 4)]
    assert all((tmp_path / name).read_bytes() == content for name, content in first.items())


@pytest.mark.parametrize("command", ["inpaint", "colorize"])
def test_a_format_that_cannot_hold_the_photo_is_refused_before_a_model_is_looked_for(command, folder, tmp_path, capsys):
    Image.new("RGBA", (30, 40), (9, 9, 9, 99)).save(tmp_path / "clear.png")
    mask = [folder / "mask.png"] if command == "inpaint" else []
    line = refusal(capsys, command, tmp_path / "clear.png", *mask, "-o", tmp_path / "out.jpg", "--model", "none")
    assert "transparency, which JPEG cannot hold" in line


@pytest.mark.parametrize(
    ("options", "sampler"),
    [
        ((), Ddim(steps=7)),
        (("--steps", 3), Ddim(steps=3)),
        (("--sampler", "ancestral", "--steps", 3), Ancestral(steps=3)),
        (("--sampler", "probability-flow", "--solver", "dop853", "--tolerance", 0.01),
         ProbabilityFlow(solver="dop853", tolerance=0.01)),
        (("--sampler", "probability_flow steps=3", "--solver", "heun"),
         ProbabilityFlow(solver="heun", steps=3)),
        (("--sampler", "probability-flow solver=euler", "--steps", 3), ProbabilityFlow(solver="euler", steps=3)),
    ],
)  # fmt: skip
def test_a_sampler_is_named_with_its_settings_or_with_options(options, sampler):
    options = tyro.cli(SamplerOptions, args=[str(option) for option in options])
    assert options.chosen(Ddim(steps=7)) == sampler


def test_models_are_listed_and_shown(folder, capsys):
    assert run("models", "list") == 0
    assert "photos-128" in capsys.readouterr().out
    assert run("models", "show", "photos-128") == 0
    card = capsys.readouterr().out
    assert "non-commercial" in card
    assert '"parametrisation": "x0"' in card
    assert run("models", "show", folder / "free") == 0
    assert json.loads(capsys.readouterr().out)["task"]["kind"] == "unconditional"


def test_training_runs_resumes_and_its_checkpoint_generates(folder, tmp_path, capsys):
    small = [
        *("--set", "model.network.widths=[8,8]", "--set", "model.network.blocks=[1,1]"),
        *("--set", "model.network.norm_groups=4", "--set", "model.network.resolution=16"),
        *("--set", "model.network.in_channels=3", "--set", 'model.task={"kind":"unconditional"}'),
        *("--set", "data.resolution=16", "--set", "batch=4", "--set", "checkpoint_every=8"),
    ]
    out, data = tmp_path / "run", folder / "pictures"
    start = ["train", "ddpm32", "--data", data, "--out", out, *small]
    assert run(*start, "--set", "images=16") == 0
    assert "16/16 images" in capsys.readouterr().out
    assert run(*start, "--set", "images=24", "--resume") == 0
    assert "24/24 images" in capsys.readouterr().out
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == [4, 8, 12, 16, 20, 24]
    assert run("generate", "-o", tmp_path / "g.png", "--model", out, "--count", 1, "--steps", 2) == 0
    assert size_of(tmp_path / "g.png") == (16, 16)


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        ("missing.png", "mask.png", "missing.png"),
        ("text.png", "mask.png", "text.png"),
        ("photo.png", "missing-mask.png", "missing-mask.png"),
        ("photo.png", "small-mask.png", "39"),
        ("photo.png", "empty-mask.png", "--invert-mask"),
    ],
)
def test_files_that_cannot_be_used(folder, tmp_path, capsys, image, mask, said):
    out = tmp_path / "out"
    line = refusal(capsys, "inpaint", folder / image, folder / mask, "-o", out, "--model", folder / "inpaint")
    assert said in line
    assert not list(out.glob("*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "photos-12"], "unknown model 'photos-12': did you mean 'photos-128'?"),
        (["--sampler", "dimm"], "unknown sampler 'dimm': did you mean 'ddim'?"),
        (["--sampler", "ddim step=3"], "has no setting 'step'; did you mean 'steps'?"),
        (["--sampler", "ddim steps=0"], "steps: Input should be greater than or equal to 1, got 0"),
        (["--sampler", "ddim eta=2"], "eta: Input should be less than or equal to 1, got 2"),
        (["--sampler", "probability-flaw"], "unknown sampler 'probability-flaw': did you mean 'probability_flow'?"),
        (["--solver", "rk45"], "has no setting 'solver'"),
        (["--sampler", "probability-flow", "--solver", "rk4"], "solver: Input should be 'rk45', 'rk23', 'dop853'"),
        (["--sampler", "ddim steps"], "'steps' is not an override; write it key=value"),
        (["--steps", "2000"], "2000 steps are more than the 1000"),
        (["--device", "gpu"], "device 'gpu' cannot be used here"),
        (["--variations", "0"], "0 variations"),
        (["--grow", "-100"], "shrunk by 100 pixels leaves nothing to paint"),
        (["--feather", "-1"], "a soft edge cannot be -1 pixels wide"),
        (["--context", "nan"], "a context of nan shows the model nothing: give a number above 0"),
        (["--context", "0"], "a context of 0 shows the model nothing"),
        (["--sampler", " "], "unknown sampler ''"),
        (
            ["--sampler", "probability-flow", "--solver", "heun", "--tolerance", "0.1"],
            "heun takes a fixed number of steps",
        ),
    ],
)
def test_options_that_cannot_be_used(folder, tmp_path, capsys, options, said):
    if "--model" not in options:
        options = [*options, "--model", folder / "inpaint"]
    assert said in refusal(capsys, "inpaint", folder / "photo.png", folder / "mask.png", "-o", tmp_path, *options)


@pytest.mark.parametrize(
    ("recipe", "data", "options", "said"),
    [
        ("ddpm23", "pictures", [], "unknown recipe 'ddpm23': did you mean 'ddpm32'?"),
        ("ddpm32", "absent", [], "absent"),
        ("ddpm32", "nothing", [], "nothing"),
        ("ddpm32", "pictures", ["--set", "optimiser.learning_rate=1"], "did you mean 'optimizer.learning_rate'?"),
        ("ddpm32", "pictures", ["--set", "bach=2"], "did you mean 'batch'?"),
        ("ddpm32", "pictures", ["--set", "batch=many"], "batch: Input should be a valid integer"),
        ("ddpm32", "pictures", ["--set", "data.resolution=64"], "64 pixels do not fit a network of 32"),
        ("ddpm32", "pictures", ["--resume"], "nothing to resume"),
    ],
)
def test_training_that_cannot_start(folder, tmp_path, capsys, recipe, data, options, said):
    line = refusal(capsys, "train", recipe, "--data", folder / data, "--out", tmp_path / "run", *options)
    assert said in line


def test_a_checkpoint_with_a_flipped_bit_is_refused(folder, tmp_path, capsys):
    shutil.copytree(folder / "inpaint", tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    options = ["-o", tmp_path, "--model", tmp_path / "damaged"]
    line = refusal(capsys, "inpaint", folder / "photo.png", folder / "mask.png", *options)
    assert "model.safetensors is damaged; its SHA-256 is not the manifest's" in line
