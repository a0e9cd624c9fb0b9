"""A SLURM cluster of one node on this machine, which claims two cores, for as long as a test needs it.

All of it lives in a folder of its own, munge's key and socket too, on free ports: nothing of a SLURM that may be
installed properly is touched. SLURM wants to be root.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "setpriv")

# "low" is pre-empted by "high": its jobs get SIGTERM, a time of grace, and go back into the queue.
SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=15
ReturnToService=2
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=500 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=60 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=15
PartitionName=high Nodes={host} MaxTime=60 State=UP PriorityTier=2 PreemptMode=OFF
"""


def why_not() -> str | None:
    """What keeps this machine from running the cluster."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no {', '.join(missing)} here; scripts/debian.sh installs SLURM"
    return None if os.geteuid() == 0 else "a SLURM node must be root"


class Cluster:
    """What a test says to the cluster."""

    def __init__(self, settings: Path) -> None:
        self.environment = {"SLURM_CONF": str(settings), "PATH": _path()}

    def ask(self, *command: str) -> str:
        """What one of SLURM's commands prints."""
        environment = os.environ | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    def state(self, job: str) -> str:
        """RUNNING, PENDING, COMPLETED ..."""
        return self.fact(job, "JobState")

    def restarts(self, job: str) -> int:
        """How often the job has started again."""
        return int(self.fact(job, "Restarts"))

    def fact(self, job: str, name: str) -> str:
        """One of the things that SLURM knows of a job."""
        words = self.ask("scontrol", "show", "job", job).split()
        return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))

    def outcome(self, job: str, *waiting: str) -> str:
        """The state of a job once it runs no more, nor waits in one of these states."""
        passing = ("RUNNING", "SIGNALING", "COMPLETING", *waiting)
        wait_for(lambda: self.state(job) not in passing, f"job {job} to leave {', '.join(passing)}")
        return self.state(job)

    def start_now(self, job: str) -> None:
        """Spares a requeued job the two minutes that it must wait."""
        self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")


@contextlib.contextmanager
def slurm_cluster() -> Iterator[Cluster]:
    """Starts the cluster; ends its daemons and removes its folder, whatever happens."""
    with (
        tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name,
        contextlib.ExitStack() as ends,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("state", "spool"):
            (folder / part).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        settings = folder / "slurm.conf"
        ports = dict(zip(("controller_port", "node_port"), free_ports(2), strict=True))
        host = socket.gethostname().split(".")[0]
        settings.write_text(SETTINGS.format(host=host, folder=folder, **ports))
        cluster = Cluster(settings)
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        munge = [f"--{option}={folder}/munge.{suffix}" for option, suffix in files.items()]
        ends.enter_context(_daemon(folder, "munged", "--foreground", "--force", *munge))
        wait_for((folder / "munge.socket").exists, "munge to listen")
        ends.enter_context(_daemon(folder, "slurmctld", "-D", "-f", str(settings)))
        ends.enter_context(_daemon(folder, "slurmd", "-D", "-N", host, "-f", str(settings)))
        ends.callback(_cancel_all, cluster)
        wait_for(lambda: _idle(cluster), "the node to be idle")
        yield cluster


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 150) -> None:
    """Waits until something is so; the error says what never was."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


@contextlib.contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    """A daemon that ends with this block, and with this process, should it be killed."""
    with (folder / f"{command[0]}.out").open("wb") as said:
        environment = os.environ | {"PATH": _path()}
        with subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command], stdout=said, stderr=said, env=environment
        ) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def _cancel_all(cluster: Cluster) -> None:
    """Ends what still runs, at once: nobody waits for its checkpoints."""
    for job in cluster.ask("squeue", "--noheader", "--format=%A").split():
        for command in (["scancel", "--signal=KILL", job], ["scancel", job]):
            with contextlib.suppress(subprocess.CalledProcessError):
                cluster.ask(*command)
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not cluster.ask("squeue", "--noheader"), "the queue to be empty", 20)


def _idle(cluster: Cluster) -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        return cluster.ask("sinfo", "--noheader", "--partition=low", "--format=%t") == "idle"
    return False


def _path() -> str:
    """Debian keeps daemons where an ordinary user does not look."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
