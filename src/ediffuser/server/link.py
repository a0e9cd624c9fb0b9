"""A worker process as the event loop sees it: commands go down a pipe, reports come up as an async iterator."""

import asyncio
import multiprocessing
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from multiprocessing.connection import Connection

from ediffuser.server.messages import Command, Report, WorkerSettings

START_METHOD = "spawn"
"""A clean process: the server has threads, and CUDA does not survive a fork."""


def _work(connection: Connection, settings: WorkerSettings) -> None:
    from ediffuser.server.worker import main  # PyTorch is for the child alone

    main(connection, settings)


class Link:
    """One worker process and the pipe to it."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Starts the process; call it in a thread, as that takes a moment."""
        context = multiprocessing.get_context(START_METHOD)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, settings), name="ediffuser-worker", daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._process.pid

    def send(self, command: Command) -> None:
        """Sends a command; nothing happens if the process is gone, as `reports` then ends."""
        with suppress(OSError):
            self._connection.send(command)

    async def reports(self) -> AsyncIterator[Report]:
        """What the process says, until it is gone."""
        # A thread, as a process that stops amid a message would block whoever reads; killing it ends the thread.
        heard: asyncio.Queue[Report | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop, heard), name="ediffuser-reports", daemon=True).start()
        while (report := await heard.get()) is not None:
            yield report

    def kill(self) -> None:
        """Ends the process at once, if it lives."""
        self._process.kill()

    async def ended(self, seconds: float) -> None:
        """Waits for the process to leave by itself, kills it after that time, and frees the pipe."""
        await asyncio.to_thread(self._process.join, seconds)
        self._process.kill()
        await asyncio.to_thread(self._process.join)
        self._connection.close()

    def _read(self, loop: asyncio.AbstractEventLoop, heard: "asyncio.Queue[Report | None]") -> None:
        with suppress(RuntimeError):  # the loop is closed
            with suppress(EOFError, OSError):
                while True:
                    loop.call_soon_threadsafe(heard.put_nowait, self._connection.recv())
            loop.call_soon_threadsafe(heard.put_nowait, None)
