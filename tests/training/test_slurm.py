"""Training on a real SLURM: a run that is stopped in every way a cluster knows ends like one that is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import Cluster, free_ports, slurm_cluster, wait_for, why_not

from ediffuser.cli import main
from ediffuser.runtime.checkpoint import newest_checkpoint, read_checkpoint

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

SETTINGS = {
    "data.resolution": 8,
    "model.network.resolution": 8,
    "model.network.widths": [8, 8],
    "model.network.blocks": [1, 1],
    "model.network.attention": [],
    "model.network.norm_groups": 4,
    "model.network.dropout": 0.2,
    "batch": 8,
    "images": 1600,
    "checkpoint_every": 160,
    "precision": "float32",
}
# SLURM thinks for about a second before it pre-empts.
LONGER = 2400
PREEMPTION = ("sbatch", "--partition=high", "--ntasks=2", "--output=/dev/null", "--wrap=true")


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster() as cluster:
        yield cluster


def settings(**changes) -> list[str]:
    chosen = SETTINGS | changes
    return [part for key, value in chosen.items() for part in ("--set", f"{key}={json.dumps(value)}")]


def submitted(cluster: Cluster, monkeypatch, capsys, *arguments) -> list[str]:
    """The names of the jobs that `ediffuser submit` hands in."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    main(["submit", "ddpm32", "--gpus", "0", *map(str, arguments)])
    return [line.split()[1].rstrip(":") for line in capsys.readouterr().out.splitlines()]


def said(run: Path, job: str) -> str:
    """What the job has printed, in all its turns."""
    return (run / "slurm" / f"{job}_0_log.out").read_text()


def images_seen(run: Path) -> int:
    newest = newest_checkpoint(run)
    return 0 if newest is None else int(newest.name)


def turn_under_way(run: Path) -> None:
    """Waits until a turn has published something of its own."""
    before = images_seen(run)
    wait_for(lambda: images_seen(run) > before, f"{run} to go on from {before}")


def hashes(run: Path) -> dict[str, str]:
    """SHA-256 of the weights' average, the weights and the optimizer at the end of a run."""
    path = newest_checkpoint(run)
    assert path is not None
    read_checkpoint(path)
    sums = json.loads((path / "manifest.json").read_bytes())["sha256"]
    return {name: sums[name] for name in ("model.safetensors", "training.safetensors")}


def train_whole(data: Path, out: Path) -> None:
    """The run without a cluster, in a process of its own: as in the job, torch has one thread from the start."""
    command = (sys.executable, "-m", "ediffuser", "train", "ddpm32", "--data", data, "--out", out, "--device", "cpu")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *settings()], check=True, env=environment, stdout=subprocess.DEVNULL)


def test_a_run_that_is_warned_and_requeued_ends_like_one_that_is_not(cluster, toys, tmp_path, monkeypatch, capsys):
    """By the signal that comes before a time limit, and by an operator."""
    run = tmp_path / "run"
    (job,) = submitted(cluster, monkeypatch, capsys, "--data", toys, "--out", run, "--time", "10", *settings())
    stops = {
        "warned": lambda: cluster.ask("scancel", "--signal=USR2", job),
        "requeued": lambda: cluster.ask("scontrol", "requeue", job),
    }
    for name, stop in stops.items():
        turn_under_way(run)
        stop()
        assert cluster.outcome(job) == "PENDING", f"{name}: {said(run, job)}"
        assert images_seen(run) < SETTINGS["images"]
        cluster.start_now(job)
    assert cluster.outcome(job, "PENDING") == "COMPLETED", said(run, job)
    assert cluster.restarts(job) == len(stops)
    assert "Traceback" not in said(run, job)
    train_whole(toys, tmp_path / "whole")
    assert hashes(run) == hashes(tmp_path / "whole")


def test_two_processes_that_are_preempted_end_like_two_that_are_not(cluster, toys, tmp_path, monkeypatch, capsys):
    """Both hear the warning and stop after the same step; the first one saves and requeues."""
    jobs = {}
    for name in ("stopped", "whole"):
        monkeypatch.setenv("MASTER_PORT", str(free_ports(1)[0]))
        arguments = (
            "--data",
            toys,
            "--out",
            tmp_path / name,
            "--time",
            "10",
            "--processes",
            "2",
            *settings(images=LONGER),
        )
        (jobs[name],) = submitted(cluster, monkeypatch, capsys, *arguments)
    stopped, run = jobs["stopped"], tmp_path / "stopped"
    turn_under_way(run)
    cluster.ask(*PREEMPTION)
    assert cluster.outcome(stopped) == "PENDING", said(run, stopped)
    assert images_seen(run) < LONGER
    cluster.start_now(stopped)
    for name, job in jobs.items():
        assert cluster.outcome(job, "PENDING") == "COMPLETED", said(tmp_path / name, job)
    assert [cluster.restarts(job) for job in jobs.values()] == [1, 0]
    assert hashes(run) == hashes(tmp_path / "whole")


def test_each_run_of_a_sweep_has_its_directory_and_a_cancelled_one_stays_away(
    cluster, toys, tmp_path, monkeypatch, capsys
):
    sweep = tmp_path / "sweep"
    variants = ("--array", "seed=0", "--array", "seed=1 images=16 checkpoint_every=8")
    arguments = ("--data", toys, "--out", sweep, "--time", "10", *settings(), *variants)
    first, second = submitted(cluster, monkeypatch, capsys, *arguments)
    turn_under_way(sweep / "seed=0")
    cluster.ask("scancel", first)
    assert cluster.outcome(first, "PENDING") == "CANCELLED"
    assert cluster.outcome(second, "PENDING") == "COMPLETED"
    assert images_seen(sweep / "seed=1,images=16,checkpoint_every=8") == 16
    assert 0 < images_seen(sweep / "seed=0") < SETTINGS["images"]
    assert cluster.restarts(first) == 0


@pytest.mark.slow
def test_a_run_goes_on_after_its_time_limit(cluster, toys, tmp_path, monkeypatch, capsys):
    """The shortest limit is a minute, and the run takes longer: SLURM's own clock stops it."""
    run, longer = tmp_path / "run", {"images": 200_000}
    arguments = ("--data", toys, "--out", run, "--time", "1", "--lead", "30", *settings(**longer))
    (job,) = submitted(cluster, monkeypatch, capsys, *arguments)
    turn_under_way(run)
    assert cluster.outcome(job) == "PENDING", said(run, job)
    before = images_seen(run)
    cluster.start_now(job)
    turn_under_way(run)
    assert images_seen(run) > before
    assert cluster.restarts(job) == 1
    assert "is queued again" in said(run, job)
