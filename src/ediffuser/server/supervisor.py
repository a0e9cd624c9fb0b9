"""Keeps a worker process alive, gives it jobs, and tells who listens how they go. Lives in the server's event loop.

The store is asked right in the event loop: a change takes a few milliseconds, and nothing can come between a change and
telling it.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress

from ediffuser.server.forecast import Pace, Running
from ediffuser.server.jobs import JobStore
from ediffuser.server.link import Link
from ediffuser.server.listeners import Listeners
from ediffuser.server.messages import (
    Alive,
    Broken,
    Cancel,
    Finished,
    JobFailed,
    Previewed,
    Ready,
    Report,
    Stepped,
    Stop,
    WorkerSettings,
)
from ediffuser.server.records import WORKER_DIED, Event
from ediffuser.server.schemas import JobInfo, JobOptions, Preview, Problem, Progress, Queued, Readiness

logger = logging.getLogger(__name__)

MOST_RUNNING = 4
"""Jobs of different clients that the worker paints in turns."""
STARTUP_SECONDS = 120.0
LONGEST_PAUSE = 30.0


class Supervisor:
    """The one who talks to the worker. All methods belong to one event loop; `wake` may be called from any thread."""

    def __init__(self, store: JobStore, settings: WorkerSettings, *, lease: float = 60.0, tick: float = 1.0) -> None:
        """Starts nothing yet.

        Args:
            store: The queue.
            settings: For the worker process.
            lease: Seconds of silence after which a worker with a job counts as dead.
            tick: Seconds between two looks at the leases.
        """
        self._store = store
        self._settings = settings
        self._lease = lease
        self._tick = tick
        self._listeners = Listeners()
        self._running: dict[str, Running] = {}
        self._positions: dict[str, int] = {}
        self._pace = Pace()
        self._link: Link | None = None
        self._ready: Ready | None = None
        self._reason = "The server has not started its worker yet."
        self._stopping = False
        self._renewed = self._started = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def worker_pid(self) -> int | None:
        """The worker process's number; None while there is none."""
        return None if self._link is None else self._link.pid

    async def start(self) -> None:
        """Starts the worker process; returns at once, see `readiness`."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [asyncio.create_task(self._keep_alive()), asyncio.create_task(self._watch_leases())]

    async def stop(self, grace: float = 0.0) -> None:
        """Waits at most `grace` seconds for running jobs, puts the rest back into the queue, ends subscriptions."""
        self._stopping = True
        self._reason = "The server is being stopped."
        deadline = time.monotonic() + grace
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(min(0.05, self._tick))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link is not None:
            self._link.send(Stop())
            await self._link.ended(1.0)
        self._ready = self._link = None
        self._give_back(None)
        self._listeners.close()

    def wake(self) -> None:
        """There may be a new job."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._dispatch)

    async def cancel(self, job: str) -> JobInfo | None:
        """Cancels a job that is not ended. The job as it then stands; None if there is none."""
        self._tell(job, self._store.cancel(job))
        if self._running.pop(job, None) is not None and self._link is not None:
            self._link.send(Cancel(job))
        self._dispatch()
        return self.info(job)

    def info(self, job: str) -> JobInfo | None:
        """A job as it stands, with its progress and the time to expect."""
        info = self._store.info(job)
        return None if info is None else self._forecast([info])[0]

    def of_client(self, client: str) -> list[JobInfo]:
        """A client's jobs, newest first."""
        return self._forecast(self._store.of_client(client))

    async def subscribe(self, job: str, last_id: int = 0) -> AsyncGenerator[Event, None]:
        """What happens to a job: `snapshot` (with id `last_id`), stored events after `last_id`, then live ones.

        Ends after done, failed or cancelled, for an unknown job at once, and when the server stops. Close it
        (`aclose`, or cancel the task) when nobody listens any more. A slow reader misses steps and previews only.
        """
        mailbox = self._listeners.open(job)
        try:
            # Nothing happens between these two, as there is no await: no event is missed, none told twice.
            info, stored = self.info(job), self._store.events_after(job, last_id)
            if info is None:
                return
            yield Event(last_id, "snapshot", info.model_dump_json())
            for event in stored:
                yield event
            if info.state not in {"queued", "running"}:
                return
            async for event in mailbox.events():
                yield event
                if event.ends:
                    return
        finally:
            self._listeners.leave(job, mailbox)

    def readiness(self) -> Readiness | str:
        """What the worker runs on, or why it takes no jobs now."""
        if self._ready is None or self._stopping:
            return self._reason
        return Readiness(device=self._ready.device, model=self._ready.model)

    async def _keep_alive(self) -> None:
        """Starts a worker, hears it to its end, and again; with pauses if it cannot even start."""
        pause = 0.0
        self._reason = "The model is being loaded."
        while True:
            await asyncio.sleep(pause)
            self._started = time.monotonic()
            try:
                self._link = await asyncio.to_thread(Link, self._settings)
                async for report in self._link.reports():
                    self._hear(report)
            except Exception:  # such as a full disk: the worker is started anew, and its jobs with it
                logger.exception("The worker process is lost")
            pause = 0.0 if self._ready else min(2 * pause + 1, LONGEST_PAUSE)
            if self._ready:
                self._reason = "The worker process broke down and is being started again."
            self._ready = None
            if self._link is not None:
                await self._link.ended(0.0)
            self._give_back(WORKER_DIED)

    async def _watch_leases(self) -> None:
        """Ends a worker that has been silent for too long; what it ran then goes back to the queue."""
        while True:
            await asyncio.sleep(self._tick)
            slow = self._ready is None and time.monotonic() - self._started > STARTUP_SECONDS
            expired = self._store.expired()
            if self._link is not None and (slow or self._running.keys() & expired):
                logger.warning("The worker process does not answer and is ended")
                self._link.kill()
            for job in expired:
                if job not in self._running:  # the disk was full when its worker died
                    with suppress(sqlite3.Error):
                        self._tell(job, self._store.release(job, WORKER_DIED))

    def _give_back(self, problem: Problem | None) -> None:
        """Puts all running jobs back into the queue, or ends them if it was their last attempt."""
        for job in list(self._running):
            with suppress(sqlite3.Error):  # then their leases run out
                self._tell(job, self._store.release(job, problem))
            del self._running[job]

    def _dispatch(self) -> None:
        """Gives the worker what it has room for."""
        while (busy := self._busy()) is not None and self._link is not None:
            claimed = self._store.claim(self._lease, busy, alone=not self._running)
            if claimed is None:
                break
            run, started = claimed
            self._running[run.job] = Running.of(run)
            self._renewed = time.monotonic() if len(self._running) == 1 else self._renewed
            self._link.send(run)
            self._tell(run.job, [started])
        self._tell_positions()

    def _busy(self) -> set[str] | None:
        """Whose jobs are not taken now; None if nobody's is.

        A batch is filled with whatever comes next. Beyond that, only clients who have no job at work get their turn.
        """
        running = self._running.values()
        if self._ready is None or self._stopping or any(job.run.attempt > 1 for job in running):
            return None
        if sum(job.rows for job in running) < self._ready.batch_rows:
            return set()
        return {job.run.client for job in running} if len(running) < MOST_RUNNING else None

    def _hear(self, report: Report) -> None:
        if isinstance(report, Ready):
            self._ready = report
            self._dispatch()
        elif isinstance(report, Broken):
            self._reason = report.reason
            logger.error("The worker cannot start: %s", report.reason)
        elif isinstance(report, JobFailed):
            self._running.pop(report.job, None)
            problem = Problem(type=report.kind, title=report.title, status=500)
            self._tell(report.job, self._store.fail(report.job, problem))
            self._dispatch()
        elif not isinstance(report, Alive):  # work: the leases are renewed
            self._renew()
            self._hear_progress(report)

    def _hear_progress(self, report: Stepped | Previewed | Finished) -> None:
        if isinstance(report, Stepped):
            self._step(report)
        elif report.job not in self._running:
            return  # cancelled
        elif isinstance(report, Previewed):
            self._preview(report)
        else:
            self._running[report.job].finish(report.variation)
            events = self._store.finish(report.job, report.variation)
            if any(event.ends for event in events):
                del self._running[report.job]
            self._tell(report.job, events)
            self._dispatch()

    def _step(self, report: Stepped) -> None:
        rows = [row for row in report.rows if row.job in self._running]
        for row in rows:
            self._running[row.job].step(row)
        for row in rows:
            job = self._running[row.job]
            self._pace.measure(job.run.options.model, report.seconds)
            if row.job in self._listeners:
                eta = self._pace.eta(row.job, self._running)
                parts = {"variation": row.variation, "step": row.step, "steps": row.steps}
                progress = Progress(**parts, progress=job.progress, eta_seconds=eta)
                self._listeners.tell(row.job, self._store.event("step", progress))

    def _preview(self, report: Previewed) -> None:
        if report.job in self._listeners:
            parts = {"variation": report.variation, "left": report.left, "top": report.top, "side": report.side}
            self._listeners.tell(report.job, self._store.event("preview", Preview(**parts, image=report.image)))

    def _renew(self) -> None:
        if time.monotonic() - self._renewed > self._lease / 4:
            self._renewed = time.monotonic()
            self._store.renew(self._running, self._lease)

    def _tell(self, job: str, events: Iterable[Event]) -> None:
        for event in events:
            self._listeners.tell(job, event)

    def _tell_positions(self) -> None:
        """Tells those who wait and listen where they are in the queue, if that has changed."""
        positions = {job: place for place, job in enumerate(self._store.order()) if job in self._listeners}
        for job, place in positions.items():
            if self._positions.get(job) != place:
                self._listeners.tell(job, self._store.event("position", Queued(position=place)))
        self._positions = positions

    def _forecast(self, infos: list[JobInfo]) -> list[JobInfo]:
        """The same with what only the event loop knows."""
        waiting = self._store.waiting() if any(info.position is not None for info in infos) else []
        return [info.model_copy(update=self._expected(info, waiting)) for info in infos]

    def _expected(self, info: JobInfo, waiting: list[JobOptions]) -> dict[str, float | None]:
        running = self._running.get(info.id)
        if running is not None:
            return {"progress": running.progress, "eta_seconds": self._pace.eta(info.id, self._running)}
        if info.position is None:
            return {}
        return {"eta_seconds": self._pace.queue_eta(waiting[: info.position + 1], self._running)}
