"""Jobs and events as they are read from the database, and why a job may not be taken in."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ediffuser.server.schemas import Box, ImageInfo, JobInfo, JobOptions, Problem, ResultInfo

ALMOST = 0.999
"""The greatest progress of a job that is not done."""

INTERRUPTED = Problem(
    type="interrupted", title="The server was stopped twice while it worked on this job; send it again.", status=500
)
WORKER_DIED = Problem(
    type="worker-died",
    title="The process that paints broke down twice over this job: try a smaller hole, another sampler or model.",
    status=500,
)


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: `name` and `data` (JSON text) as in server-sent events."""

    id: int
    name: str
    data: str

    @property
    def ends(self) -> bool:
        """Whether nothing can happen after it."""
        return self.name in {"done", "failed", "cancelled"}


class QueueFullError(Exception):
    """No further job is taken now."""

    def __init__(self, retry_after: int) -> None:
        """`retry_after`: seconds after which to try again."""
        super().__init__(f"the queue is full; try again in {retry_after} seconds")
        self.retry_after = retry_after


class KeyReusedError(Exception):
    """The idempotency key was used for another request before."""


class StorageFullError(Exception):
    """The job could not be written to the disk; nothing of it is left."""


def job_info(row: sqlite3.Row, finished: Sequence[int], order: Sequence[str]) -> JobInfo:
    """A job as it goes over the wire.

    Args:
        row: Its row in the table of jobs.
        finished: Its finished variations.
        order: The queue; is looked at only if the job is queued.
    """
    job, state = row["id"], row["state"]
    options, box = JobOptions.model_validate_json(row["options"]), Box.model_validate_json(row["box"])
    return JobInfo(
        id=job,
        state=state,
        image=ImageInfo.model_validate_json(row["image"]),
        options=options,
        box=box,
        position=order.index(job) if state == "queued" else None,
        progress=1.0 if state == "done" else min(len(finished) / options.variations, ALMOST),
        eta_seconds=None,
        results=[_result(job, variation, options, box) for variation in finished],
        problem=None if row["problem"] is None else Problem.model_validate_json(row["problem"]),
        created=datetime.fromtimestamp(row["created"], UTC).isoformat(timespec="milliseconds"),
        attempts=row["attempts"],
    )


def _result(job: str, variation: int, options: JobOptions, box: Box) -> ResultInfo:
    address = f"/api/jobs/{job}/results/{variation}"
    return ResultInfo(variation=variation, seed=options.seed or 0, box=box, patch=f"{address}/patch", picture=address)
