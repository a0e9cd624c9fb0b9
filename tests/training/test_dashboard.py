"""What is shown of a run, and that showing it changes nothing."""

import dataclasses
import json
import signal
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.cli.train import train as train_command
from ediffuser.data import ImageFolder
from ediffuser.data.pictures import FilePictures
from ediffuser.diffusion.losses import Hybrid
from ediffuser.evaluation import distribution
from ediffuser.recipes import RECIPES
from ediffuser.runtime.checkpoint import newest_checkpoint, read_checkpoint, tensors_from_bytes
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.distributed import processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.signals import Stop
from ediffuser.tasks import Colorization, Inpainting, Unconditional
from ediffuser.training import Experiment, evaluation, train
from ediffuser.training.dashboard import Dashboard, TensorBoard, figures, record, starvation
from ediffuser.training.evaluation import Evaluation
from ediffuser.training.loop import TrainingStep
from ediffuser.training.previews import Previews, grid
from ediffuser.training.state import TrainingState
from several import together

pytestmark = pytest.mark.integration


def step(images_seen, **changes):
    values = {"loss": 1.0, "gradient_norm": 2.0, "learning_rate": 1e-3, "seconds": 1.0, "step_seconds": 0.5}
    return TrainingStep(images_seen, **(values | changes))


def run(plan, directory, *sinks, stop_at=None, resume=False):
    steps = []
    with Dashboard(plan, directory, sinks) as dashboard:
        for one in train(plan, directory, device="cpu", resume=resume):
            dashboard.take(one)
            steps.append(one)
            if one.images_seen == stop_at:
                break
    return steps


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self):
        self.values, self.pictures = [], []

    def scalars(self, values, images_seen):
        self.values.append((images_seen, values))

    def picture(self, name, pixels, images_seen):
        self.pictures.append((images_seen, name))

    def close(self):
        pass


def events(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(directory))
    found.Reload()
    return found


def saved(directory):
    path = newest_checkpoint(directory)
    names = ("model.safetensors", "training.safetensors")
    content = read_checkpoint(path, names)
    return {
        f"{name} {key}": value for name in names for key, value in tensors_from_bytes(content[name], name, path).items()
    }


@pytest.mark.parametrize("task", [Unconditional(), Inpainting(), Colorization()], ids=lambda task: task.kind)
def test_a_run_with_previews_ends_bit_for_bit_like_one_without(experiment, tmp_path, task):
    """With dropout, which follows the global seed, and a caller who draws from the global stream as well."""
    plan = experiment(task, images=32, sample_size=4)
    plain = run(plan, tmp_path / "plain")
    watched = run(dataclasses.replace(plan, sample_every=8), tmp_path / "watched", TensorBoard(tmp_path / "events"))
    assert watched[-1].loss == plain[-1].loss
    expected, found = saved(tmp_path / "plain"), saved(tmp_path / "watched")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert [path.name for path in sorted((tmp_path / "watched" / "samples").iterdir())] == [
        f"{images:010d}.png" for images in (8, 16, 24, 32)
    ]
    assert not (tmp_path / "plain" / "samples").exists()


def test_a_preview_draws_nothing_from_the_global_stream_and_leaves_the_network_in_its_mode(experiment):
    plan = experiment(Inpainting(), sample_every=8, sample_size=3)
    state = TrainingState.start(plan, torch.device("cpu"))
    state.network.train()
    before, previews = torch.get_rng_state(), Previews.open(plan)
    first = previews.paint(state.average)
    assert torch.equal(torch.get_rng_state(), before)
    assert state.network.training
    assert not state.average.training
    assert np.array_equal(first, previews.paint(state.average))
    assert np.array_equal(first, Previews.open(plan).paint(state.average))
    with torch.no_grad():
        for weight in state.average.parameters():
            weight.add_(0.1)
    assert not np.array_equal(first, previews.paint(state.average))


def test_a_grid_of_inpainting_shows_what_is_given_what_is_painted_and_the_original(experiment, toys):
    plan = experiment(Inpainting(), sample_every=8, sample_size=1, held_out=ImageFolder(path=str(toys), resolution=8))
    previews = Previews.open(plan)
    assert previews.name == "inpainting of held-out pictures"
    assert Previews.open(dataclasses.replace(plan, held_out=None)).name == "inpainting of training pictures"
    pixels = previews.paint(TrainingState.start(plan, torch.device("cpu")).average)
    given, painted, original = (pixels[:, left : left + 8] for left in (0, 10, 20))
    hole = previews.holes[0, 0].numpy() == 1
    assert 0 < hole.sum() < 64
    assert (given[hole] == 128).all()
    for picture in (given, painted):
        assert np.array_equal(picture[~hole], original[~hole])
    assert not np.array_equal(painted[hole], original[hole])
    assert np.array_equal(original, np.asarray(Image.open(toys / "0.png")))


def test_a_grid_puts_pictures_in_rows_on_white():
    colours = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1).expand(3, 1, 2, 2)
    pixels = grid(colours, 2)
    assert pixels.shape == (6, 6, 3)
    assert (pixels[:2, :2] == 0).all()
    assert (pixels[:2, 4:] == 128).all()
    assert (pixels[2:4] == 255).all()


def test_tensorboard_has_the_figures_and_the_grids(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr("ediffuser.training.dashboard.POINT_EVERY_S", float("inf"))  # one point, at the end
    plan = experiment(images=16, objective=Hybrid(), parametrisation="eps", sample_every=16, sample_size=4)
    steps = run(plan, tmp_path / "run", TensorBoard(tmp_path / "events"))
    found = events(tmp_path / "events")
    tags = found.Tags()
    assert {"loss", "loss_simple", "loss_vlb", "gradient_norm", "learning_rate"} <= set(tags["scalars"])
    assert {"images_per_second", "data_wait", "peak_memory_bytes"} <= set(tags["scalars"])
    assert tags["images"] == ["samples"]
    assert found.Images("samples")[0].step == 16
    (point,) = found.Scalars("loss")
    assert point.step == 16
    assert point.value == pytest.approx(np.mean([one.loss for one in steps]))
    with Image.open(tmp_path / "run" / "samples" / "0000000016.png") as picture:
        assert picture.size == (18, 18)


def test_a_resumed_run_goes_on_with_its_curves_and_steps_that_are_done_again_count_once(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr("ediffuser.training.dashboard.POINT_EVERY_S", 0.0)
    plan = experiment(images=40, checkpoint_every=16)
    run(plan, tmp_path / "run", TensorBoard(tmp_path / "events"), stop_at=24)
    run(plan, tmp_path / "run", TensorBoard(tmp_path / "events"), resume=True)
    assert [point.step for point in events(tmp_path / "events").Scalars("loss")] == [8, 16, 24, 32, 40]


def test_without_tensorboard_a_sentence_and_the_log_alone(experiment, toys, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(BadInputError, match=r"TensorBoard is not installed; pip install 'ediffuser\[train\]' adds it"):
        TensorBoard(tmp_path)
    monkeypatch.setitem(RECIPES, "toy", lambda: experiment(images=16))
    train_command("toy", str(toys), tmp_path / "run", device="cpu")
    said = capsys.readouterr().out
    assert said.count("TensorBoard is not installed") == 1
    assert "training goes on with log.jsonl alone" in said
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 2


def test_a_run_goes_on_where_its_dashboard_cannot_be_written(experiment, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("ediffuser.training.dashboard.POINT_EVERY_S", float("inf"))

    class FullDisk:
        calls = 0

        def scalars(self, values, images_seen):
            FullDisk.calls += 1
            raise OSError(28, "No space left on device")

        def picture(self, name, pixels, images_seen):
            FullDisk.calls += 1

        def close(self):
            FullDisk.calls += 1

    plan = experiment(images=16, sample_every=8, sample_size=1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").write_text("in the way")
    assert len(run(plan, tmp_path / "run", FullDisk())) == 2
    assert FullDisk.calls == 3  # two grids, and the figures at the end; it is not closed, for it is gone
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert sum("a grid of samples is left out" in line for line in said) == 2
    assert sum("FullDisk is fed no more, training goes on" in line for line in said) == 1


def test_a_trainer_starved_on_purpose_says_so(experiment, toys, tmp_path, monkeypatch, capsys):
    quick = FilePictures.batch

    def slow(self, indices):
        time.sleep(0.3)
        return quick(self, indices)

    monkeypatch.setitem(RECIPES, "toy", lambda: experiment(images=48))
    train_command("toy", str(toys), tmp_path / "fed", device="cpu")
    monkeypatch.setattr(FilePictures, "batch", slow)
    capsys.readouterr()
    train_command("toy", str(toys), tmp_path / "starved", device="cpu")
    said = capsys.readouterr().out
    fed, starved = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("fed", "starved")
    )
    assert "waiting for data took" in said
    assert "% of the time" in said
    assert np.median([line["data_wait"] for line in starved]) > 0.2
    assert np.median([line["data_wait"] for line in fed]) < np.median([line["data_wait"] for line in starved])
    assert all(line["data_wait_seconds"] <= line["step_seconds"] for line in fed + starved)
    assert sum(line["step_seconds"] for line in starved) == pytest.approx(starved[-1]["seconds"])


@pytest.mark.parametrize(("wait", "says"), [(0.05, False), (0.1, False), (0.11, True), (0.5, True)])
def test_a_fifth_of_the_time_is_the_bound_of_what_is_said(wait, says):
    sentence = starvation([step(8, data_wait=wait), step(16, data_wait=wait)])
    assert (sentence is not None) == says
    if says:
        assert f"waiting for data took {2 * wait:.0%} of the time" in sentence


def test_the_figures_of_several_steps_are_means_and_rates_of_them_together():
    steps = [
        step(8, loss=1.0, parts={"simple": 1.0, "vlb": 3.0}, step_seconds=1.0, data_wait=0.5, peak_memory_bytes=10),
        step(16, loss=2.0, parts={"simple": 2.0, "vlb": 5.0}, step_seconds=3.0, data_wait=0.5, peak_memory_bytes=20),
    ]
    values = figures(steps, 8)
    assert values["loss"] == 1.5
    assert (values["loss_simple"], values["loss_vlb"]) == (1.5, 4.0)
    assert values["images_per_second"] == 4.0
    assert values["data_wait"] == 0.25
    assert values["peak_memory_bytes"] == 20


def test_the_log_holds_every_figure_of_a_step_and_the_parts_make_the_loss(experiment, tmp_path):
    plan = experiment(images=16, objective=Hybrid(), parametrisation="eps")
    *_, last = run(plan, tmp_path / "run")
    line = json.loads(json.dumps(record(last, plan.batch)))
    assert line["loss"] == pytest.approx(line["loss_simple"] + 0.001 * line["loss_vlb"], rel=1e-5)
    assert line["images_per_second"] == pytest.approx(8 / line["step_seconds"])
    assert line["peak_memory_bytes"] > 50e6  # a process with PyTorch
    assert line["checkpoint"] == str(last.checkpoint)
    assert line["images_seen"] == 16


def test_an_experiment_written_before_there_were_previews_still_loads(experiment):
    plan = experiment()
    text = json.loads(to_json(plan, Experiment))
    for name in ("sample_every", "sample_size", "held_out"):
        del text[name]
    assert from_json(json.dumps(text), Experiment) == plan
    assert plan.sample_every == 0


def test_held_out_pictures_of_another_size_are_refused(experiment, toys):
    with pytest.raises(ValueError, match="held_out pictures of 16 pixels do not fit a network of 8"):
        experiment(held_out=ImageFolder(path=str(toys), resolution=16))


EVALUATED = {"images": 32, "evaluate_every": 16, "evaluate_count": 12}


@pytest.fixture
def few(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("ediffuser.training.evaluation.FEWEST", 8)
    monkeypatch.setattr("ediffuser.evaluation.distribution.FEWEST_IN_A_SPLIT", 1)


@pytest.mark.parametrize("task", [Unconditional(), Inpainting(), Colorization()], ids=lambda task: task.kind)
def test_a_run_is_measured_where_that_is_due_and_ends_as_without_it(experiment, tmp_path, few, task):
    kept = Kept()
    run(experiment(task, **EVALUATED), tmp_path / "measured", kept)
    run(experiment(task, images=32), tmp_path / "bare")
    lines = [json.loads(line) for line in (tmp_path / "measured" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == [16, 32]
    assert lines[0]["what"].startswith("12 pictures against as many training ones, EfficientNet-Lite0")
    assert lines[0]["KD"] != lines[1]["KD"]
    assert 1 <= lines[0]["IS (efficientnet-lite0)"] < 12
    shown = [(images, values) for images, values in kept.values if "evaluation/KD" in values]
    assert [(images, values["evaluation/KD"]) for images, values in shown] == [
        (16, lines[0]["KD"]),
        (32, lines[1]["KD"]),
    ]
    bare = saved(tmp_path / "bare")
    assert all(torch.equal(bare[name], value) for name, value in saved(tmp_path / "measured").items())


def test_a_resumed_run_measures_the_same_and_nothing_twice(experiment, tmp_path, few):
    plan = experiment(**EVALUATED, checkpoint_every=8)
    run(plan, tmp_path / "whole")
    run(plan, tmp_path / "parted", stop_at=24)
    run(plan, tmp_path / "parted", resume=True)
    texts = [(tmp_path / name / "evaluations.jsonl").read_text() for name in ("whole", "parted")]
    assert texts[0] == texts[1]


def test_too_few_pictures_to_measure_with_are_refused_before_the_run(experiment, tmp_path):
    with pytest.raises(BadInputError, match="figures of at least 20 pictures, not of 12: raise evaluate_count"):
        run(experiment(**EVALUATED), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_who_waits_for_the_run_to_stop_does_not_wait_for_figures(experiment, tmp_path, few):
    plan, stop = experiment(**EVALUATED, sample_every=16), Stop()
    stop.signal = signal.SIGTERM
    with Dashboard(plan, tmp_path / "run", stop=stop) as dashboard:
        for one in train(plan, tmp_path / "run", device="cpu", stop=None):
            dashboard.take(one)
    assert not (tmp_path / "run" / "evaluations.jsonl").exists()
    assert not (tmp_path / "run" / "samples").exists()


class SoonStopped:
    """A wish that comes while something is under way."""

    asked = 0

    def __bool__(self):
        self.asked += 1
        return self.asked == 3


def test_figures_that_are_being_made_are_left_when_the_run_is_to_stop(experiment, few):
    plan, stop = experiment(**EVALUATED), SoonStopped()
    average = TrainingState.start(plan, torch.device("cpu")).average
    assert Evaluation.open(plan, torch.device("cpu")).measure(average, stop) == {}
    assert stop.asked == 3


@pytest.mark.parametrize("task", [Unconditional(), Inpainting(), Colorization()], ids=lambda task: task.kind)
def test_a_grid_that_is_being_painted_is_left_when_the_run_is_to_stop(experiment, task):
    plan = experiment(task, sample_every=8, sample_size=3)
    stop, average = SoonStopped(), TrainingState.start(plan, torch.device("cpu")).average
    assert Previews.open(plan).paint(average, stop) is None
    assert stop.asked == 3
    assert Previews.open(plan).paint(average, Stop()) is not None


def test_figures_and_a_grid_that_a_kill_prevented_are_made_after_the_first_step_of_the_next_process(
    experiment, tmp_path, few
):
    plan = experiment(**EVALUATED, sample_every=16, sample_size=2, checkpoint_every=16)
    for one in train(plan, tmp_path / "run", device="cpu"):  # nobody looks at it
        if one.images_seen == 16:
            break
    run(plan, tmp_path / "run", resume=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == [24, 32]
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == [
        "0000000024.png",
        "0000000032.png",
    ]


def measured_together(plan, directory):
    # in a process of its own, where `few` changes nothing: three batches for two
    evaluation.BATCH, evaluation.FEWEST, distribution.FEWEST_IN_A_SPLIT = 5, 8, 1
    with processes() as group:
        dashboard = Dashboard(plan, directory, group=group)
        for one in train(plan, directory, device="cpu", group=group):
            dashboard.take(one)


def test_two_processes_share_the_measuring_and_find_what_one_finds(experiment, tmp_path, few, monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH", 5)
    plan = experiment(**EVALUATED, dropout=0.0)
    run(plan, tmp_path / "one")
    together(2, measured_together, plan, tmp_path / "two")
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "evaluations.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    for line, other in zip(one, two, strict=True):
        assert other.pop("what") == line.pop("what")
        assert other == pytest.approx(line, rel=1e-3, abs=1e-6)
