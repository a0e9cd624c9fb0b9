"""An evaluation that can be killed at any instant: what is measured is published piece by piece, and never twice.

The run directory holds plan.json, parts/, and at the end figures.json, table.md and grid.png, which are made of the
parts alone, in the order of the plan. They are the same bytes however often the evaluation was killed and by how many
processes it was shared, as long as each of them has as many threads.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ediffuser.evaluation.measure import Evaluation
from ediffuser.evaluation.opening import open_evaluation
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import Piece, Plan
from ediffuser.evaluation.record import Record, claim_plan
from ediffuser.evaluation.report import write_report
from ediffuser.runtime.distributed import ALONE, Processes
from ediffuser.runtime.files import make_folder
from ediffuser.runtime.lock import only_one
from ediffuser.runtime.signals import Stop


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        done: Pieces that are done, by whichever process.
        total: All of them.
        piece: The one just done, or under way; None before the first of this process.
        seen: Pictures of the reference that are measured, while that piece is under way.
    """

    done: int
    total: int
    piece: Piece | None = None
    seen: int | None = None


def evaluate(
    plan: Plan, out: Path, *, device: str = "auto", group: Processes = ALONE, stop: Stop | None = None
) -> Iterator[Progress]:
    """Measures what a plan says and is not yet measured in a directory, and writes the report when all is there.

    Several processes call it together, each in the same way, and share the pieces. Ended or killed at any instant, it
    goes on when it is called again.

    Args:
        plan: What to measure.
        out: The run directory, made if there is none.
        device: "auto", "cpu", "cuda", ...
        group: The processes that share the work, as `ediffuser.runtime.distributed.processes` gives them.
        stop: Once it is true for one of the processes, each ends after the piece it is at, without a report.

    Yields:
        Where it stands, at the start and after each piece of this process.

    Raises:
        BadInputError: If the plan cannot be done, or the directory holds another one, or is in use.
        PeerError: If another process of the group failed.
    """
    with ExitStack() as claim:
        with group.together():
            evaluation = open_evaluation(plan, device, group)
            record = Record.of(evaluation)
            if group.first:
                claim.enter_context(_claimed(out))
                claim_plan(record, out)
        with group.together():
            parts, pieces = Parts(out), list(plan.pieces())
            if group.first:
                parts.remove_leftovers()
            missing = parts.missing(pieces)
        yield Progress(len(pieces) - len(missing), len(pieces))
        yield from _measured(evaluation, parts, missing, len(pieces), group, stop)
        with group.together():
            if group.first and not parts.missing(pieces):
                write_report(out)


def _measured(
    evaluation: Evaluation, parts: Parts, missing: Sequence[Piece], total: int, group: Processes, stop: Stop | None
) -> Iterator[Progress]:
    """Measures the missing pieces in turns, one for each process; before each turn all agree whether to go on."""
    mine, done = group.mine(missing), total - len(missing)
    for turn in range(-(-len(missing) // group.world)):
        if group.any(bool(stop)):
            return
        piece, given_up = mine[turn] if turn < len(mine) else None, False
        with group.together():
            if piece is not None:
                so_far = Progress(min(done + turn * group.world, total), total, piece)
                given_up = yield from _published(evaluation, parts, so_far, piece, stop)
        if given_up:
            continue
        yield Progress(min(done + (turn + 1) * group.world, total), total, piece)


def _published(
    evaluation: Evaluation, parts: Parts, so_far: Progress, piece: Piece, stop: Stop | None
) -> Generator[Progress, None, bool]:
    """Measures a piece and publishes it; returns whether it was given up, as the reference is if somebody waits."""
    steps = evaluation.measuring(piece)
    while True:
        try:
            seen = next(steps)
        except StopIteration as end:
            parts.write(piece, end.value)
            return False
        if stop:
            return True
        yield replace(so_far, seen=seen)


def _claimed(out: Path) -> AbstractContextManager[None]:
    make_folder(out)
    return only_one(out, "being written")
