"""kill -9 at any instant, and any number of processes: the evaluation's files are the same bytes."""

import random

import pytest
from evaluations import Killable, evaluated

from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.record import Record
from ediffuser.tasks import Inpainting
from several import together

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def arguments(trained, photos):
    """Ten pictures, two kinds of holes, two methods, batches of two: 21 pieces without a network that looks at them."""
    few = ["--count", "10", "--batch", "2", "--holes", "box,thin", "--baselines", "telea", "--variations", "2"]
    plain = ["--features", "none", "--distance", "none", "--sampler", "ddim steps=2 eta=1", "--device", "cpu"]
    return (str(trained(Inpainting())), "--data", str(photos), "--task", "inpainting", *few, *plain)


@pytest.fixture(scope="module")
def whole(arguments, tmp_path_factory):
    run = Killable(arguments, tmp_path_factory.mktemp("whole") / "run")
    assert run.finish() == 0
    return run.content()


def kill_often(arguments, folder, kills, seed):
    """Kills whoever evaluates at seeded instants until there were so many kills.

    Returns the finished runs; prints how many kills fell within a write.
    """
    chance, runs, within, killed = random.Random(seed), [], 0, 0
    while killed < kills:
        run = Killable(arguments, folder / f"run{len(runs)}")
        runs.append(run)
        while killed < kills:
            process = run.start(pause_s=0.03)
            run.wait_until_working(process)
            if chance.random() < 0.5:
                process.join(chance.uniform(0, 0.4))
            else:
                run.wait_until_writing(process, chance.randrange(3))
            if not process.is_alive():
                assert process.exitcode == 0
                break
            process.kill()
            process.join()
            killed += 1
            within += bool(run.leftovers())
            if (run.out / "plan.json").exists():
                Record.read(run.out)  # whole or not at all
        assert run.finish() == 0
    print(f"{killed} kills, {within} within a write, in {len(runs)} runs")  # noqa: T201 - shown by -s
    return runs


def check_that_kills_change_nothing(arguments, whole, folder, kills, seed):
    for run in kill_often(arguments, folder, kills, seed):
        assert run.content() == whole
        assert not run.leftovers()
        assert run.parts() == 21


def test_an_evaluation_killed_5_times_ends_with_the_bytes_of_one_that_was_not(arguments, whole, tmp_path):
    check_that_kills_change_nothing(arguments, whole, tmp_path, 5, seed=0)


@pytest.mark.slow
def test_an_evaluation_killed_20_times_ends_with_the_bytes_of_one_that_was_not(arguments, whole, tmp_path):
    check_that_kills_change_nothing(arguments, whole, tmp_path, 20, seed=1)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_that_share_an_evaluation_end_with_the_bytes_of_one(arguments, whole, world, tmp_path):
    run = Killable(arguments, tmp_path / "run")
    assert together(world, evaluated, (*arguments, "--out", str(run.out))) == [None] * world
    assert run.content() == whole


def test_what_two_processes_began_three_go_on_with(arguments, whole, tmp_path):
    run = Killable(arguments, tmp_path / "run")
    process = run.start(pause_s=0.01)
    run.wait_until_working(process)
    process.join(0.3)
    process.kill()
    process.join()
    together(3, evaluated, (*arguments, "--out", str(run.out)))
    assert run.content() == whole


def test_a_part_that_was_cut_short_is_made_anew(arguments, whole, tmp_path):
    run = Killable(arguments, tmp_path / "run")
    assert run.finish() == 0
    path = run.out / "parts" / "box-model-0000004.safetensors"
    before = path.read_bytes()
    path.write_bytes(before[:-7])
    (run.out / "figures.json").unlink()
    missing = Parts(run.out).missing(Record.read(run.out).plan.pieces())
    assert [piece.name for piece in missing] == ["box-model-0000004"]
    assert run.finish() == 0
    assert path.read_bytes() == before
    assert run.content() == whole
