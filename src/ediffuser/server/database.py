"""The SQLite file: its tables, and transactions that are on the disk when they end.

One connection in one process, and a rollback journal in place of the write-ahead log: SQLite before 3.51.3 may damage a
file in WAL mode, and the one of Python 3.11 is older.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ediffuser.runtime.errors import BadInputError

EVENTS_PER_BOOT = 1_000_000

TABLES = """
CREATE TABLE IF NOT EXISTS boots (boot INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    key TEXT,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    image TEXT NOT NULL,
    options TEXT NOT NULL,
    box TEXT NOT NULL,
    created REAL NOT NULL,
    ended REAL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts <= 2),
    turn INTEGER,
    lease REAL,
    problem TEXT,
    UNIQUE (client, key),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (ended IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS jobs_of_state ON jobs (state, number);
CREATE TABLE IF NOT EXISTS results (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    variation INTEGER NOT NULL,
    PRIMARY KEY (job, variation)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_job ON events (job, id);
"""


class Database:
    """A connection that several threads may use, one at a time; the directory belongs to this process alone."""

    def __init__(self, directory: Path) -> None:
        """Opens `queue.sqlite` in the directory, or makes it.

        Raises:
            BadInputError: If another process holds the directory.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._file = (directory / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise BadInputError(f"another server uses {directory}: stop it, or choose another directory") from error
        self._connection = sqlite3.connect(directory / "queue.sqlite", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = TRUNCATE", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(TABLES)
        self._next_event = self._boot() * EVENTS_PER_BOOT

    def close(self) -> None:
        """Gives the directory back."""
        with self.lock:
            self._connection.close()
            self._file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on the disk at its end."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self.lock:
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query."""
        with self.lock:
            return self._connection.execute(query, values).fetchone()

    def number(self, query: str, *values: object) -> int:
        """The only value of a query, 0 where it is null."""
        row = self.row(query, *values)
        return 0 if row is None or row[0] is None else int(row[0])

    def change(self, query: str, *values: object) -> int:
        """Changes rows; how many."""
        with self.lock:
            return self._connection.execute(query, values).rowcount

    def next_event(self) -> int:
        """A number above all before it, those of earlier processes included."""
        with self.lock:
            self._next_event += 1
            return self._next_event

    def _boot(self) -> int:
        """How often the file was opened, this time included; never behind the stored events."""
        with self.transaction():
            stored = self.number("SELECT max(id) FROM events") // EVENTS_PER_BOOT
            boot = 1 + max(self.number("SELECT max(boot) FROM boots"), stored)
            self.change("DELETE FROM boots")
            self.change("INSERT INTO boots VALUES (?)", boot)
        return boot
