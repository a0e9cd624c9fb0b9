"""The durable queue: which jobs there are, how they stand, and what has happened to them.

One SQLite connection in one process (see `docs/decisions`), every change in one transaction that is on the disk before
the call returns. Safe to call from several threads.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ediffuser.server.schemas import ImageInfo, JobInfo, JobOptions


@dataclass(frozen=True)
class Event:
    """Something that happened to a job: `name` and `data` (JSON text) as in server-sent events."""

    id: int
    name: str
    data: str


class QueueFullError(Exception):
    """No further job is taken now."""

    def __init__(self, retry_after: int) -> None:
        """`retry_after`: seconds after which to try again."""
        super().__init__(f"the queue is full; try again in {retry_after} seconds")
        self.retry_after = retry_after


class KeyReusedError(Exception):
    """The idempotency key was used for another request before."""


class JobStore:
    """The jobs of a data directory, which belongs to one process at a time."""

    def __init__(self, data: Path, capacity: int = 64, clock: Callable[[], float] = time.time) -> None:
        """Opens `data`/queue.sqlite or makes it; what ran when the last server died goes back to the queue.

        Raises:
            BadInputError: If another server uses the directory.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Gives the directory back."""
        raise NotImplementedError

    def submit(
        self,
        *,
        client: str,
        key: str | None,
        fingerprint: str,
        image: ImageInfo,
        options: JobOptions,
        hole: np.ndarray,
    ) -> tuple[JobInfo, bool]:
        """Takes a job in. It writes the mask too, so call it in a thread.

        Args:
            client: Whose job it is.
            key: Idempotency key of the request, None for none.
            fingerprint: Hash of the request's body.
            image: The stored picture.
            options: With seed and sampler filled in.
            hole: bool, shape (H, W) of the picture, True where to paint; at least one pixel.

        Returns:
            The job, and whether it is new: the same key and fingerprint give the same job.

        Raises:
            QueueFullError: If `capacity` jobs wait already.
            KeyReusedError: If the client used the key for another body.
        """
        raise NotImplementedError

    def info(self, job: str) -> JobInfo | None:
        """A job as it stands; None if there is none. `Supervisor.info` also knows the progress within a variation."""
        raise NotImplementedError

    def client_of(self, job: str) -> str | None:
        """Whose job it is."""
        raise NotImplementedError

    def of_client(self, client: str) -> list[JobInfo]:
        """A client's jobs, newest first."""
        raise NotImplementedError

    def events_after(self, job: str, last_id: int) -> list[Event]:
        """The stored events of a job with a greater id, in order."""
        raise NotImplementedError

    def live_images(self) -> set[str]:
        """Pictures that queued and running jobs need."""
        raise NotImplementedError

    def named_images(self) -> set[str]:
        """Pictures of all jobs that are not pruned."""
        raise NotImplementedError

    def prune(self, *, age: float = 7 * 86_400, size: int = 4 * 2**30) -> None:
        """Forgets ended jobs: those older than `age` seconds, then the oldest until `jobs` holds at most `size` bytes.

        Also removes directories without a job. Queued and running jobs stay.
        """
        raise NotImplementedError
