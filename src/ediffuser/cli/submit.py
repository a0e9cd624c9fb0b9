"""`ediffuser submit RECIPE --data D --out RUN --time T`: the same training as a job of a SLURM cluster."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from ediffuser.cli.train import resolve
from ediffuser.runtime.checkpoint import newest_checkpoint
from ediffuser.runtime.distributed import Processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.training import Experiment
from ediffuser.training.slurm import Resources, SlurmJob, introduce_processes, minutes, stopped_by_signals
from ediffuser.training.slurm import submit as submit_jobs
from ediffuser.zoo import find

SECONDS = 60


def submit(
    recipe: Positional[str],
    data: Path,
    out: Path,
    time: str,
    partition: str | None = None,
    nodes: int = 1,
    gpus: int = 1,
    processes: int | None = None,
    cpus: int = 1,
    resume: bool = False,
    set: UseAppendAction[tuple[str, ...]] = (),
    array: UseAppendAction[tuple[str, ...]] = (),
    sbatch: UseAppendAction[tuple[str, ...]] = (),
    lead: int = 120,
    compile: bool = False,
    device: str = "auto",
    held_out: Path | None = None,
) -> None:
    """Trains a recipe on a SLURM cluster, in as many turns as the time limit and preemptions make of it.

    Example: ediffuser submit ddpm256 --data faces.zip --out runs/faces --partition gpu --time 36:00:00

    Args:
        recipe: The name of a recipe, such as ddpm32 or inpaint-faces128.
        data: As for train; a path that the cluster's machines can read.
        out: The run directory, on a disk that they share; what the job prints goes to OUT/slurm.
        time: Time limit of a turn: minutes, hours:minutes:seconds or days-hours.
        partition: Where to queue; the cluster's default if not given.
        nodes: Machines.
        gpus: GPUs on each of them; 0 trains on the CPU.
        processes: Processes on each machine; one for each GPU if not given.
        cpus: CPU cores of each process.
        resume: Go on with the run that is already in OUT.
        set: Override a setting, key=value or outer.inner=value; may be given several times.
        array: One run of a sweep, such as "seed=1 batch=64", in a directory of its own in OUT; give it once for each.
        sbatch: Any other option of sbatch, such as account=lab or exclusive; may be given several times.
        lead: Seconds before the time limit at which the run is saved and requeued.
        compile: Compile the network first, as for train.
        device: auto, cpu, cuda ...
        held_out: Pictures that are not trained on, as for train.
    """
    resources = Resources(minutes(time), lead, partition, nodes, gpus, processes, cpus, _options(sbatch))
    _check(resources)
    out, places = out.expanduser().absolute(), {"--data": data} | ({"--held-out": held_out} if held_out else {})
    flags = {name: str(place.expanduser().absolute()) for name, place in places.items()} | {"--device": device}
    runs = _sweep(out, array) if array else {out: ()}
    settings = {run: (*set, *variant) for run, variant in runs.items()}
    experiments = {run: resolve(recipe, flags["--data"], own, flags.get("--held-out")) for run, own in settings.items()}
    _check_runs(experiments, Processes(world=nodes * resources.tasks_per_node), resume=resume)
    jobs = [_job(recipe, run, own, flags, compile, experiments[run].images) for run, own in settings.items()]
    names = submit_jobs(jobs, resources, recipe, out / "slurm")
    for name, job in zip(names, jobs, strict=True):
        print(f"job {name}: {recipe} in {job.out}, prints to {out / 'slurm' / f'{name}_0_log.out'}")


@dataclass(frozen=True)
class TrainingJob:
    """What a job calls, in its first turn and in every later one.

    Attributes:
        arguments: Of `ediffuser train`.
        out: The run directory.
        images: Length of the run.
    """

    arguments: tuple[str, ...]
    out: Path
    images: int

    def __call__(self) -> None:
        """Starts the run or goes on with it; requeues the job if a signal ended the turn before its last image.

        Raises:
            SystemExit: With the code of `ediffuser train`, if that is not 0.
            BadInputError: If the cluster does not allow to requeue.
        """
        from ediffuser.cli import main

        introduce_processes()
        going_on = newest_checkpoint(self.out) is not None
        try:
            with stopped_by_signals():
                main(["train", *self.arguments, *(["--resume"] if going_on else [])])
        except SystemExit as end:
            if end.code:
                raise
        job = SlurmJob.current()
        if job is not None and not self.finished() and job.requeue():
            print(f"job {job.name} is queued again", flush=True)

    def finished(self) -> bool:
        """Whether the last image has been seen."""
        newest = newest_checkpoint(self.out)
        return newest is not None and int(newest.name) >= self.images


def _check_runs(experiments: Mapping[Path, Experiment], group: Processes, *, resume: bool) -> None:
    """Sees that runs can begin as these processes, so that mistakes show now and not when a job's turn comes.

    Raises:
        BadInputError: If one cannot.
    """
    for out, experiment in experiments.items():
        begun = newest_checkpoint(out) is not None
        if begun and not resume:
            raise BadInputError(f"{out} already holds a run; add --resume to go on with it, or choose another --out")
        group.share(experiment.batch, experiment.accumulation)
        if experiment.start_from and not begun:
            find(experiment.start_from)
    for order, data in {(each.order, each.data) for each in experiments.values()}:  # runs of a sweep share theirs
        order.open(data.open())
    for held_out in {each.held_out for each in experiments.values() if each.held_out}:
        held_out.open()


def _job(
    recipe: str, out: Path, settings: tuple[str, ...], flags: dict[str, str], compiled: bool, images: int
) -> TrainingJob:
    given = [*flags.items(), ("--out", str(out)), *(("--set", setting) for setting in settings)]
    arguments = [recipe, *(word for pair in given for word in pair), *(["--compile"] if compiled else [])]
    return TrainingJob(tuple(arguments), out, images)


def _sweep(out: Path, variants: tuple[str, ...]) -> dict[Path, tuple[str, ...]]:
    """The settings of each run of a sweep, by its directory, which is named after them."""
    runs = {}
    for variant in variants:
        settings = tuple(shlex.split(variant))
        directory = out / re.sub(r"[^\w.,=+-]", "_", ",".join(settings))
        if not settings or directory in runs:
            raise BadInputError(f"--array '{variant}' must name settings, key=value, that no other --array names")
        runs[directory] = settings
    return runs


def _options(texts: tuple[str, ...]) -> dict[str, str | bool]:
    options = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not key or key.startswith("-"):
            raise BadInputError(f"--sbatch '{text}' is no option of sbatch; write it name or name=value: account=lab")
        options[key] = value if separator else True
    return options


def _check(resources: Resources) -> None:
    if min(resources.nodes, resources.cpus, resources.tasks_per_node) < 1 or resources.gpus < 0:
        raise BadInputError("--nodes, --cpus and --processes must be at least 1, and --gpus at least 0")
    if not 0 < resources.lead_s < resources.minutes * SECONDS:
        raise BadInputError(
            f"--lead {resources.lead_s} must be more than 0 seconds and less than the time limit of "
            f"{resources.minutes} minutes"
        )
