"""An evaluation that can be killed at any instant: what is measured is published piece by piece, and never twice.

The run directory holds plan.json, parts/, and at the end figures.json, table.md and grid.png, which are made of the
parts alone, in the order of the plan. They are the same bytes however often the evaluation was killed and by how many
processes it was shared, as long as each of them has as many threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from ediffuser.evaluation.measure import Evaluation
from ediffuser.evaluation.opening import open_evaluation
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import Piece, Plan
from ediffuser.evaluation.record import Record, claim_plan
from ediffuser.evaluation.report import write_report
from ediffuser.runtime.distributed import ALONE, Processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.lock import only_one
from ediffuser.runtime.signals import Stop


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        done: Pieces that are done, by whichever process.
        total: All of them.
        piece: The one just done; None before the first of this process.
    """

    done: int
    total: int
    piece: Piece | None = None


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
        with group.together():
            piece = mine[turn] if turn < len(mine) else None
            if piece is not None:
                parts.write(piece, evaluation.measure(piece))
        yield Progress(min(done + (turn + 1) * group.world, total), total, piece)


def _claimed(out: Path) -> AbstractContextManager[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot make the folder {out}: {error.strerror}; choose another --out") from error
    return only_one(out, "being written")
