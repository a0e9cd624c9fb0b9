"""The worker in a thread of the test, at the other end of its pipe."""

import base64
import io
import math
import threading
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe

import numpy as np
import pytest
import torch
from PIL import Image
from queue_tools import (
    IMAGE,
    STUB,
    add_image,
    data_directory,  # noqa: F401 - the fixture `data`
    expected_patches,
    options,
    photo_pixels,
    same,
    small_hole,
)

from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.editing import inpaint_photo
from ediffuser.model import Model, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Ancestral, Ddim, DpmAdaptive, ProbabilityFlow
from ediffuser.server import painters, storage
from ediffuser.server.messages import (
    Alive,
    Cancel,
    Finished,
    JobFailed,
    Previewed,
    Ready,
    Run,
    Stepped,
    Stop,
    WorkerSettings,
)
from ediffuser.server.painters import Frame, ModelPainter, StubPainter
from ediffuser.server.schemas import Box
from ediffuser.server.worker import Worker
from ediffuser.tasks import Inpainting


@contextmanager
def worker(data, painter, preview_seconds=0.0):
    """A worker at work; what it says is received here."""
    ours, theirs = Pipe()
    settings = WorkerSettings(data, preview_seconds=preview_seconds)
    crew = Worker(theirs, painter, settings)
    thread = threading.Thread(target=crew.run)
    thread.start()
    try:
        yield ours
    finally:
        ours.send(Stop())
        thread.join(30)
        assert not thread.is_alive()
        assert not crew._easels  # what has ended is forgotten
        assert not crew._rota
        ours.close()
        theirs.close()


def run_of(data, job, hole=None, client="anna", image=IMAGE, finished=(), **others):
    hole = small_hole() if hole is None else hole
    storage.write_mask(data, job, hole)
    return Run(job, client, image, options(**others), storage.box_of(hole), finished=finished)


def heard(pipe, count=1):
    """All that is said until so many variations are finished or jobs failed."""
    reports = []
    while count:
        assert pipe.poll(30)
        reports.append(pipe.recv())
        count -= isinstance(reports[-1], Finished | JobFailed)
    return reports


def patches(data, job, variations):
    return [np.asarray(Image.open(storage.patch_path(data, job, variation))) for variation in variations]


def of_kind(reports, kind):
    return [report for report in reports if isinstance(report, kind)]


def two_parts():
    """A hole that takes two squares."""
    hole = np.zeros((30, 40), bool)
    hole[3:6, 2:6] = hole[24:28, 33:38] = True
    return hole


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("hole", [small_hole(), two_parts()], ids=["one square", "two squares"])
def test_jobs_that_share_batches_are_painted_as_if_alone(data, rows, hole):
    with worker(data, StubPainter(STUB, rows)) as pipe:
        for number in range(3):
            pipe.send(run_of(data, f"job{number}", hole, client=f"client{number}", seed=number, variations=3))
        reports = heard(pipe, 9)
    for number in range(3):
        expected = expected_patches(photo_pixels(), hole, number, 3)
        assert same(patches(data, f"job{number}", range(3)), expected)
    assert len({(report.job, report.variation) for report in of_kind(reports, Finished)}) == 9


def test_a_job_gets_the_photos_texture_or_does_not_as_it_asks(data):
    grain = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    hole = np.zeros((90, 120), bool)
    hole[40:50, 50:62] = True
    found = {}
    for detail in (True, False):
        job = f"job-{detail}"
        with worker(data, StubPainter(replace(STUB, resolution=64), 2)) as pipe:
            image = add_image(data, grain, "g" if detail else "h")
            pipe.send(run_of(data, job, hole, image=image, seed=7, detail=detail))
            heard(pipe, 2)
        found[detail] = patches(data, job, range(2))
        assert same(found[detail], expected_patches(grain, hole, 7, 2, resolution=64, detail=detail))
    assert not same(found[True], found[False])


def test_what_is_finished_is_not_painted_again(data):
    with worker(data, StubPainter(STUB, 4)) as pipe:
        pipe.send(run_of(data, "job", variations=3, finished=(0, 2)))
        reports = heard(pipe)
    assert of_kind(reports, Finished) == [Finished("job", 1)]
    assert [path.name for path in (data / "jobs/job").glob("*.png")] == ["1.png"]


def test_steps_count_the_calls_of_all_squares(data):
    stub = replace(STUB, seconds=0.035)
    with worker(data, StubPainter(stub, 2)) as pipe:
        pipe.send(run_of(data, "job", two_parts(), variations=1))
        reports = heard(pipe)
    assert isinstance(reports[0], Ready)
    steps = [report.rows[0] for report in of_kind(reports, Stepped)]
    assert [(row.step, row.steps) for row in steps] == [(step, 6) for step in range(1, 7)]
    assert all(0.03 < report.seconds < 1 for report in of_kind(reports, Stepped))


def test_previews_come_with_the_first_call_and_show_the_square(data):
    with worker(data, StubPainter(STUB, 2)) as pipe:
        pipe.send(run_of(data, "job", variations=1))
        reports = heard(pipe)
    previews = of_kind(reports, Previewed)
    assert len(previews) == STUB.calls - 1
    preview = previews[0]
    picture = Image.open(io.BytesIO(base64.b64decode(preview.image.removeprefix("data:image/webp;base64,"))))
    assert picture.size == (8, 8)
    window = np.s_[preview.top : preview.top + preview.side, preview.left : preview.left + preview.side]
    assert photo_pixels()[window].shape == (preview.side, preview.side, 3)
    assert small_hole()[window].sum() == small_hole().sum()


def test_a_square_that_hangs_over_the_border_says_so(data):
    image = add_image(data, photo_pixels(64, 5), "n")
    with worker(data, StubPainter(STUB, 2)) as pipe:
        pipe.send(run_of(data, "job", np.ones((5, 64), bool), image=image, variations=1))
        reports = heard(pipe)
    assert all(preview.top < 0 <= preview.left for preview in of_kind(reports, Previewed))


class Gated:
    """The stub, which makes a call only when it is let."""

    device, rows = "stub", 2

    def __init__(self):
        self.stub = StubPainter(STUB, 2)
        self.calls = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)
        self.closed = 0

    def resolution(self, model):
        return self.stub.resolution(model)

    def framing(self, model):
        return "free"

    def paint(self, *batch):
        try:
            for frame in self.stub.paint(*batch):
                self.waits.release()
                assert self.calls.acquire(timeout=30)
                yield frame
        except GeneratorExit:
            self.closed += 1
            raise


def test_a_cancelled_row_runs_on_undelivered_and_its_neighbour_is_the_same(data):
    painter = Gated()
    with worker(data, painter) as pipe:
        for job, client in (("kept", "anna"), ("gone", "ben")):
            pipe.send(run_of(data, job, client=client, seed=4, variations=1))
            painter.waits.acquire(timeout=30)
            painter.calls.release(3 if job == "kept" else 1)
        # "kept" was alone in its batch; once more, together.
        heard(pipe)
        alone = patches(data, "kept", [0])
        pipe.send(Cancel("gone"))
        painter.calls.release(100)
        pipe.send(run_of(data, "again", client="anna", seed=4, variations=1))
        reports = heard(pipe)
    assert same(alone, patches(data, "again", [0]))
    assert of_kind(reports, Finished) == [Finished("again", 0)]
    assert not storage.patch_path(data, "gone", 0).exists()


def test_in_a_shared_batch_only_the_cancelled_job_is_dropped(data):
    painter = Gated()
    with worker(data, painter) as pipe:
        pipe.send(run_of(data, "first", client="cora", variations=1))
        painter.waits.acquire(timeout=30)
        pipe.send(run_of(data, "kept", client="anna", seed=1, variations=1))
        pipe.send(run_of(data, "gone", client="ben", seed=2, variations=1))
        painter.calls.release(STUB.calls + 1)  # all of "first", one of the others
        before = heard(pipe)
        for _ in range(STUB.calls + 1):
            painter.waits.acquire(timeout=30)  # the second call of the shared batch waits
        pipe.send(Cancel("gone"))
        painter.calls.release(100)
        reports = before + heard(pipe)
    together = [{row.job for row in report.rows} for report in of_kind(reports, Stepped)]
    assert of_kind(reports, Finished) == [Finished("first", 0), Finished("kept", 0)]
    assert together[-1] == {"kept"}
    assert painter.closed == 0
    assert same(patches(data, "kept", [0]), expected_patches(photo_pixels(), small_hole(), 1, 1))
    assert not storage.patch_path(data, "gone", 0).exists()


def test_a_batch_that_nobody_wants_is_dropped_within_one_call(data):
    painter = Gated()
    with worker(data, painter) as pipe:
        pipe.send(run_of(data, "gone", variations=4))
        painter.waits.acquire(timeout=30)
        pipe.send(Cancel("gone"))
        pipe.send(run_of(data, "next", variations=1))
        painter.calls.release(1)
        painter.waits.acquire(timeout=30)  # the next batch has begun
        assert painter.closed == 1
        painter.calls.release(100)
        reports = heard(pipe)
    assert of_kind(reports, Finished) == [Finished("next", 0)]
    assert all(row.job == "next" for report in of_kind(reports, Stepped) for row in report.rows)


def test_numbers_that_are_none_fail_their_job_alone(data):
    with worker(data, StubPainter(replace(STUB, nonfinite_seed=13), 2)) as pipe:
        pipe.send(run_of(data, "bad", client="anna", seed=13, variations=2))
        pipe.send(run_of(data, "good", client="ben", seed=1, variations=2))
        reports = heard(pipe, 3)
    assert [(report.job, report.kind) for report in of_kind(reports, JobFailed)] == [("bad", "model-nonfinite")]
    assert {report.job for report in of_kind(reports, Finished)} == {"good"}
    assert not list((data / "jobs/bad").glob("*.png"))


def test_what_cannot_be_painted_is_said(data):
    gone = IMAGE.model_copy(update={"id": "g" * 22})
    with worker(data, StubPainter(STUB, 2)) as pipe:
        pipe.send(run_of(data, "gone", image=gone))
        (failed,) = of_kind(heard(pipe), JobFailed)
        assert failed.kind == "image-gone"
        storage.remove_job(data, "pruned")
        pipe.send(Run("pruned", "anna", IMAGE, options(), Box(left=0, top=0, width=1, height=1)))
        assert of_kind(heard(pipe), JobFailed)
        pipe.send(run_of(data, "fine", variations=1))
        assert of_kind(heard(pipe), Finished)


def test_a_disk_that_is_full_fails_the_job_without_naming_a_path(data, monkeypatch):
    def full(path, content):
        raise BadInputError(f"cannot write {path}")

    with worker(data, StubPainter(STUB, 2)) as pipe, monkeypatch.context() as patched:
        patched.setattr("ediffuser.server.easel.write_atomically", full)
        pipe.send(run_of(data, "job", variations=2))
        (failed,) = of_kind(heard(pipe), JobFailed)
    assert failed.kind == "storage-full"
    assert str(data) not in failed.title


def test_a_worker_without_work_says_that_it_lives_and_leaves_with_the_server(data, monkeypatch):
    monkeypatch.setattr("ediffuser.server.worker.IDLE_SECONDS", 0.01)
    ours, theirs = Pipe()
    crew = Worker(theirs, StubPainter(STUB, 2), WorkerSettings(data))
    left = []

    def run():
        with pytest.raises((EOFError, ConnectionError)) as end:
            crew.run()
        left.append(end)

    thread = threading.Thread(target=run)
    thread.start()
    assert isinstance(ours.recv(), Ready)
    assert isinstance(ours.recv(), Alive)
    ours.close()
    thread.join(30)
    assert left
    theirs.close()


class TinyModels:
    """An untrained network of 16 x 16 pixels: it paints rubbish, but through the real samplers."""

    def __init__(self, spoil=None):
        network = UNetConfig(
            resolution=16, in_channels=3 + Inpainting().condition_channels, widths=(8, 8), blocks=(1, 1), norm_groups=4
        )
        config = ModelConfig(network=network, schedule=CosineBetas(), task=Inpainting())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            built = network.build().eval().requires_grad_(False)
        for parameter in built.parameters():
            if spoil is not None or not parameter.any():
                parameter.data.fill_(spoil or 0.05)
        self.model = Model(config, built, torch.device("cpu"), torch.float32)

    def __call__(self, name, device="auto", precision="auto"):
        return self.model


@pytest.fixture
def tiny(monkeypatch):
    models = TinyModels()
    monkeypatch.setattr(painters, "load", models)
    return models.model


def levels_apart(some, others):
    return max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(some, others, strict=True))


SAMPLERS = [Ddim(steps=3, eta=1.0), Ancestral(steps=4), ProbabilityFlow(tolerance=0.1), DpmAdaptive(tolerance=0.3)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_a_model_paints_the_same_alone_in_company_and_in_inpaint_photo(data, tiny, sampler):
    hole, image = two_parts(), Image.fromarray(photo_pixels())
    expected = inpaint_photo(tiny, image, Image.fromarray(hole), variations=3, seed=5, sampler=sampler)
    box = storage.box_of(hole)
    window = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    found = {}
    for rows in (1, 4):
        painter = ModelPainter(WorkerSettings(data, batch_rows=rows))
        with worker(data, painter) as pipe:
            for job, client, seed in ((f"a{rows}", "anna", 5), (f"b{rows}", "ben", 6)):
                pipe.send(run_of(data, job, hole, client=client, seed=seed, variations=3, sampler=sampler))
            heard(pipe, 6)
        found[rows] = patches(data, f"a{rows}", range(3))
        assert levels_apart(found[rows], [np.asarray(picture)[window] for picture in expected]) <= 1
        assert levels_apart(found[rows], found[1]) <= 1
    assert levels_apart(found[1][:1], found[1][1:2]) > 1
    assert levels_apart(found[1], patches(data, "b1", range(3))) > 1


@pytest.mark.parametrize("spoil", [math.nan, 1e30])
def test_a_model_that_gives_no_numbers_fails_though_samplers_clip(data, monkeypatch, spoil):
    monkeypatch.setattr(painters, "load", TinyModels(spoil))
    with worker(data, ModelPainter(WorkerSettings(data))) as pipe:
        pipe.send(run_of(data, "job", variations=1))
        (failed,) = of_kind(heard(pipe), JobFailed)
    assert failed.kind == "model-nonfinite"


def test_models_and_samplers_that_do_not_suit_are_refused(data, tiny):
    with worker(data, ModelPainter(WorkerSettings(data))) as pipe:
        pipe.send(run_of(data, "unknown", model="../../etc"))
        pipe.send(run_of(data, "steps", sampler=Ddim(steps=5000)))
        reports = heard(pipe, 2)
    failed = {report.job: report for report in of_kind(reports, JobFailed)}
    assert {report.kind for report in failed.values()} == {"unusable-options"}
    assert "5000 steps" in failed["steps"].title
    assert "photos-128" in failed["unknown"].title


def test_few_models_are_kept(data, monkeypatch):
    models = TinyModels()
    loaded = []

    def load(name, **_):
        loaded.append(name)
        return models.model

    monkeypatch.setattr(painters, "load", load)
    monkeypatch.setattr(painters.zoo, "entries", lambda: [type("E", (), {"name": name}) for name in "abc"])
    painter = ModelPainter(WorkerSettings(data, model="a"))
    for name in "abbcacab":
        assert painter.resolution(name) == 16
    assert loaded == ["a", "b", "c", "a", "b"]


def test_a_frame_is_what_a_painter_gives():
    frame = next(StubPainter(STUB, None).paint("any", Ddim(), [], [(0, 0)]))
    assert isinstance(frame, Frame)
    assert (frame.calls, frame.total, frame.finite) == (1, STUB.calls, (True,))
