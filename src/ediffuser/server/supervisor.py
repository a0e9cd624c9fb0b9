"""Keeps a worker process alive, gives it jobs, and tells who listens how they go. Lives in the server's event loop."""

from collections.abc import AsyncIterator

from ediffuser.server.jobs import Event, JobStore
from ediffuser.server.messages import WorkerSettings
from ediffuser.server.schemas import JobInfo, Readiness


class Supervisor:
    """The one who talks to the worker. All methods belong to one event loop; `wake` may be called from any thread."""

    def __init__(self, store: JobStore, settings: WorkerSettings, *, lease: float = 60.0) -> None:
        """Starts nothing yet.

        Args:
            store: The queue.
            settings: For the worker process.
            lease: Seconds of silence after which a worker with a job counts as dead.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Starts the worker process; returns at once, see `readiness`."""
        raise NotImplementedError

    async def stop(self, grace: float = 0.0) -> None:
        """Waits at most `grace` seconds for running jobs, puts the rest back into the queue, ends subscriptions."""
        raise NotImplementedError

    def wake(self) -> None:
        """There may be a new job."""
        raise NotImplementedError

    async def cancel(self, job: str) -> JobInfo | None:
        """Cancels a job that is not ended. The job as it then stands; None if there is none."""
        raise NotImplementedError

    def info(self, job: str) -> JobInfo | None:
        """A job as it stands, with its progress and the time to expect."""
        raise NotImplementedError

    def of_client(self, client: str) -> list[JobInfo]:
        """A client's jobs, newest first."""
        raise NotImplementedError

    def subscribe(self, job: str, last_id: int = 0) -> AsyncIterator[Event]:
        """What happens to a job: `snapshot` (with id `last_id`), stored events after `last_id`, then live ones.

        Ends after done, failed or cancelled, for an unknown job at once, and when the server stops. Close it
        (`aclose`, or cancel the task) when nobody listens any more. A slow reader misses steps and previews only.
        """
        raise NotImplementedError

    def readiness(self) -> Readiness | str:
        """What the worker runs on, or why it takes no jobs now."""
        raise NotImplementedError
