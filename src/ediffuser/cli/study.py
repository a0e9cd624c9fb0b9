"""`ediffuser study NAME --size small --data cifar10=TRAIN --held-out cifar10=TEST --out RUNS`."""

import signal
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.signals import stop_on_signals
from ediffuser.studies import Size, Study
from ediffuser.studies import study as find_study
from ediffuser.studies.commands import evaluation_command, training_command
from ediffuser.studies.hours import MACHINES
from ediffuser.studies.inputs import Inputs, inputs_of
from ediffuser.studies.run import Missing, Part, missing
from ediffuser.studies.run import run as run_study

FEWEST = 8
"""Results of one half of the pictures are compared with originals of the other, four of each."""


def study(
    name: Positional[str],
    size: Size = "small",
    data: UseAppendAction[tuple[str, ...]] = (),
    held_out: UseAppendAction[tuple[str, ...]] = (),
    out: Path = Path("runs"),
    dry_run: bool = False,
    only: Part | None = None,
    hours: float | None = None,
    count: int | None = None,
    device: str = "auto",
) -> None:
    """Trains, evaluates and reports a grid of models and samplers: the dissertation's tables from one command.

    What is there already is taken, so that the same command goes on wherever it was stopped. First it says how many
    hours it will take.

    Example: ediffuser study cifar10-color --data cifar10=train.zip --held-out cifar10=test.zip --out runs

    Args:
        name: cifar10-unconditional, cifar10-color, celebahq-unconditional, celebahq-inpainting or variance-or-ode.
        size: full is the dissertation's, for GPUs; small has models of reduced width, for one processor core.
        data: Pictures to train on, as cifar10=PATH or faces=PATH; may be given several times.
        held_out: Pictures to judge by, likewise.
        out: The directory of all studies: models/, evaluations/ and reports/.
        dry_run: Say what would be done, its hours and its commands, and do nothing.
        only: Do models, evaluations or report alone.
        hours: Begin nothing more after so many hours.
        count: Judge at most so many pictures in each row.
        device: auto, cpu, cuda ...
    """
    chosen = find_study(name, size)
    if count is not None and count < FEWEST:
        raise BadInputError(f"count {count} leaves no kernel distance to compare rows by; give at least {FEWEST}")
    chosen = chosen if count is None else chosen.limited(count)
    if dry_run:
        _say_all(chosen, _promised(data, held_out), out)
        return
    inputs = inputs_of(chosen, data, held_out)
    _say_hours(chosen, missing(chosen, out))
    with stop_on_signals() as stop:
        for line in run_study(chosen, inputs, out, only=only, hours=hours, device=device, stop=stop):
            print(line, flush=True)
    if stop.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if stop:
        print(f"stopped by {signal.Signals(stop.signal).name}; the same command goes on", flush=True)


def _promised(data: tuple[str, ...], held_out: tuple[str, ...]) -> Inputs:
    """The data of a dry run, which may still be missing."""
    nothing = Study("", "small", "", "", ())
    return inputs_of(nothing, data, held_out)


def _say_hours(study: Study, left: Missing) -> None:
    training, judging = sum(h for _, h in left.models), sum(h for _, h in left.cells)
    print(
        f"{study.name}, {study.size}: {len(left.models)} of {len(study.models)} models to train, {training:.1f} h; "
        f"{len(left.cells)} of {len(study.cells)} rows to evaluate, {judging:.1f} h; {left.hours:.1f} h together, on "
        f"{MACHINES[study.size].name}",
        flush=True,
    )


def _say_all(study: Study, inputs: Inputs, out: Path) -> None:
    left = missing(study, out)
    print(f"{study.title}\n{study.question}\n")
    for table in study.tables:
        print(f"{table.title}{f', Table {table.number}' if table.number else ''}")
        for cell in table.cells:
            print(f"  {cell.label}: {cell.count:,} pictures of {cell.model.name}, about {cell.nfe} calls each")
    print()
    for model, hours in left.models:
        print(f"# {model.label}, {hours:.1f} h\n{training_command(model, inputs, out)}")
    for cell, hours in left.cells:
        print(f"# {cell.model.label}, {cell.label}, {hours:.1f} h\n{evaluation_command(cell, inputs, out)}")
    print()
    _say_hours(study, left)
