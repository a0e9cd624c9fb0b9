"""The process that owns the model. It paints what it is told to, and says how it goes; it decides nothing else.

It reads its pipe after every network call, so a cancelled job costs one call at most, and leaves when the pipe closes:
it never outlives the server.
"""

import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

from torch import Tensor

from ediffuser.runtime.errors import BadInputError
from ediffuser.server.batching import Rota
from ediffuser.server.easel import Easel, Row
from ediffuser.server.messages import (
    Alive,
    Broken,
    Cancel,
    Command,
    Finished,
    JobFailed,
    Ready,
    Report,
    Run,
    WorkerSettings,
)
from ediffuser.server.painters import Frame, Painter, painter_of
from ediffuser.server.reporter import Reporter

IDLE_SECONDS = 1.0

IMAGE_GONE = "The picture is no longer stored: upload it again."
DISK_FULL = "The picture is painted but cannot be stored: make room on the server's disk and try again."
NONFINITE = "The model gave no picture but numbers that are not finite: try another seed or sampler."


def main(connection: Connection, settings: WorkerSettings) -> None:
    """The whole life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the server too, which says when to stop
    try:
        try:
            painter = painter_of(settings)
        except BadInputError as error:
            connection.send(Broken(str(error)))
            return
        Worker(connection, painter, settings).run()
    except (EOFError, ConnectionError):
        return  # the server is gone


class Worker:
    """Paints the jobs it is given, batch after batch."""

    def __init__(self, connection: Connection, painter: Painter, settings: WorkerSettings) -> None:
        """Takes over a pipe and a painter."""
        self._connection = connection
        self._painter = painter
        self._settings = settings
        self._easels: dict[str, Easel] = {}
        self._rota = Rota()
        self._stopped = False

    def run(self) -> None:
        """Works until it is told to stop.

        Raises:
            EOFError: If the server is gone; a `ConnectionError` likewise.
        """
        self._send(Ready(self._painter.device, self._settings.model, self._painter.rows))
        while not self._stopped:
            if not self._rota and not self._connection.poll(IDLE_SECONDS):
                self._send(Alive())
            self._listen()
            batch = self._rota.next(self._painter.rows)
            if batch and not self._stopped:
                easels = [(self._easels[job], variation) for job, variation in batch]
                self._paint([Row(easel, variation, easel.ask(variation)) for easel, variation in easels])

    def _send(self, report: Report) -> None:
        self._connection.send(report)

    def _listen(self) -> None:
        """Obeys what has come in."""
        while self._connection.poll():
            command: Command = self._connection.recv()
            if isinstance(command, Run):
                self._begin(command)
            elif isinstance(command, Cancel):
                self._drop(command.job)
            else:
                self._stopped = True

    def _begin(self, run: Run) -> None:
        try:
            easel = self._easel(run)
        except FileNotFoundError:
            self._send(JobFailed(run.job, "image-gone", IMAGE_GONE))
        except BadInputError as error:
            self._send(JobFailed(run.job, "unusable-options", str(error)))
        else:
            self._easels[run.job] = easel
            self._rota.add(run.job, run.client, (run.options.model, easel.sampler), sorted(easel.left))

    def _easel(self, run: Run) -> Easel:
        model = run.options.model
        return Easel(self._settings.data, run, self._painter.resolution(model), self._painter.framing(model))

    def _drop(self, job: str) -> None:
        self._rota.remove(job)
        self._easels.pop(job, None)

    def _fail(self, row: Row, kind: str, title: str) -> None:
        if self._wanted(row):
            self._drop(row.job)
            self._send(JobFailed(row.job, kind, title))

    def _wanted(self, row: Row) -> bool:
        return self._easels.get(row.job) is row.easel and not self._stopped

    def _paint(self, rows: Sequence[Row]) -> None:
        """Runs a batch to its end, or until nobody wants any of it; unwanted rows run on undelivered until then."""
        model, sampler = rows[0].easel.run.options.model, rows[0].easel.sampler
        reporter = Reporter(self._send, rows, self._settings.preview_seconds)
        frame = None
        try:
            for frame in self._painter.paint(model, sampler, [row.ask for row in rows], [row.key for row in rows]):
                self._listen()
                self._refuse_nonfinite(rows, frame)
                live = [place for place, row in enumerate(rows) if self._wanted(row)]
                if not live:
                    return
                reporter.report(frame, live)
        except BadInputError as error:
            for row in rows:
                self._fail(row, "unusable-options", str(error))
        if frame is not None:
            for row, painted in zip(rows, frame.x, strict=True):
                self._listen()  # a hole of many megapixels takes a while to be written
                if self._wanted(row):
                    self._put(row, painted)

    def _refuse_nonfinite(self, rows: Sequence[Row], frame: Frame) -> None:
        for row, finite in zip(rows, frame.finite, strict=True):
            if not finite:
                self._fail(row, "model-nonfinite", NONFINITE)

    def _put(self, row: Row, painted: Tensor) -> None:
        try:
            finished = row.easel.put(row.variation, painted)
        except BadInputError:
            self._fail(row, "storage-full", DISK_FULL)
            return
        if not finished:
            self._rota.again(row.job, row.variation)
            return
        self._send(Finished(row.job, row.variation))
        if not row.easel.left:
            self._drop(row.job)
