"""kill -9 at any instant: the run directory stays usable, and the resumed run is the uninterrupted one (trap 39)."""

import itertools
import random

import pytest
from faults import Run, SlowWrites, code

from ediffuser.training.checkpoints import newest_sound

pytestmark = pytest.mark.integration
BATCH, EVERY, STEPS = 4, 16, 60


@pytest.fixture
def plan(experiment):
    """Sixty steps with dropout, a checkpoint every four."""
    return experiment(images=STEPS * BATCH, widths=(4, 4), batch=BATCH, checkpoint_every=EVERY)


def kill_often(plan, folder, kills, seed):
    """Trains runs to their end, killing whoever trains, until there were so many kills.

    Returns the runs, and how many kills fell into the writing of a checkpoint.
    """
    chance, runs, within, killed = random.Random(seed), [], 0, 0
    while killed < kills:
        run = Run(plan, folder / f"run{len(runs)}")
        runs.append(run)
        while killed < kills:
            process = run.start(fault=SlowWrites(seconds=0.03))
            if chance.random() < 0.5:
                run.wait_until_saving(process)
            else:
                run.wait_for_steps(process, chance.randrange(EVERY // BATCH))
            process.join(chance.uniform(0, 0.2))
            if not process.is_alive():
                assert code(process) == 0, run.output()
                break
            process.kill()
            process.join()
            killed += 1
            within += bool(run.leftovers())
            if run.reached() >= EVERY:
                newest, _, faults = newest_sound(run.out)
                assert not faults
                assert run.reached() - int(newest.name) < EVERY, "more than an interval is lost"
    assert runs[-1].finish() == 0, runs[-1].output()
    return runs, within


def check_that_kills_change_nothing(plan, folder, kills, seed):
    whole = Run(plan, folder / "whole")
    assert whole.finish() == 0, whole.output()
    assert list(whole.losses()) == list(itertools.accumulate([BATCH] * STEPS))
    runs, within = kill_often(plan, folder, kills, seed)
    for run in runs:
        assert run.losses() == whole.losses()
        assert run.hashes() == whole.hashes()
        assert not run.leftovers()
    print(f"{kills} kills, {within} of them within a checkpoint's writing, in {len(runs)} runs: all end like the whole")  # noqa: T201 - shown by -s, the result of the long variant
    return within


def test_a_run_killed_20_times_ends_like_one_that_was_not(plan, tmp_path):
    assert check_that_kills_change_nothing(plan, tmp_path, 20, seed=1) >= 2


@pytest.mark.slow
def test_a_run_killed_100_times_ends_like_one_that_was_not(plan, tmp_path):
    assert check_that_kills_change_nothing(plan, tmp_path, 100, seed=0) >= 20
