"""The durable queue: which jobs there are, how they stand, and what has happened to them.

Every change is one transaction that is on the disk before the call returns; changes that no longer fit the job's state
(a result of a cancelled job, say) do nothing. Safe to call from several threads.
"""

import sqlite3
import time
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from ediffuser.runtime.errors import BadInputError
from ediffuser.server import storage
from ediffuser.server.database import Database
from ediffuser.server.messages import Run
from ediffuser.server.order import round_robin
from ediffuser.server.records import INTERRUPTED, Event, KeyReusedError, QueueFullError, StorageFullError, job_info
from ediffuser.server.schemas import Answer, Box, ImageInfo, JobInfo, JobOptions, Problem, Queued, Started

MOST_ATTEMPTS = 2
RETRY_SECONDS = 10


class JobStore:
    """The jobs of a data directory, which belongs to one process at a time."""

    def __init__(
        self,
        data: Path,
        capacity: int = 64,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens `data`/queue.sqlite or makes it; what ran when the last server died goes back to the queue.

        Args:
            data: The data directory.
            capacity: Most jobs that wait.
            clock: Seconds since 1970, for people.
            stopwatch: Seconds for leases, which never outlive a server: it stands still while the computer sleeps.

        Raises:
            BadInputError: If another server uses the directory.
        """
        self.data = data
        self._capacity = capacity
        self._clock = clock
        self._stopwatch = stopwatch
        self._database = Database(data)
        for row in self._database.rows("SELECT id FROM jobs WHERE state = 'running' ORDER BY number"):
            self.release(row["id"], INTERRUPTED)

    def close(self) -> None:
        """Gives the directory back."""
        self._database.close()

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
            StorageFullError: If the disk is full.
        """
        known = self._of_key(client, key, fingerprint)
        if known is not None:
            return known, False
        self._require_room()
        job = storage.new_id()
        try:
            storage.write_mask(self.data, job, hole)
            return self._insert(job, client, key, fingerprint, image, options, storage.box_of(hole))
        except BaseException as error:
            storage.remove_job(self.data, job)
            if isinstance(error, sqlite3.OperationalError | BadInputError | OSError):
                raise StorageFullError("the disk is full") from error
            raise

    def info(self, job: str) -> JobInfo | None:
        """A job as it stands; None if there is none. `Supervisor.info` also knows the progress within a variation."""
        with self._database.lock:
            row = self._database.row("SELECT * FROM jobs WHERE id = ?", job)
            return None if row is None else self._info(row, self.order())

    def client_of(self, job: str) -> str | None:
        """Whose job it is; None if there is none."""
        row = self._database.row("SELECT client FROM jobs WHERE id = ?", job)
        return None if row is None else row["client"]

    def of_client(self, client: str) -> list[JobInfo]:
        """A client's jobs, newest first."""
        with self._database.lock:
            order = self.order()
            rows = self._database.rows("SELECT * FROM jobs WHERE client = ? ORDER BY number DESC", client)
            return [self._info(row, order) for row in rows]

    def events_after(self, job: str, last_id: int) -> list[Event]:
        """The stored events of a job with a greater id, in order."""
        query = "SELECT id, name, data FROM events WHERE job = ? AND id > ? ORDER BY id"
        return [Event(*row) for row in self._database.rows(query, job, last_id)]

    def event(self, name: str, data: Answer) -> Event:
        """An event that is not stored, with a number of its own."""
        return Event(self._database.next_event(), name, data.model_dump_json())

    def live_images(self) -> set[str]:
        """Pictures that queued and running jobs need."""
        rows = self._database.rows("SELECT image FROM jobs WHERE state IN ('queued', 'running')")
        return {ImageInfo.model_validate_json(row["image"]).id for row in rows}

    def order(self) -> list[str]:
        """The queued jobs, the next one first."""
        with self._database.lock:
            waiting = self._database.rows("SELECT client, id FROM jobs WHERE state = 'queued' ORDER BY number")
            if not waiting:
                return []
            query = "SELECT client, max(turn) AS turn FROM jobs WHERE turn NOT NULL GROUP BY client"
            turns = {row["client"]: row["turn"] for row in self._database.rows(query)}
            return round_robin([(row["client"], row["id"]) for row in waiting], turns)

    def waiting(self) -> list[JobOptions]:
        """What the queued jobs ask for, in the order of the queue."""
        with self._database.lock:
            return [JobOptions.model_validate_json(self._row(job)["options"]) for job in self.order()]

    def claim(self, lease: float, busy: Collection[str] = (), *, alone: bool = True) -> tuple[Run, Event] | None:
        """Takes the next job out of the queue, to be run.

        Args:
            lease: Seconds after which it counts as abandoned, unless renewed.
            busy: Clients whose turn it is not.
            alone: Whether no other job runs. A job whose worker died before gets no company, so that it harms nobody.

        Returns:
            The job and the event `started`, or None.
        """
        with self._database.transaction():
            for job in self.order():
                row = self._row(job)
                if row["client"] not in busy:
                    return None if row["attempts"] and not alone else self._claimed(row, lease)
        return None

    def renew(self, jobs: Collection[str], lease: float) -> None:
        """Makes the leases of running jobs end `lease` seconds from now."""
        with self._database.transaction():
            for job in jobs:
                query = "UPDATE jobs SET lease = ? WHERE id = ? AND state = 'running'"
                self._database.change(query, self._stopwatch() + lease, job)

    def expired(self) -> list[str]:
        """Running jobs whose lease has run out."""
        query = "SELECT id FROM jobs WHERE state = 'running' AND lease <= ? ORDER BY number"
        return [row["id"] for row in self._database.rows(query, self._stopwatch())]

    def finish(self, job: str, variation: int) -> list[Event]:
        """A variation of a running job is painted, and its patch on the disk; the last one makes the job done."""
        with self._database.transaction():
            row = self._database.row("SELECT * FROM jobs WHERE id = ? AND state = 'running'", job)
            if row is None or not self._database.change("INSERT OR IGNORE INTO results VALUES (?, ?)", job, variation):
                return []
            results = self._info(row, []).results
            landed = next(result for result in results if result.variation == variation)
            events = [self._store(job, "variation", landed)]
            if len(results) == JobOptions.model_validate_json(row["options"]).variations:
                events.append(self._end(job, "done", None))
            return events

    def fail(self, job: str, problem: Problem) -> list[Event]:
        """A running job cannot be painted."""
        with self._database.transaction():
            return [self._end(job, "failed", problem)] if self._is(job, "running") else []

    def cancel(self, job: str) -> list[Event]:
        """Nobody wants the job any more; what has ended stays as it is."""
        with self._database.transaction():
            return [self._end(job, "cancelled", None)] if self._is(job, "queued", "running") else []

    def release(self, job: str, problem: Problem | None = None) -> list[Event]:
        """Puts a running job back into the queue, its finished variations kept.

        Args:
            job: Its id.
            problem: What went wrong; after the second attempt the job fails with it. None: nothing went wrong, and the
                attempt does not count.
        """
        with self._database.transaction():
            if not self._is(job, "running"):
                return []
            if problem is not None and self._row(job)["attempts"] >= MOST_ATTEMPTS:
                return [self._end(job, "failed", problem)]
            query = "UPDATE jobs SET state = 'queued', lease = NULL, attempts = attempts - ? WHERE id = ?"
            self._database.change(query, int(problem is None), job)
            return [self._store(job, "queued", Queued(position=self.order().index(job)))]

    def prune(self, *, age: float = 7 * 86_400, size: int = 4 * 2**30) -> None:
        """Forgets ended jobs: those that ended `age` seconds ago, then the oldest until `jobs` holds `size` bytes.

        Also removes what is left of jobs that were never taken in. Queued and running jobs stay.
        """
        now = self._clock()
        ended = self._database.rows("SELECT id, ended FROM jobs WHERE ended NOT NULL ORDER BY ended")
        sizes = storage.job_sizes(self.data)
        total = sum(sizes.values())
        for row in ended:
            if now - row["ended"] < age and total <= size:
                break
            with self._database.transaction():
                self._database.change("DELETE FROM jobs WHERE id = ?", row["id"])
            storage.remove_job(self.data, row["id"])
            total -= sizes.get(row["id"], 0)
        known = {row["id"] for row in self._database.rows("SELECT id FROM jobs")}
        storage.remove_strays(self.data, known, now)

    def _of_key(self, client: str, key: str | None, fingerprint: str) -> JobInfo | None:
        """The job that the client's key stands for."""
        with self._database.lock:  # between its row and its place in the queue nobody may claim it
            row = self._database.row("SELECT * FROM jobs WHERE client = ? AND key = ?", client, key)
            if row is None:
                return None
            if row["fingerprint"] != fingerprint:
                raise KeyReusedError("the idempotency key was used for another request")
            return self._info(row, self.order())

    def _require_room(self) -> None:
        if self._database.number("SELECT count(*) FROM jobs WHERE state = 'queued'") >= self._capacity:
            raise QueueFullError(RETRY_SECONDS)

    def _insert(
        self, job: str, client: str, key: str | None, fingerprint: str, image: ImageInfo, options: JobOptions, box: Box
    ) -> tuple[JobInfo, bool]:
        with self._database.transaction():
            known = self._of_key(client, key, fingerprint)
            if known is not None:  # another thread was faster
                storage.remove_job(self.data, job)
                return known, False
            self._require_room()
            texts = [part.model_dump_json() for part in (image, options, box)]
            columns = "id, client, key, fingerprint, state, image, options, box, created"
            query = f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?)"
            self._database.change(query, job, client, key, fingerprint, *texts, self._clock())
            order = self.order()
            self._store(job, "queued", Queued(position=order.index(job)))
            return self._info(self._row(job), order), True

    def _claimed(self, row: sqlite3.Row, lease: float) -> tuple[Run, Event]:
        turn = 1 + self._database.number("SELECT max(turn) FROM jobs")
        query = "UPDATE jobs SET state = 'running', attempts = attempts + 1, turn = ?, lease = ? WHERE id = ?"
        self._database.change(query, turn, self._stopwatch() + lease, row["id"])
        info = self._info(self._row(row["id"]), [])
        finished = tuple(result.variation for result in info.results)
        run = Run(info.id, row["client"], info.image, info.options, info.box, info.attempts, finished)
        return run, self._store(info.id, "started", Started(attempt=info.attempts))

    def _end(self, job: str, state: str, problem: Problem | None) -> Event:
        text = None if problem is None else problem.model_dump_json()
        query = "UPDATE jobs SET state = ?, lease = NULL, problem = ?, ended = ? WHERE id = ?"
        self._database.change(query, state, text, self._clock(), job)
        if state == "done":
            return self._store(job, state, self._info(self._row(job), []))
        return self._store(job, state, problem)

    def _store(self, job: str, name: str, data: Answer | None) -> Event:
        event = Event(self._database.next_event(), name, "{}" if data is None else data.model_dump_json())
        self._database.change("INSERT INTO events VALUES (?, ?, ?, ?)", event.id, job, event.name, event.data)
        return event

    def _row(self, job: str) -> sqlite3.Row:
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", job)
        if row is None:
            raise KeyError(job)
        return row

    def _is(self, job: str, *states: str) -> bool:
        row = self._database.row("SELECT state FROM jobs WHERE id = ?", job)
        return row is not None and row["state"] in states

    def _info(self, row: sqlite3.Row, order: list[str]) -> JobInfo:
        query = "SELECT variation FROM results WHERE job = ? ORDER BY variation"
        return job_info(row, [finished["variation"] for finished in self._database.rows(query, row["id"])], order)
