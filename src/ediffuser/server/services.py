"""What the routes work with, from the server's start to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio
from fastapi import Depends, Request

from ediffuser.editing.select import segmenter
from ediffuser.server.catalogue import Catalogue
from ediffuser.server.images import ImageStore
from ediffuser.server.jobs import JobStore
from ediffuser.server.selections import Selections
from ediffuser.server.settings import ServerSettings
from ediffuser.server.supervisor import Supervisor

P = ParamSpec("P")
T = TypeVar("T")

HEAVY_AT_ONCE = 2  # a picture of 50 megapixels takes 200 MB and more while it is worked on
PRUNE_EVERY_S = 600.0

logger = logging.getLogger("ediffuser.server")


@dataclass(frozen=True)
class Services:
    """The parts of a running server."""

    settings: ServerSettings
    store: JobStore
    supervisor: Supervisor
    images: ImageStore
    selections: Selections
    catalogue: Catalogue
    heavy: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(HEAVY_AT_ONCE))

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does heavy work on pictures in a thread; only a few at once, the others wait."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self.heavy)

    async def in_light_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Waits for the disk in a thread, and for no other work."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs))

    def prune(self) -> None:
        """Forgets old jobs and pictures."""
        self.store.prune(age=self.settings.image_age)
        live = self.store.live_images()
        self.images.prune(live, age=self.settings.image_age, size=self.settings.image_bytes)


@asynccontextmanager
async def running(settings: ServerSettings) -> AsyncIterator[Services]:
    """Starts everything, the worker process included, and stops it at the end.

    Raises:
        BadInputError: If another server uses the data directory.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    store = JobStore(settings.data, settings.queue)
    try:
        supervisor = Supervisor(store, settings.worker())
        images = ImageStore(settings.data)
        selections = Selections(images, segmenter(settings.segmenter))
        services = Services(settings, store, supervisor, images, selections, Catalogue(settings))
        await supervisor.start()
        pruning = asyncio.create_task(_prune_for_ever(services))
        try:
            yield services
        finally:
            pruning.cancel()
            await supervisor.stop(settings.grace)
    finally:
        store.close()


async def _prune_for_ever(services: Services) -> None:
    while True:
        try:
            await services.in_thread(services.prune)
        except Exception:
            logger.exception("old pictures could not be removed")
        await asyncio.sleep(PRUNE_EVERY_S)


def services_of(request: Request) -> Services:
    """A dependency: the parts of the running server."""
    return request.app.state.services


def client_of(request: Request) -> str:
    """A dependency: whose request it is."""
    return request.state.client


Running = Annotated[Services, Depends(services_of)]
ClientName = Annotated[str, Depends(client_of)]
