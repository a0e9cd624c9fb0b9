"""A server without HTTP, in a process of its own that can be killed."""

import asyncio
import os
from multiprocessing.connection import Connection
from pathlib import Path

from queue_tools import serving

from ediffuser.server.messages import StubSettings


def serve(data: Path, stub: StubSettings, pipe: Connection) -> None:
    """Serves until it is killed; says its own number and the worker's once it is ready."""

    async def forever() -> None:
        async with serving(data, stub) as (_, supervisor):
            pipe.send((os.getpid(), supervisor.worker_pid))
            await asyncio.Event().wait()

    asyncio.run(forever())
