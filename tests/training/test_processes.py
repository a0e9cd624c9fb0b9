"""Several processes train and generate what one would; the last tests start them with torchrun itself."""

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from ediffuser.cli import main
from ediffuser.diffusion.losses import Hybrid
from ediffuser.runtime.checkpoint import checkpoints, newest_checkpoint, read_checkpoint, tensors_from_bytes
from ediffuser.runtime.distributed import PeerError, processes
from ediffuser.runtime.errors import BadInputError, DivergedError
from ediffuser.runtime.signals import Stop
from ediffuser.tasks import Inpainting
from ediffuser.training import train
from ediffuser.training.critic import AdversarialTerm
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.times import LossAwareTimes
from several import together

pytestmark = pytest.mark.integration

PATIENCE_S = 300


def steps(experiment, directory, resume=False, stop_at=None, stopping_rank=0):
    """The steps of a run in this process; `stop_at` images are the wish of one process only."""
    stop, taken = Stop(), []
    with processes() as group:
        for step in train(experiment, directory, resume=resume, device="cpu", group=group, stop=stop):
            taken.append(dataclasses.replace(step, average=None))
            if step.images_seen == stop_at and group.rank == stopping_rank:
                stop.signal = signal.SIGTERM
    return taken


def files(directory):
    path = newest_checkpoint(directory)
    content = read_checkpoint(path, ["model.safetensors", "training.safetensors"])
    return {name: tensors_from_bytes(value, name, path) for name, value in content.items()}


def assert_identical(one, other):
    one, other = files(one), files(other)
    for name, tensors in one.items():
        assert tensors.keys() == other[name].keys()
        for key, value in tensors.items():
            assert torch.equal(value, other[name][key]), f"{name}: {key}"


PLANS = {
    "simple": {},
    "hole, accumulated": {"task": Inpainting(), "accumulation": 2},
    "hole, critic": {"task": Inpainting(), "adversarial": AdversarialTerm(warmup_images=16)},
    "hybrid, loss-aware": {"objective": Hybrid(), "times": LossAwareTimes(kept=1)},
}


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_two_processes_train_as_one_does(experiment, tmp_path, changes):
    """Trap 41: one process x a batch of 8 is two x 4; losses, gradient norms, weights, average and history."""
    plan = experiment(dropout=0.0, images=160, checkpoint_every=80, **changes)
    alone = steps(plan, tmp_path / "alone")
    first, second = together(2, steps, plan, tmp_path / "two")
    assert [step.images_seen for step in first] == [step.images_seen for step in alone]
    assert len(alone) == 20
    for name in ("loss", "gradient_norm"):
        expected = [getattr(step, name) for step in alone]
        assert [getattr(step, name) for step in first] == pytest.approx(expected, rel=1e-5)
        assert [getattr(step, name) for step in second] == [getattr(step, name) for step in first]
    one, two = files(tmp_path / "alone"), files(tmp_path / "two")
    for name in one:
        for key, value in one[name].items():
            # Adam divides by the gradient's size: where that is hardly more than rounding, so is the step.
            torch.testing.assert_close(two[name][key], value, rtol=1e-3, atol=2e-4, msg=f"{name}: {key}")
    assert [step.checkpoint is not None for step in first].count(True) == 2
    assert not any(step.checkpoint for step in second)


def test_two_processes_repeat_themselves_and_each_has_dropout_of_its_own(experiment, tmp_path):
    plan = experiment(images=40, dropout=0.5)
    for name in ("once", "again"):
        together(2, steps, plan, tmp_path / name)
    assert_identical(tmp_path / "once", tmp_path / "again")
    masks = together(2, dropout_masks, plan, tmp_path / "masks")
    assert len(masks[0]) == len(masks[1]) > 0
    assert not torch.equal(masks[0][0], masks[1][0])


def dropout_masks(experiment, directory):
    """Where each process dropped numbers in its first step."""
    masks, dropout = [], torch.nn.functional.dropout

    def recorded(*arguments, **named):
        masks.append(dropout(torch.ones_like(arguments[0]), **named) == 0)
        return arguments[0] * ~masks[-1]

    torch.nn.functional.dropout = recorded
    with processes() as group:
        next(train(experiment, directory, device="cpu", group=group))
    return masks


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_run_goes_on_with_another_number_of_processes(experiment, tmp_path, before, after):
    whole, half = (experiment(dropout=0.0, images=images, checkpoint_every=80) for images in (240, 80))
    expected = steps(whole, tmp_path / "whole")
    together(before, steps, half, tmp_path / "moved")
    resumed = together(after, steps, whole, tmp_path / "moved", True)[0]
    assert [step.images_seen for step in resumed] == [step.images_seen for step in expected[10:]]
    assert len(resumed) == 20
    assert [step.loss for step in resumed] == pytest.approx([step.loss for step in expected[10:]], rel=1e-5)


def test_a_wish_of_one_process_stops_all_after_the_same_step_and_the_run_goes_on_bit_for_bit(experiment, tmp_path):
    """Three processes, for the sum of two numbers does not depend on their order."""
    plan = experiment(images=72, batch=9, dropout=0.3)
    whole = together(3, steps, plan, tmp_path / "whole")
    stopped = together(3, steps, plan, tmp_path / "stopped", False, 27, 1)
    assert [[step.images_seen for step in each] for each in stopped] == [[9, 18, 27, 36]] * 3
    assert stopped[0][-1].checkpoint.name == "0000000036"
    resumed = together(3, steps, plan, tmp_path / "stopped", True)
    assert [step.loss for step in stopped[0] + resumed[0]] == [step.loss for step in whole[0]]
    assert_identical(tmp_path / "whole", tmp_path / "stopped")


def test_what_cannot_start_fails_for_all_and_is_said_once(experiment, tmp_path):
    first, second = together(2, steps, experiment(), tmp_path / "nothing", True)
    assert isinstance(first, BadInputError)
    assert "nothing to resume" in str(first)
    assert isinstance(second, PeerError)
    uneven = together(2, steps, experiment(batch=9), tmp_path / "uneven")[0]
    assert "batch 9 cannot be shared equally: make it a multiple of 2 (2 processes x accumulation 1)" in str(uneven)
    assert not (tmp_path / "uneven").exists()


def refused(data, out):
    main([*command(data, out), "--set", "evaluate_every=80"])


def test_what_the_dashboard_of_the_first_refuses_is_said_once(toys, tmp_path):
    """Fourteen pictures are too few to measure with; the second one does not end in a broken connection."""
    first, second = together(2, refused, toys, tmp_path / "run")
    assert isinstance(first, SystemExit)
    assert isinstance(second, SystemExit)
    assert (first.code, second.code) == (2, 1)
    assert not (tmp_path / "run").exists()


def test_divergence_ends_all_and_is_never_published(experiment, tmp_path):
    wild = experiment(images=80, checkpoint_every=8, optimizer=Optimizer(learning_rate=1e25))
    first, second = together(2, steps, wild, tmp_path / "run")
    assert isinstance(first, DivergedError)
    assert isinstance(second, DivergedError | PeerError)
    newest = newest_checkpoint(tmp_path / "run")
    assert newest is not None
    assert all(value.isfinite().all() for part in files(tmp_path / "run").values() for value in part.values())


def generated(model, out):
    main(["generate", "-o", str(out), "--model", str(model), "--count", "7", "--batch", "2", "--steps", "3"])


def test_processes_share_out_the_pictures_and_each_comes_out_the_same(experiment, tmp_path):
    """Trap 42: a picture depends on its seed and index, not on the process that makes it."""
    steps(experiment(images=8), tmp_path / "run")
    for world in (1, 2, 3):
        assert together(world, generated, tmp_path / "run", tmp_path / str(world)) == [None] * world
    expected = {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()}
    assert len(set(expected.values())) == 7
    for world in ("2", "3"):
        assert {path.name: path.read_bytes() for path in (tmp_path / world).iterdir()} == expected


SMALL = [
    "model.network.widths=[8,8]",
    "model.network.blocks=[1,1]",
    "model.network.attention=[]",
    "model.network.norm_groups=4",
    "model.network.resolution=8",
    "data.resolution=8",
    "precision=float32",
    "batch=8",
    "images=640",
    "checkpoint_every=80",
]


def command(data, out):
    settings = [part for setting in SMALL for part in ("--set", setting)]
    return ["train", "ddpm32", "--data", str(data), "--out", str(out), "--device", "cpu", *settings]


def trained(data, out):
    """The whole run, which nothing disturbs, and what it printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main(command(data, out))
    return said.getvalue()


@pytest.fixture
def launched(toys):
    """Starts two processes of the command line with torchrun; what still runs after the test is ended."""
    runs = []

    def launch(out, *options):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *options]
        train = ["-m", "ediffuser", *command(toys, out)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        printed = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        runs.append(subprocess.Popen([*torchrun, *train], env=environment, **printed))
        return runs[-1]

    yield launch
    for run in runs:
        if run.poll() is None:
            run.terminate()
        run.communicate(timeout=60)


def finished(run):
    """What it printed, once it has come to its end as it should."""
    said, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, said
    return said


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


def wait_for_checkpoint(out, images, run):
    until = time.monotonic() + PATIENCE_S
    while not any(int(path.name) >= images for path in checkpoints(out)):
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.01)


def process_of_rank(rank, run):
    """The process that torchrun told that it has this rank."""
    (found,) = [
        child for child in psutil.Process(run.pid).children(recursive=True) if child.environ().get("RANK") == str(rank)
    ]
    return found


def killed_at(launched, out, rank, images):
    """A run of which one process is killed once there is a checkpoint of so many images."""
    run = launched(out, "--max-restarts", "1")
    wait_for_checkpoint(out, images, run)
    process_of_rank(rank, run).kill()
    return finished(run)


def test_a_killed_process_ends_all_and_torchrun_starts_them_again_to_the_same_end(toys, launched, tmp_path):
    """T9 of the bars of reliability, once."""
    first, second = together(2, trained, toys, tmp_path / "whole")
    assert first.startswith("ddpm32: 640 images in batches of 8")
    assert second == ""
    said = killed_at(launched, tmp_path / "killed", rank=1, images=160)
    assert said.count("going on from checkpoint") == 1
    assert_identical(tmp_path / "whole", tmp_path / "killed")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


@pytest.mark.slow
def test_any_of_the_processes_may_be_killed_at_any_time(toys, launched, tmp_path):
    """T9: 20 kills of either process, at instants drawn from the whole run."""
    together(2, trained, toys, tmp_path / "whole")
    for number, images in enumerate(np.random.default_rng(0).integers(80, 480, 20)):
        out = tmp_path / f"killed-{number}"
        killed_at(launched, out, rank=number % 2, images=images)
        assert_identical(tmp_path / "whole", out)
        assert losses(out) == losses(tmp_path / "whole")
