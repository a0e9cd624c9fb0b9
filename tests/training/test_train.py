"""Training as its caller sees it, on one CPU."""

import dataclasses
import json
import shutil
from itertools import pairwise

import numpy as np
import pydantic
import pytest
import torch

from ediffuser.cli.train import train as train_command
from ediffuser.diffusion.losses import InverseVariance, MinSnr
from ediffuser.model import load_checkpoint
from ediffuser.recipes import RECIPES
from ediffuser.runtime.checkpoint import newest_checkpoint, read_checkpoint, tensors_from_bytes
from ediffuser.runtime.component import from_json
from ediffuser.runtime.errors import BadInputError, CheckpointError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ddim
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.training import DivergedError, Experiment, train
from ediffuser.training.ema import ConstantEma
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.state import TrainingState

pytestmark = pytest.mark.integration


def run(experiment, directory, *, stop_at=None, resume=False):
    """The steps of a run, which its caller may stop; the generator is closed as an interruption would."""
    steps = []
    training = train(experiment, directory, resume=resume, device="cpu")
    for step in training:
        steps.append(step)
        if step.images_seen == stop_at:
            break
    training.close()
    return steps


def tensors(directory, name):
    path = newest_checkpoint(directory)
    return tensors_from_bytes(read_checkpoint(path, [name])[name], name, path)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("task", "parametrisation"), [(Unconditional(), "eps"), (Inpainting(), "x0")])
def test_the_loss_falls(experiment, tmp_path, task, parametrisation):
    steps = run(experiment(task, parametrisation, dropout=0.0, images=480), tmp_path / "run")
    losses = [step.loss for step in steps]
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])


@pytest.mark.parametrize("weighting", [MinSnr(), InverseVariance()])
@pytest.mark.parametrize("task", [Colorization(), Inpainting(hole_channel=False)], ids=lambda task: task.kind)
def test_every_task_and_weighting_trains(experiment, tmp_path, task, weighting):
    first, second = run(experiment(task, "v", weighting=weighting, images=16), tmp_path / "run")
    assert np.isfinite([first.loss, second.loss]).all()
    assert first.gradient_norm > 0


def test_a_resumed_run_goes_on_with_the_next_picture(experiment, tmp_path):
    plan = experiment(images=40, checkpoint_every=24)
    whole = run(plan, tmp_path / "whole")
    run(plan, tmp_path / "stopped", stop_at=24)
    first, _ = run(plan, tmp_path / "stopped", resume=True)
    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(whole[3], seconds=0)


@pytest.mark.parametrize(
    ("task", "kind"), [(Unconditional(), "adamw"), (Inpainting(), "adamw"), (Inpainting(), "muon")]
)
def test_a_run_that_was_stopped_ends_like_one_that_was_not(experiment, tmp_path, task, kind):
    """Weights, their average and the optimizer, bit for bit, with dropout, in the middle of an epoch."""
    plan = experiment(
        task,
        images=56,
        checkpoint_every=24,
        optimizer=Optimizer(kind=kind, learning_rate=2e-3, weight_decay=0.1, warmup_images=16, decay_fraction=0.5),
    )
    whole = run(plan, tmp_path / "whole")
    before = run(plan, tmp_path / "stopped", stop_at=32)  # the checkpoint is that of 24: a step is done again
    after = run(plan, tmp_path / "stopped", resume=True)
    assert [step.images_seen for step in after] == [32, 40, 48, 56]
    expected = [dataclasses.replace(step, seconds=0, checkpoint=None) for step in whole]
    found = [dataclasses.replace(step, seconds=0, checkpoint=None) for step in before[:3] + after]
    assert found == expected
    for name in ("model.safetensors", "training.safetensors"):
        assert same(tensors(tmp_path / "whole", name), tensors(tmp_path / "stopped", name))
    saved = tensors(tmp_path / "stopped", "training.safetensors")
    assert any(name.startswith("optimizer.") and value.any() for name, value in saved.items())
    assert not same(
        tensors(tmp_path / "stopped", "model.safetensors"),
        {name.removeprefix("network."): value for name, value in saved.items() if name.startswith("network.")},
    )
    assert all(a.seconds < b.seconds for a, b in pairwise(after))
    assert after[0].seconds > before[2].seconds


def test_a_run_is_a_function_of_its_seed(experiment, tmp_path):
    runs = [
        [step.loss for step in run(experiment(images=24, seed=seed), tmp_path / name)]
        for name, seed in zip("abc", (0, 0, 1), strict=True)
    ]
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_dropout_differs_from_step_to_step_and_not_with_the_global_seed(experiment, tmp_path, monkeypatch):
    masks = []

    def recorded(*arguments, dropout=torch.nn.functional.dropout, **named):
        masks.append(dropout(*arguments, **named) == 0)
        return arguments[0] * ~masks[-1]

    monkeypatch.setattr(torch.nn.functional, "dropout", recorded)
    plan = experiment(images=24)
    torch.manual_seed(1)
    first = run(plan, tmp_path / "first")
    torch.manual_seed(2)
    assert [step.loss for step in run(plan, tmp_path / "second")] == [step.loss for step in first]
    a_run, a_step = len(masks) // 2, len(masks) // 6
    assert all(torch.equal(a, b) for a, b in zip(masks[:a_run], masks[a_run:], strict=True))
    assert not torch.equal(masks[0], masks[a_step])
    assert 0.1 < masks[0].float().mean() < 0.3


def test_a_run_goes_on_from_the_weights_of_another_and_later_without_it(experiment, tmp_path):
    first, mine = tmp_path / "first", tmp_path / "mine"
    run(experiment(images=32), first)
    further = experiment(images=64, seed=1, checkpoint_every=16, start_from=str(first))
    began = TrainingState.start(further, torch.device("cpu"))
    for network in (began.network, began.average):
        assert same(network.state_dict(), tensors(first, "model.safetensors"))
    run(further, mine, stop_at=32)
    shutil.rmtree(first)
    assert run(further, mine, resume=True)[-1].images_seen == 64


def test_a_path_of_pixels_can_be_added_to_trained_weights_and_not_taken_away(experiment, tmp_path):
    def plan(pixel_width: int, **changes):
        plain = experiment(**changes)
        network = dataclasses.replace(plain.model.network, patch=2, pixel_width=pixel_width)
        return dataclasses.replace(plain, model=dataclasses.replace(plain.model, network=network))

    run(plan(0, images=32), tmp_path / "first")
    began = TrainingState.start(plan(8, start_from=str(tmp_path / "first")), torch.device("cpu"))
    old = tensors(tmp_path / "first", "model.safetensors")
    weights = began.average.state_dict()
    assert same({name: weights[name] for name in old}, old)
    assert all(name.startswith("pixels.") for name in weights.keys() - old.keys())
    run(plan(8, images=64, start_from=str(tmp_path / "first")), tmp_path / "second")
    with pytest.raises(BadInputError, match="its network has pixel_width 8, not 0"):
        run(plan(0, start_from=str(tmp_path / "second")), tmp_path / "third")


def test_the_weights_of_another_network_are_refused_before_anything_is_written(experiment, tmp_path):
    run(experiment(images=32), tmp_path / "first")
    plan = experiment(start_from=str(tmp_path / "first"))
    network = dataclasses.replace(plan.model.network, blocks=(2,) * len(plan.model.network.blocks))
    other = dataclasses.replace(plan, model=dataclasses.replace(plan.model, network=network))
    with pytest.raises(BadInputError, match=r"cannot be trained further by this recipe: its network has blocks "):
        run(other, tmp_path / "mine")
    assert not (tmp_path / "mine" / "experiment.json").exists()
    with pytest.raises(BadInputError, match="unknown model 'photo-128': did you mean 'photos-128'"):
        run(experiment(start_from="photo-128"), tmp_path / "mine")


def test_nothing_to_resume_is_bad_input(experiment, tmp_path):
    for directory in (tmp_path / "nothing", tmp_path):
        with pytest.raises(BadInputError, match=f"nothing to resume in {directory}: it holds no finished checkpoint"):
            run(experiment(), directory, resume=True)
    assert not (tmp_path / "nothing").exists()


def test_a_run_is_not_overwritten(experiment, tmp_path):
    run(experiment(images=8), tmp_path / "run")
    with pytest.raises(
        BadInputError, match="already holds a run; add --resume to go on with it, or choose another --out"
    ):
        run(experiment(images=8), tmp_path / "run")


def test_a_finished_run_has_nothing_left_to_do(experiment, tmp_path):
    run(experiment(images=16), tmp_path / "run")
    before = newest_checkpoint(tmp_path / "run")
    assert run(experiment(images=16), tmp_path / "run", resume=True) == []
    assert newest_checkpoint(tmp_path / "run") == before


def test_a_finished_run_can_be_made_longer(experiment, tmp_path):
    run(experiment(images=16), tmp_path / "run")
    assert [step.images_seen for step in run(experiment(images=32), tmp_path / "run", resume=True)] == [24, 32]


def test_what_has_been_changed_since_the_checkpoint_is_said(experiment, tmp_path, caplog):
    run(experiment(images=16, seed=3), tmp_path / "run")
    with caplog.at_level("INFO", "ediffuser.training"):
        changed = experiment(images=32, seed=3, optimizer=Optimizer(learning_rate=1e-3), ema=ConstantEma())
        run(changed, tmp_path / "run", resume=True)
        assert [record.message for record in caplog.records][2:] == [
            "changed since then: images: 16, now 32",
            "changed since then: optimizer.learning_rate: 0.002, now 0.001",
            'changed since then: ema.kind: "power", now "constant"',
        ]
        caplog.clear()
        run(changed, tmp_path / "run", resume=True)
        assert [record.message for record in caplog.records] == [
            f"14 pictures in {changed.data.path}",
            f"going on from checkpoint {newest_checkpoint(tmp_path / 'run')}",
        ]


def test_what_torchrun_starts_anew_goes_on_with_its_own_run_and_with_no_other(
    experiment, toys, tmp_path, monkeypatch, capsys
):
    """It starts anew as well what was refused because a run was there already."""
    monkeypatch.setitem(RECIPES, "toy", lambda: experiment(images=16, checkpoint_every=8))
    train_command("toy", str(toys), tmp_path / "run", device="cpu")
    before = newest_checkpoint(tmp_path / "run")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(BadInputError, match="already holds a run; add --resume"):
        train_command("toy", str(toys), tmp_path / "run", set=("seed=1", "images=32"), device="cpu")
    assert newest_checkpoint(tmp_path / "run") == before
    shutil.rmtree(before)
    capsys.readouterr()
    train_command("toy", str(toys), tmp_path / "run", device="cpu")
    assert "going on from checkpoint" in capsys.readouterr().out
    assert newest_checkpoint(tmp_path / "run") == before


def test_without_a_compiler_the_network_is_not_compiled_and_that_is_said(experiment, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = experiment(images=8)
    steps = list(train(plan, tmp_path / "run", device="cpu", compiled=True))
    assert [step.loss for step in steps] == [step.loss for step in run(plan, tmp_path / "plain")]
    assert "there is no compiler here" in caplog.text
    assert "the network is not compiled" in caplog.text


def test_divergence_is_reported_and_never_published(experiment, tmp_path):
    wild = experiment(images=80, checkpoint_every=8, optimizer=Optimizer(learning_rate=1e25))
    training = train(wild, tmp_path / "run", device="cpu")
    first = next(training)
    with pytest.raises(
        DivergedError, match=r"diverged after \d+ images: loss .*; resume from the last checkpoint"
    ) as raised:
        list(training)
    published = newest_checkpoint(tmp_path / "run")
    assert first.images_seen <= int(published.name) < 80
    assert f"after {int(published.name)} images" in str(raised.value)
    assert load_checkpoint(published, "cpu", "float32").config == wild.model  # refuses what is not finite


def test_a_checkpoint_is_a_model_and_tells_its_experiment(experiment, tmp_path):
    plan = experiment(Unconditional(), images=16)
    *_, last = run(plan, tmp_path / "run")
    assert last.checkpoint == newest_checkpoint(tmp_path / "run")
    for text in ((last.checkpoint / "experiment.json").read_text(), (tmp_path / "run" / "experiment.json").read_text()):
        assert from_json(text, Experiment) == plan
    assert json.loads((last.checkpoint / "state.json").read_text())["images_seen"] == 16
    model = load_checkpoint(last.checkpoint, "cpu", "float32")
    noise = Noise.rows(0, range(2))
    *_, step = Ddim(steps=2).trajectory(model.denoiser, noise.normal(model.shape), noise)
    assert step.x.shape == (2, 3, 8, 8)
    assert step.x.isfinite().all()


def test_checkpoints_are_published_when_due_and_at_the_end(experiment, tmp_path):
    steps = run(experiment(images=50, checkpoint_every=20), tmp_path / "run")
    assert [step.images_seen for step in steps] == list(range(8, 57, 8))
    assert [step.images_seen for step in steps if step.checkpoint] == [24, 40, 56]
    assert newest_checkpoint(tmp_path / "run") == steps[-1].checkpoint


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "state.json"])
def test_a_damaged_or_incomplete_checkpoint_is_not_resumed(experiment, tmp_path, name):
    """In particular not from the raw weights where their average is missing."""
    *_, last = run(experiment(images=8), tmp_path / "run")
    file = last.checkpoint / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        run(experiment(images=16), tmp_path / "run", resume=True)
    file.unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        run(experiment(images=16), tmp_path / "run", resume=True)


def test_what_a_crash_left_is_passed_over(experiment, tmp_path):
    *_, last = run(experiment(images=8), tmp_path / "run")
    unfinished = shutil.copytree(last.checkpoint, last.checkpoint.with_name("0000000099"))
    (unfinished / "manifest.json").unlink()
    half = shutil.copytree(last.checkpoint, last.checkpoint.with_name(".0000000100.77.tmp"))
    assert [step.images_seen for step in run(experiment(images=16), tmp_path / "run", resume=True)] == [16]
    assert not half.exists()


def test_a_checkpoint_of_another_network_is_refused(experiment, tmp_path):
    run(experiment(images=8), tmp_path / "run")
    with pytest.raises(CheckpointError, match="belongs to another network or optimizer"):
        run(experiment(images=16, widths=(16, 16)), tmp_path / "run", resume=True)


@pytest.mark.parametrize(("first", "then", "name"), [("adamw", "muon", "Adam"), ("muon", "adam", "Muon")])
def test_a_checkpoint_of_another_optimizer_is_refused(experiment, tmp_path, first, then, name):
    run(experiment(images=16, optimizer=Optimizer(kind=first)), tmp_path / "run")
    with pytest.raises(CheckpointError, match=f"it was trained with {name}, so go on with that optimizer.kind"):
        run(experiment(images=32, optimizer=Optimizer(kind=then)), tmp_path / "run", resume=True)


@pytest.mark.parametrize("task", [Unconditional(), Inpainting()], ids=lambda task: task.kind)
def test_accumulation_does_not_change_the_run(experiment, tmp_path, task):
    plans = [experiment(task, images=24, dropout=0.0, accumulation=parts) for parts in (1, 2)]
    losses, weights = [], []
    for number, plan in enumerate(plans):
        losses.append([step.loss for step in run(plan, tmp_path / str(number))])
        weights.append(tensors(tmp_path / str(number), "training.safetensors"))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    # Three steps of Adam move a weight by up to 6e-3.
    for name, value in weights[0].items():
        if name.startswith("network."):
            assert (weights[1][name] - value).abs().max() < 1e-4


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_checkpointing_does_not_change_the_run(experiment, tmp_path, dropout):
    """Not in its last bit: what is computed again is what was computed before, the elements dropped included."""
    for name, saving in (("kept", False), ("again", True)):
        run(experiment(images=24, dropout=dropout, gradient_checkpointing=saving), tmp_path / name)
    kept, again = (tensors(tmp_path / name, "training.safetensors") for name in ("kept", "again"))
    assert all(torch.equal(again[name], value) for name, value in kept.items())


def test_data_that_cannot_be_used_is_bad_input_before_anything_is_written(experiment, tmp_path):
    plan = experiment()
    plan = dataclasses.replace(plan, data=dataclasses.replace(plan.data, path=str(tmp_path / "no folder")))
    with pytest.raises(BadInputError, match="no folder"):
        run(plan, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch": 8, "accumulation": 3}, "batch 8 must be a multiple of accumulation 3"),
        ({"data": {"kind": "image_folder", "resolution": 16}}, "data of 16 pixels do not fit a network of 8"),
        ({"images": 0}, "greater than or equal to 1"),
        ({"learning_rate": 1e-3}, "learning_rate"),
        (
            {"data": {"kind": "image_folder", "resolution": 8, "channels": 1}},
            "data with channels 1 do not fit a model of pictures with 3",
        ),
        (
            {"held_out": {"kind": "mnist", "resolution": 28}},
            "held_out pictures of 28 pixels do not fit a network of 8",
        ),
        (
            {"held_out": {"kind": "image_folder", "resolution": 8, "channels": 1}},
            "held_out pictures with channels 1 do not fit a model of pictures with 3",
        ),
        ({"optimizer": {"betas": (0.9, 1.0)}}, "less than 1"),
        ({"optimizer": {"betas": (-0.1, 0.9)}}, "greater than or equal to 0"),
    ],
)
def test_an_experiment_that_does_not_fit_is_refused(experiment, changes, sentence):
    with pytest.raises(pydantic.ValidationError, match=sentence):
        experiment(**changes)
