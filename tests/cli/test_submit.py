"""`ediffuser submit` where SLURM's commands are scripts that write down what they are told."""

import os
import pickle
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ediffuser import cli
from ediffuser.cli.submit import TrainingJob
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.runtime.distributed import VARIABLES
from ediffuser.runtime.errors import BadInputError
from ediffuser.training.slurm import SlurmJob, introduce_processes, minutes, stopped_by_signals

DOCUMENT = Path(__file__).parents[2] / "docs" / "slurm.md"
WARNINGS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

pytest.importorskip("submitit")


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """SLURM's commands: each prints the file NAME.says in this folder, and adds its arguments to the file told."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("sbatch", "srun", "squeue", "scontrol"):
        script = f'#!/bin/sh\necho {name} "$@" >> {folder}/told\ncat {folder}/{name}.says 2> /dev/null || true\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "sbatch.says").write_text("Submitted batch job 17\n")
    (folder / "told").touch()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "0.png")
    return folder


@pytest.fixture
def handlers():
    """Puts back what a test of signals changes."""
    before = {number: signal.getsignal(number) for number in WARNINGS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def submit(pictures, out, *options, recipe="ddpm32", time="36:00:00") -> int:
    arguments = ["submit", recipe, "--data", pictures, "--out", out, "--time", time, *options]
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def job_of(path: Path) -> TrainingJob:
    return pickle.loads(path.read_bytes()).function


def a_checkpoint(run: Path, images: int) -> None:
    write_checkpoint(run / "checkpoints" / f"{images:010d}", {"x": b""})


def test_the_sbatch_file_is_the_one_that_the_document_shows(commands, pictures, tmp_path, capsys):
    out = tmp_path / "run"
    options = ("--partition", "gpu", "--cpus", 8, "--sbatch", "account=lab", "--sbatch", "mem=32G")
    assert submit(pictures, out, *options, recipe="ddpm256") == 0
    log = out / "slurm" / "17_0_log.out"
    assert capsys.readouterr().out == f"job 17: ddpm256 in {out}, prints to {log}\n"
    text = (out / "slurm" / "17_submission.sh").read_text()
    text = text.replace(str(out), "/shared/runs/faces").replace(sys.executable, "/home/you/.venv/bin/python")
    (shown,) = re.findall(r"```bash\n(#!/bin/bash.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert text.strip() == shown.strip()


def test_the_job_calls_train_with_what_was_said(commands, pictures, tmp_path):
    out = tmp_path / "run"
    others = tmp_path / "others"
    others.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(others / "0.png")
    options = ("--set", "images=128", "--set", "seed=3", "--compile", "--device", "cpu", "--held-out", others)
    assert submit(pictures, out, *options) == 0
    job = job_of(out / "slurm" / "17_submitted.pkl")
    settings = ("--set", "images=128", "--set", "seed=3")
    flags = ("--data", str(pictures), "--held-out", str(others), "--device", "cpu", "--out", str(out))
    assert job.arguments == ("ddpm32", *flags, *settings, "--compile")
    assert (job.out, job.images) == (out, 128)


def test_a_sweep_is_one_array_with_a_run_directory_for_each(commands, pictures, tmp_path, capsys):
    out = tmp_path / "sweep"
    variants = ("--array", "seed=0", "--array", "seed=1 optimizer.learning_rate=1e-4")
    assert submit(pictures, out, "--set", "images=64", *variants) == 0
    assert "#SBATCH --array=0-1%2" in (out / "slurm" / "17_submission.sh").read_text()
    first, second = (job_of(out / "slurm" / f"17_{k}_submitted.pkl") for k in (0, 1))
    assert (first.out, second.out) == (out / "seed=0", out / "seed=1,optimizer.learning_rate=1e-4")
    assert "optimizer.learning_rate=1e-4" in second.arguments
    assert "optimizer.learning_rate=1e-4" not in first.arguments
    assert len((commands / "told").read_text().splitlines()) == 1
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [["job", "17_0:"], ["job", "17_1:"]]


@pytest.mark.parametrize(
    ("options", "time", "said"),
    [
        (("--set", "batchs=3"), "10", "batch"),
        (("--set", "batch=-3"), "10", "batch"),
        ((), "1h", "--time 1h"),
        ((), "0", "--time 0"),
        (("--lead", "600"), "10", "--lead 600"),
        (("--nodes", "0"), "10", "--nodes"),
        (("--sbatch", "=lab"), "10", "name=value"),
        (("--array", "seed=1", "--array", "seed=1"), "10", "--array 'seed=1'"),
        (("--array", " "), "10", "--array"),
        (("--array", "seed=x"), "10", "seed"),
        (("--nodes", "3"), "10", "batch 128 cannot be shared equally: make it a multiple of 3 (3 processes x"),
        (("--nodes", "2", "--gpus", "4", "--set", "batch=8", "--set", "accumulation=2"), "10", "a multiple of 16"),
        (("--gpus", "2", "--array", "batch=8", "--array", "batch=9"), "10", "batch 9 cannot be shared"),
        (("--set", "start_from=photo-128"), "10", "unknown model 'photo-128': did you mean 'photos-128'"),
        (("--set", "data.path=notes.txt"), "10", "no data set at 'notes.txt'"),
        (("--set", 'held_out={"kind":"image_folder","path":"nowhere","resolution":32}'), "10", "at 'nowhere'"),
        (("--set", 'order={"kind":"group_shares","path":"no.csv","columns":["a"]}'), "10", "'no.csv'"),
    ],
)
def test_mistakes_show_when_the_job_is_submitted(commands, pictures, tmp_path, capsys, options, time, said):
    assert submit(pictures, tmp_path / "run", *options, time=time) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (commands / "told").read_text()
    assert not (tmp_path / "run").exists()


def test_a_run_is_gone_on_with_only_if_that_is_wished(commands, pictures, tmp_path, capsys):
    a_checkpoint(tmp_path / "run", 8)
    assert submit(pictures, tmp_path / "run") == 2
    assert "already holds a run; add --resume" in capsys.readouterr().err
    assert submit(pictures, tmp_path / "run", "--resume") == 0


def test_without_slurm_or_submitit_there_is_one_sentence(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert submit(pictures, tmp_path / "run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is no SLURM here" in line
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert submit(pictures, tmp_path / "run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'ediffuser[slurm]'" in line


def test_what_slurm_says_against_a_job_is_passed_on(commands, pictures, tmp_path, capsys):
    (commands / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpu' >&2\nexit 1\n")
    assert submit(pictures, tmp_path / "run", "--partition", "gpu") == 2
    assert capsys.readouterr().err == "ediffuser: SLURM refused the job: invalid partition specified: gpu\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90:00", 90),
        ("90:01", 91),
        ("1:30:00", 90),
        ("36:00:00", 2160),
        ("1-0", 1440),
        ("1-12", 2160),
        ("1-12:30", 2190),
        ("7-00:00:01", 10081),
    ],
)
def test_times_in_the_notation_of_slurm(text, expected):
    assert minutes(text) == expected


@pytest.mark.parametrize("text", ["", "1h", "0", "-5", "1:2:3:4", "1-", "0-0", "1.5"])
def test_what_is_no_time_limit(text):
    with pytest.raises(BadInputError, match="is no time limit"):
        minutes(text)


def test_a_process_knows_its_job():
    assert SlurmJob.current({}) is None
    assert SlurmJob.current({"SLURM_JOB_ID": "17", "SLURM_PROCID": "3"}) == SlurmJob("17", 3)
    array = {"SLURM_JOB_ID": "19", "SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "2"}
    assert SlurmJob.current(array) == SlurmJob("17_2", 0)


def test_processes_of_one_job_find_each_other_as_under_torchrun(monkeypatch):
    told = {
        "JOB_ID": "17",
        "NTASKS": "4",
        "PROCID": "3",
        "LOCALID": "1",
        "JOB_NUM_NODES": "2",
        "JOB_NODELIST": "gpu[7-8]",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "stale")
    for name in VARIABLES:
        monkeypatch.setenv(name, "stale")
    monkeypatch.setenv("MASTER_PORT", "29500")
    introduce_processes()
    assert [os.environ[name] for name in VARIABLES] == ["3", "4", "1", "gpu7", "29500"]
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.delenv("RANK")
    introduce_processes()
    assert "RANK" not in os.environ


@pytest.mark.parametrize("state", ["RUNNING", "SIGNALING"])
def test_a_job_whose_fate_is_open_is_requeued_once_by_its_first_process(commands, state):
    (commands / "squeue.says").write_text(f"{state}\n")
    assert [SlurmJob("17_2", rank).requeue() for rank in (1, 0)] == [False, True]
    assert (commands / "told").read_text().splitlines()[1:] == ["scontrol requeue 17_2"]


@pytest.mark.parametrize("state", ["COMPLETING", "PENDING", "CANCELLED", "TIMEOUT", ""])
def test_a_job_that_slurm_ends_is_left_to_it(commands, state):
    (commands / "squeue.says").write_text(state)
    assert not SlurmJob("17", 0).requeue()
    assert "requeue" not in (commands / "told").read_text()


def test_a_cluster_that_does_not_requeue_says_so(commands):
    (commands / "squeue.says").write_text("RUNNING")
    (commands / "scontrol").write_text("#!/bin/sh\necho 'Requested operation is presently disabled' >&2\nexit 1\n")
    with pytest.raises(BadInputError, match="'scontrol requeue 17': Requested operation is presently disabled"):
        SlurmJob("17", 0).requeue()


def test_a_controller_that_starts_anew_is_asked_again(commands, monkeypatch):
    monkeypatch.setattr("ediffuser.training.slurm.ASKED_AGAIN_AFTER_S", 0)
    (commands / "squeue.says").write_text("RUNNING")
    absent = "echo 'Unable to contact slurm controller (connect failure)' >&2; exit 1"
    script = f'cd {commands}\n[ -e met ] || {{ touch met; {absent}; }}\necho "scontrol $*" >> told\n'
    (commands / "scontrol").write_text(f"#!/bin/sh\n{script}")
    assert SlurmJob("17", 0).requeue()
    assert (commands / "told").read_text().splitlines()[1:] == ["scontrol requeue 17"]


@pytest.mark.parametrize("number", WARNINGS)
def test_the_first_warning_ends_training_and_the_others_are_not_heard(handlers, number):
    done = []

    def training():
        with stopped_by_signals():
            try:
                os.kill(os.getpid(), number)
                done.append("what comes after the warning")
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("the clean-up")

    with pytest.raises(SystemExit) as end:
        training()
    os.kill(os.getpid(), signal.SIGTERM)
    assert (end.value.code, done) == (0, ["the clean-up"])


@pytest.fixture
def turn(commands, tmp_path, monkeypatch, handlers):
    """Calls a job of a run of 64 images, whose training publishes what it is told and ends with a code."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    (commands / "squeue.says").write_text("RUNNING")

    def call(images: int, code: int = 0) -> tuple[list[str], bool]:
        calls = []

        def train(arguments):
            calls.append(arguments)
            a_checkpoint(tmp_path / "run", images)
            sys.exit(code)

        monkeypatch.setattr(cli, "main", train)
        (commands / "told").write_text("")
        TrainingJob(("ddpm32",), tmp_path / "run", 64)()
        return calls[0], "scontrol requeue 17" in (commands / "told").read_text()

    return call


def test_turns_go_on_until_the_last_image_has_been_seen(turn):
    assert turn(16) == (["train", "ddpm32"], True)
    assert turn(40) == (["train", "ddpm32", "--resume"], True)
    assert turn(64) == (["train", "ddpm32", "--resume"], False)


def test_a_slurm_that_does_not_answer_is_said(commands, monkeypatch):
    (commands / "squeue").write_text("#!/bin/sh\nexec sleep 5\n")
    monkeypatch.setattr("ediffuser.training.slurm.ANSWERED_WITHIN_S", 0.2)
    with pytest.raises(BadInputError, match=r"SLURM did not answer 'squeue .* 17 .*' within 0\.2 s; the run is saved"):
        SlurmJob("17", 0).requeue()


@pytest.mark.parametrize("code", [1, 2, 3, 130])
def test_a_run_that_fails_is_not_requeued(turn, commands, code):
    with pytest.raises(SystemExit) as end:
        turn(16, code)
    assert end.value.code == code
    assert "requeue" not in (commands / "told").read_text()


def test_data_that_cannot_be_opened_show_when_the_job_is_submitted(commands, pictures, tmp_path, capsys):
    (pictures / "0.png").rename(pictures / "0.txt")
    assert submit(pictures, tmp_path / "run") == 2
    assert "no JPEG, PNG or WebP in" in capsys.readouterr().err
    assert not (commands / "told").read_text()


def test_a_run_that_goes_on_needs_the_model_no_more_that_it_began_from(commands, pictures, tmp_path):
    a_checkpoint(tmp_path / "run", 8)
    assert submit(pictures, tmp_path / "run", "--resume", "--set", "start_from=gone") == 0
