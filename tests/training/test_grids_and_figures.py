"""How a run's grids are painted and its figures measured: in small batches, and without a run's end if that fails."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ediffuser.evaluation.kid import kernel_distance
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.reference import Reference
from ediffuser.evaluation.sets import OF_FREE_SETS, halves
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.signals import Stop
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.training import previews, train
from ediffuser.training.dashboard import Dashboard
from ediffuser.training.evaluation import Evaluation
from ediffuser.training.previews import Previews
from ediffuser.training.state import TrainingState

pytestmark = pytest.mark.integration
TASKS = pytest.mark.parametrize("task", [Unconditional(), Inpainting(), Colorization()], ids=lambda task: task.kind)


@TASKS
def test_a_grid_is_painted_in_batches_and_its_pictures_do_not_depend_on_them(experiment, monkeypatch, task):
    plan = experiment(task, sample_every=8, sample_size=7)
    average, rows, shown = TrainingState.start(plan, torch.device("cpu")).average, [], Previews.open(plan)
    painted = previews.painted_rows
    monkeypatch.setattr(
        previews, "painted_rows", lambda model, keys, *given: rows.append(keys) or painted(model, keys, *given)
    )
    whole = shown.paint(average)
    monkeypatch.setattr(previews, "BATCH", 3)
    parts = shown.paint(average)
    assert [len(keys) for keys in rows] == [7, 3, 3, 1]
    assert rows[0] == rows[1] + rows[2] + rows[3]
    assert whole.shape == parts.shape
    assert np.abs(whole.astype(int) - parts).max() <= 1  # the order of sums


def test_64_pictures_take_four_batches(experiment, monkeypatch):
    plan, counts = experiment(sample_every=8, sample_size=64), []
    blank = SimpleNamespace(x=torch.zeros(16, 3, 8, 8))
    monkeypatch.setattr(previews, "painted_rows", lambda model, keys, *_: counts.append(len(keys)) or iter([blank]))
    Previews.open(plan).paint(TrainingState.start(plan, torch.device("cpu")).average)
    assert counts == [16] * 4


def test_a_wish_to_stop_is_heard_in_a_later_batch(experiment, monkeypatch):
    plan, stop = experiment(sample_every=8, sample_size=4), Stop()
    average, painted = TrainingState.start(plan, torch.device("cpu")).average, previews.painted_rows

    def soon_stopped(model, keys, *given):
        if keys[0][1] == 2:
            stop.signal = signal.SIGTERM
        return painted(model, keys, *given)

    monkeypatch.setattr(previews, "BATCH", 2)
    monkeypatch.setattr(previews, "painted_rows", soon_stopped)
    assert Previews.open(plan).paint(average, stop) is None


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), OSError("gone"), BadInputError("no such sampler")])
def test_a_grid_that_cannot_be_painted_is_left_out_and_said(experiment, tmp_path, monkeypatch, caplog, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(Previews, "paint", failing)
    plan = experiment(images=24, sample_every=16)
    with Dashboard(plan, tmp_path / "run") as dashboard:
        for step in train(plan, tmp_path / "run", device="cpu"):
            dashboard.take(step)
    assert step.images_seen == 24
    lines = [line.message for line in caplog.records if line.levelname == "WARNING"]
    assert lines == [f"a grid of samples is left out: {error}; training goes on"] * 2
    assert not (tmp_path / "run" / "samples").exists()


@TASKS
def test_no_result_is_compared_with_its_own_original(experiment, task):
    noise = torch.Generator().manual_seed(0)
    real, made = torch.randn(40, 6, generator=noise), torch.randn(40, 6, generator=noise)
    features = SimpleNamespace(dimensions=6, name="noise", family="noise", sha256="0")
    reference = Reference(Moments.of(real), real, "0")
    evaluation = Evaluation(experiment(task), None, 40, features, reference, None)
    found = evaluation._figures(torch.cat([made, torch.zeros(40, 1)], dim=1))
    originals, results = halves(40)
    if isinstance(task, Unconditional):
        assert set(found) == {"KD", *OF_FREE_SETS}
        assert found["KD"] == pytest.approx(kernel_distance(real, made)[0])
    else:
        assert set(found) == {"KD"}
        assert found["KD"] == pytest.approx(kernel_distance(real[originals], made[results])[0])
