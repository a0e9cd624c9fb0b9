"""Signals, locks and numbers that are none: how a run ends, with which exit code, and what it leaves."""

import errno
import os
import random
import signal

import pytest
from faults import Run, SlowWrites, SpoiledAverage, SpoiledLoss, code

from ediffuser.model import load_checkpoint
from ediffuser.runtime.checkpoint import checkpoints, newest_checkpoint
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.lock import only_one
from ediffuser.training.checkpoints import newest_sound

pytestmark = pytest.mark.integration
ENDS = {signal.SIGTERM: 0, signal.SIGUSR1: 0, signal.SIGUSR2: 0, signal.SIGINT: 130}


@pytest.fixture
def plan(experiment):
    return experiment(images=160, widths=(4, 4), batch=4, checkpoint_every=40)


def stop_often(plan, folder, stops, seed):
    """Stops a run by signals at random instants until it ends; each stop saves the step before it."""
    chance, run, stopped, number = random.Random(seed), None, 0, 0
    whole = Run(plan, folder / "whole")
    assert whole.finish() == 0, whole.output()
    while stopped < stops:
        run, number = Run(plan, folder / f"run{number}"), number + 1
        while stopped < stops:
            process = run.start(fault=SlowWrites(0.002))
            run.wait_for_steps(process, chance.randrange(4))
            process.join(chance.uniform(0, 0.1))
            kind = chance.choice(list(ENDS))
            if not process.is_alive():
                break
            process_before = run.reached()
            signal_to(process, kind)
            ended = code(process)
            if "stopped by" not in run.output() and ended == 0:
                assert process_before >= plan.images - 2 * plan.batch, f"{kind!r} was not heard"
                break  # it was at its end already
            assert ended == ENDS[kind], run.output()
            assert int(newest_sound(run.out)[0].name) == run.reached() >= process_before
            stopped += 1
        assert run.finish() == 0, run.output()
        assert run.losses() == whole.losses()
        assert run.hashes() == whole.hashes()
    print(f"{stopped} stops in {number} runs: each saved its step, each run ends like the whole")  # noqa: T201 - shown by -s, the result of the long variant


def signal_to(process, number):
    os.kill(process.pid, number)


def test_a_run_stopped_8_times_saves_each_time_and_ends_like_one_that_was_not(plan, tmp_path):
    stop_often(plan, tmp_path, 8, seed=0)


@pytest.mark.slow
def test_a_run_stopped_50_times_saves_each_time_and_ends_like_one_that_was_not(plan, tmp_path):
    stop_often(plan, tmp_path, 50, seed=1)


def test_a_second_interrupt_ends_at_once_and_leaves_no_half_checkpoint(plan, tmp_path):
    run = Run(plan, tmp_path / "run")
    process = run.start(fault=SlowWrites(0.2))  # seconds for a checkpoint
    run.wait_for_steps(process, 1)
    signal_to(process, signal.SIGINT)
    process.join(1.5)
    assert process.is_alive()
    signal_to(process, signal.SIGINT)
    assert code(process) == 130
    assert run.output().splitlines()[-1] == "ediffuser: interrupted"
    assert not run.leftovers()
    assert not checkpoints(run.out)


def test_a_run_has_one_trainer_and_kill_9_frees_it(plan, tmp_path):
    run, second = Run(plan, tmp_path / "run"), Run(plan, tmp_path / "run")
    second.said = tmp_path / "second.txt"
    process = run.start()
    run.wait_until_training(process)
    signal_to(process, signal.SIGSTOP)  # it holds the run for as long as the others take
    for _ in range(3):
        assert second.finish(resume=False) == 2
        assert f"{tmp_path / 'run'} is being trained by another process (process {process.pid} on " in second.output()
    process.kill()
    process.join()
    assert run.finish() == 0, run.output()


def test_20_who_would_hold_a_directory_that_is_held_are_refused(tmp_path):
    with only_one(tmp_path):
        for _ in range(20):
            with pytest.raises(BadInputError, match="is being trained by another process"), only_one(tmp_path):
                pass
    with only_one(tmp_path):
        pass


def test_a_disk_without_locks_is_bad_input(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(BadInputError, match=r"cannot lock .*\.lock: No locks available; choose"), only_one(tmp_path):
        pass


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_at_its_step_with_code_3(plan, tmp_path, value):
    run = Run(plan, tmp_path / "run")
    assert run.finish(fault=SpoiledLoss(13, value)) == 3
    assert run.output().splitlines()[-1].startswith("ediffuser: training diverged after 48 images: loss ")
    assert run.reached() == 48
    assert [int(path.name) for path in checkpoints(run.out)] == [40]
    load_checkpoint(newest_checkpoint(run.out), "cpu", "float32")  # refuses what is not finite
    assert run.finish() == 0, run.output()


def test_an_average_that_is_not_finite_is_never_published(plan, tmp_path):
    """Loss and gradient of the step are finite; what is saved is looked at too."""
    run = Run(plan, tmp_path / "run")
    assert run.finish(fault=SpoiledAverage(12)) == 3
    last = run.output().splitlines()[-1]
    assert last.startswith("ediffuser: training diverged after 80 images: average.")
    assert [int(path.name) for path in checkpoints(run.out)] == [40]
    assert not run.leftovers()
