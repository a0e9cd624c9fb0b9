"""Runs whose model learns its variance, on one CPU."""

import dataclasses
import json

import numpy as np
import pydantic
import pytest
import torch

from ediffuser.diffusion.losses import Hybrid, MinSnr, Simple, Vlb
from ediffuser.diffusion.schedules import CosineBetas, VariancePreserving
from ediffuser.model import load_checkpoint
from ediffuser.runtime.checkpoint import newest_checkpoint, read_checkpoint, tensors_from_bytes
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.errors import CheckpointError
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.training import Experiment, train
from ediffuser.training.times import LossAwareTimes

pytestmark = pytest.mark.integration
FEW, IMPORTANT = CosineBetas(steps=4), LossAwareTimes(kept=2)


def run(experiment, directory, *, stop_at=None, resume=False):
    steps = []
    training = train(experiment, directory, resume=resume, device="cpu")
    for step in training:
        steps.append(dataclasses.replace(step, seconds=0, checkpoint=None))
        if step.images_seen == stop_at:
            break
    training.close()
    return steps


def saved(directory, name="training.safetensors"):
    path = newest_checkpoint(directory)
    return tensors_from_bytes(read_checkpoint(path, [name])[name], name, path)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("task", [Unconditional(), Inpainting(), Colorization()], ids=lambda task: task.kind)
def test_the_hybrid_loss_falls_and_its_checkpoint_is_a_model_with_a_variance(experiment, tmp_path, task):
    plan = experiment(task, "eps", dropout=0.0, images=240, objective=Hybrid())
    losses = [step.loss for step in run(plan, tmp_path / "run")]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    model = load_checkpoint(newest_checkpoint(tmp_path / "run"), "cpu", "float32")
    x = torch.randn(2, 3 + task.condition_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    denoiser = model.denoiser.given(x[:, 3:]) if task.condition_channels else model.denoiser
    prediction = denoiser(x[:, :3], torch.tensor(0.5))
    assert prediction.variance_fraction.shape == (2, 3, 8, 8)
    assert prediction.variance_fraction.std() > 0


def test_the_bound_alone_trains_mean_and_variance_with_important_times(experiment, tmp_path):
    """Four steps can hardly say more than which level it is, in 8 bits: so the loss falls to less, not to nothing."""
    plan = experiment(dropout=0.0, images=320, schedule=FEW, objective=Vlb(), times=IMPORTANT)
    losses = [step.loss for step in run(plan, tmp_path / "run")]
    assert np.mean(losses[-10:]) < min(8, 0.85 * np.mean(losses[:5]))
    history = saved(tmp_path / "run")
    assert history["history.counts"].sum() == 320
    assert (history["history.losses"] > 0).all()


@pytest.mark.parametrize("objective", [Hybrid(), Vlb()], ids=lambda objective: objective.kind)
def test_a_run_with_important_times_that_was_stopped_ends_like_one_that_was_not(experiment, tmp_path, objective):
    """Trap 14: the history is in the checkpoint; weights, optimizer and history are equal bit for bit."""
    plan = experiment(images=80, checkpoint_every=48, schedule=FEW, objective=objective, times=IMPORTANT)
    whole = run(plan, tmp_path / "whole")
    before = run(plan, tmp_path / "stopped", stop_at=56)
    at_stop = saved(tmp_path / "stopped")
    assert (at_stop["history.counts"] >= 2).all()  # times are no longer uniform when it goes on
    after = run(plan, tmp_path / "stopped", resume=True)
    assert before[:6] + after == whole
    for name in ("model.safetensors", "training.safetensors"):
        assert same(saved(tmp_path / "whole", name), saved(tmp_path / "stopped", name))


def test_accumulation_does_not_change_a_run_with_important_times(experiment, tmp_path):
    """The history is one of optimizer steps: all parts of a batch draw from the same."""
    losses, histories = [], []
    for parts in (1, 2):
        plan = experiment(images=48, dropout=0.0, accumulation=parts, schedule=FEW, objective=Vlb(), times=IMPORTANT)
        losses.append([step.loss for step in run(plan, tmp_path / str(parts))])
        histories.append(saved(tmp_path / str(parts)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert torch.equal(histories[0]["history.counts"], histories[1]["history.counts"])


def test_a_checkpoint_without_the_history_is_not_resumed_with_important_times(experiment, tmp_path):
    plan = experiment(images=8, objective=Hybrid())
    run(plan, tmp_path / "run")
    important = dataclasses.replace(plan, images=16, times=LossAwareTimes())
    with pytest.raises(CheckpointError, match="or to other times"):
        run(important, tmp_path / "run", resume=True)


def test_a_history_that_is_no_longer_wanted_is_let_go(experiment, tmp_path):
    plan = experiment(images=8, objective=Hybrid(), times=LossAwareTimes())
    run(plan, tmp_path / "run")
    uniform = experiment(images=16, objective=Hybrid())
    assert len(run(uniform, tmp_path / "run", resume=True)) == 1
    assert not any(name.startswith("history") for name in saved(tmp_path / "run"))


def test_an_experiment_from_before_there_were_objectives_is_one_of_the_simple_loss(experiment):
    plan = experiment()
    fields = json.loads(to_json(plan, Experiment))
    assert fields.pop("objective") == {"kind": "simple"}
    assert from_json(json.dumps(fields), Experiment) == plan
    assert plan.objective == Simple()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"objective": Hybrid(), "schedule": VariancePreserving()}, "'hybrid' sums over the steps of a discrete"),
        ({"objective": Vlb(), "schedule": VariancePreserving()}, "'vlb' sums over the steps of a discrete schedule"),
        ({"times": LossAwareTimes(), "schedule": VariancePreserving()}, "for each index of a discrete schedule"),
        ({"objective": Vlb(), "weighting": MinSnr()}, "no weighting but the bound's own"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused(experiment, changes, sentence):
    with pytest.raises(pydantic.ValidationError, match=sentence):
        experiment(**changes)


def test_a_variance_that_no_objective_trains_is_refused(experiment):
    with pytest.raises(pydantic.ValidationError, match="'simple' never trains the variance that this model learns"):
        dataclasses.replace(experiment(objective=Hybrid()), objective=Simple())


@pytest.mark.parametrize("objective", [Hybrid(), Vlb()], ids=lambda objective: objective.kind)
def test_an_objective_that_trains_a_variance_the_model_lacks_is_refused(experiment, objective):
    with pytest.raises(pydantic.ValidationError, match="trains the reverse variance, which this model does not learn"):
        dataclasses.replace(experiment(), objective=objective)
