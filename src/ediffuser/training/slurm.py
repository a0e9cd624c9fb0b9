"""Training on a SLURM cluster: how a job is handed in, and how it goes back into the queue."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ediffuser.runtime.errors import BadInputError

ANSWERED_WITHIN_S = 60
# What SLURM's commands say while its controller starts anew; it is asked again until it must have come back.
ABSENT = ("unable to contact", "timed out")
ASKED_AGAIN_AFTER_S, ASKED_AGAIN = 5.0, 12
# What SLURM says before it takes a node away: SIGTERM, or the signal that was asked for, submitit's SIGUSR2.
WARNINGS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
# States of a job whose fate SLURM has not decided; the second while one of its signals is on the way.
UNDECIDED = ("RUNNING", "SIGNALING")
# How SLURM writes a time: minutes[:seconds], hours:minutes:seconds, days-hours[:minutes[:seconds]].
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<parts>\d+(?::\d+){0,2})")
WITH_DAYS = (60.0, 1.0, 1 / 60)
WITHOUT_DAYS = {1: (1.0,), 2: (1.0, 1 / 60), 3: (60.0, 1.0, 1 / 60)}


@dataclass(frozen=True)
class Resources:
    """What a job asks of the cluster.

    Attributes:
        minutes: Time limit; before it the job is requeued.
        lead_s: Seconds before the limit at which SLURM sends SIGUSR2; a checkpoint must fit in.
        partition: Where it queues; None is the cluster's default.
        nodes: Machines.
        gpus: GPUs on each of them; 0 trains on the CPU.
        processes: Processes on each of them; None is one for each GPU.
        cpus: CPU cores of each process.
        options: Further options of sbatch, by their long names; True for one that has no value.
    """

    minutes: int
    lead_s: int
    partition: str | None
    nodes: int
    gpus: int
    processes: int | None
    cpus: int
    options: Mapping[str, str | bool]

    @property
    def tasks_per_node(self) -> int:
        """How many processes SLURM starts on each machine."""
        return self.processes or max(self.gpus, 1)

    def parameters(self, name: str) -> dict[str, Any]:
        """The same in the words of submitit."""
        parameters: dict[str, Any] = {
            "job_name": name,
            "time": self.minutes,
            "signal_delay_s": self.lead_s,
            "nodes": self.nodes,
            "ntasks_per_node": self.tasks_per_node,
            "cpus_per_task": self.cpus,
            "stderr_to_stdout": True,
            "wckey": None,  # submitit names itself there; a cluster may refuse names it does not know
            # Since 22.05 srun does not take the first from sbatch; with the second, all end when one of them fails.
            "srun_args": ["--cpus-per-task", str(self.cpus), "--kill-on-bad-exit"],
            "additional_parameters": {"requeue": True, **self.options},
        }
        optional = {"partition": self.partition, "gpus_per_node": self.gpus or None}
        return parameters | {key: value for key, value in optional.items() if value is not None}


def submit(jobs: Sequence[Callable[[], None]], resources: Resources, name: str, folder: Path) -> list[str]:
    """Hands jobs to SLURM, several as one array.

    Args:
        jobs: What each job calls; it is pickled and must be importable where the job runs.
        resources: What each of them asks for.
        name: The job's name in the queue.
        folder: For the sbatch file and what the jobs print; all machines must see it under this path.

    Returns:
        The jobs' names as SLURM's commands take them, such as 17, or 17_0, 17_1 ... of an array.

    Raises:
        BadInputError: If submitit or SLURM is missing, or SLURM refuses the job.
    """
    try:
        import submitit
        from submitit.core.utils import FailedJobError
    except ModuleNotFoundError as error:
        raise BadInputError("submitting needs submitit: install it with pip install 'ediffuser[slurm]'") from error
    if not (shutil.which("sbatch") and shutil.which("srun")):
        raise BadInputError(
            "there is no SLURM here (no sbatch and srun in the PATH): submit on a login node of the cluster, or train "
            "here with ediffuser train"
        )
    executor = submitit.SlurmExecutor(folder)
    executor.update_parameters(**resources.parameters(name))
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it also raises
            return [job.job_id for job in executor.submit_array(jobs)]
    except FailedJobError as error:
        said = str(error).strip().splitlines() or ["no reason given"]
        raise BadInputError(f"SLURM refused the job: {said[-1].removeprefix('sbatch: error: ')}") from error


@dataclass(frozen=True)
class SlurmJob:
    """The job that this process belongs to.

    Attributes:
        name: As SLURM's commands take it. One job of an array has a name of its own, since the plain number of the last
            one stands for them all.
        rank: This process's number among the job's.
    """

    name: str
    rank: int

    @classmethod
    def current(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """The job that SLURM's variables tell of; None outside of SLURM."""
        array, number = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_JOB_ID")
        if number is None:
            return None
        name = number if array is None else f"{array}_{environment['SLURM_ARRAY_TASK_ID']}"
        return cls(name, int(environment.get("SLURM_PROCID", "0")))

    def requeue(self) -> bool:
        """Puts the job back into the queue, unless SLURM has already decided what becomes of it.

        A job that is cancelled must not come back, and one that is requeued needs no help: both are completing. One
        that still counts as running was warned, of its time limit or of a preemption with a time of grace, and would
        count as completed if it just ended.

        Returns:
            Whether it was requeued by this call; never by another process than the first.

        Raises:
            BadInputError: If the cluster does not allow it, or cannot be reached for a minute.
        """
        if self.rank != 0:
            return False
        if _ask_patiently("squeue", "--noheader", "--jobs", self.name, "--format=%T").strip() not in UNDECIDED:
            return False
        _ask_patiently("scontrol", "requeue", self.name)
        return True


def introduce_processes() -> None:
    """Sets the variables that torchrun would set, where SLURM has started several processes for one job."""
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Ends the block with SystemExit, code 0, when SLURM warns; for what does not listen to signals itself.

    Instead of submitit's handlers, which ignore SIGTERM and requeue in the middle of a step. SLURM repeats itself: only
    the first warning counts, and after the block the process hears none.

    Raises:
        SystemExit: At the first warning.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        _on_warnings(signal.SIG_IGN)
        raise SystemExit(0)

    _on_warnings(stop)
    try:
        yield
    finally:
        _on_warnings(signal.SIG_IGN)


def minutes(time: str) -> int:
    """The whole minutes of a time in SLURM's notation, rounded up: 90, 1:30:00, 1-12, 7-00:00:00.

    Raises:
        BadInputError: If it is none, or zero.
    """
    match = TIME.fullmatch(time)
    parts = [int(part) for part in match["parts"].split(":")] if match else []
    scales = WITH_DAYS if match and match["days"] else WITHOUT_DAYS.get(len(parts), ())
    total = int(match["days"] or 0) * 24 * 60 if match else 0
    found = -int(-(total + sum(part * scale for part, scale in zip(parts, scales, strict=False))) // 1)
    if found < 1:
        raise BadInputError(f"--time {time} is no time limit: write minutes, hours:minutes:seconds or days-hours")
    return found


def _ask(*command: str) -> str:
    """What one of SLURM's commands prints.

    Raises:
        BadInputError: If it fails, or takes too long.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=ANSWERED_WITHIN_S)
    except subprocess.CalledProcessError as error:
        raise BadInputError(f"SLURM refused '{' '.join(command)}': {error.stderr.strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise BadInputError(
            f"SLURM did not answer '{' '.join(command)}' within {ANSWERED_WITHIN_S} s; the run is saved, and ediffuser "
            "submit with --resume goes on with it"
        ) from error
    return done.stdout


def _ask_patiently(*command: str) -> str:
    """As `_ask`, but a controller that cannot be reached is asked again: the job would be lost for that."""
    for _ in range(ASKED_AGAIN):
        try:
            return _ask(*command)
        except BadInputError as error:
            if not any(words in str(error).lower() for words in ABSENT):
                raise
        time.sleep(ASKED_AGAIN_AFTER_S)
    return _ask(*command)


def _on_warnings(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for warning in WARNINGS:
        signal.signal(warning, handler)
