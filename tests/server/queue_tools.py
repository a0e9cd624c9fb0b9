"""Jobs for the tests of queue and worker: small pictures, a stub that paints noise, and what must come out of it.

Who imports this gets workers that are forked from a process that has imported PyTorch: they start in a fraction of a
second instead of several.
"""

import asyncio
import json
import multiprocessing
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.editing import Photo, inpaint_variations
from ediffuser.samplers import Ddim
from ediffuser.server import link
from ediffuser.server.jobs import JobStore
from ediffuser.server.messages import StubSettings, WorkerSettings
from ediffuser.server.painters import stub_picture
from ediffuser.server.schemas import ImageInfo, JobOptions
from ediffuser.server.storage import image_directory, patch_path
from ediffuser.server.supervisor import Supervisor

multiprocessing.set_forkserver_preload(["ediffuser.server.worker"])
link.START_METHOD = "forkserver"

STUB = StubSettings(calls=3, seconds=0.0, resolution=8)
IMAGE = ImageInfo(id="i" * 22, width=40, height=30, alpha=False, format="png")


def memory_directory():
    """A directory in memory where there is one, for tests that are not about the disk; to be removed."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="ediffuser-test-", dir=memory if memory.is_dir() else None))


@pytest.fixture(name="data")
def data_directory():
    """A data directory with one picture."""
    directory = memory_directory()
    add_image(directory, photo_pixels())
    yield directory
    shutil.rmtree(directory)


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def small_hole(left=8, top=6):
    hole = np.zeros((30, 40), bool)
    hole[top : top + 5, left : left + 7] = True
    return hole


def options(seed=0, variations=2, **others):
    return JobOptions(
        **({"model": "photos-128", "seed": seed, "variations": variations, "sampler": Ddim(steps=3)} | others)
    )


def submit(store, client="anna", key=None, fingerprint="f", hole=None, image=IMAGE, **others):
    hole = small_hole() if hole is None else hole
    info, _ = store.submit(
        client=client, key=key, fingerprint=fingerprint, image=image, options=options(**others), hole=hole
    )
    return info.id


def add_image(data, pixels, name="i"):
    """Stores pixels as an uploaded picture."""
    height, width = pixels.shape[:2]
    info = ImageInfo(id=name * 22, width=width, height=height, alpha=False, format="png")
    directory = image_directory(data, info.id)
    directory.mkdir(parents=True)
    np.save(directory / "pixels.npy", pixels)
    return info


def photo_pixels(width=40, height=30):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3 % 256, y * 5 % 256, (x + y) * 2 % 256], axis=-1).astype(np.uint8)


def expected_patches(pixels, hole, seed, variations, resolution=8, detail=True):
    """What the stub paints for a job that is alone."""

    def fill(images, holes, first_index):
        return torch.stack([stub_picture((seed, first_index + row), resolution) for row in range(len(images))])

    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pictures = inpaint_variations(
        Photo(pixels), hole, fill, resolution, variations=variations, detail=detail, seed=seed
    )
    return [picture.pixels[window] for picture in pictures]


def painted_patches(store, job):
    """The stored patches of a job."""
    paths = [patch_path(store.data, job, result.variation) for result in store.info(job).results]
    return [np.asarray(Image.open(path)) for path in paths]


def same(patches, others):
    return len(patches) == len(others) and all(np.array_equal(a, b) for a, b in zip(patches, others, strict=True))


@asynccontextmanager
async def serving(data, stub=STUB, clock=None, **others):
    """A store and a supervisor that is ready, stopped at the end."""
    lease, tick = others.pop("lease", 60.0), others.pop("tick", 0.05)
    store = JobStore(data, **({} if clock is None else {"stopwatch": clock}))
    supervisor = Supervisor(store, WorkerSettings(data, stub=stub, **others), lease=lease, tick=tick)
    try:
        await supervisor.start()
        await ready(supervisor)
        yield store, supervisor
    finally:
        await supervisor.stop()
        store.close()


async def ready(supervisor):
    async with asyncio.timeout(60):
        while isinstance(supervisor.readiness(), str):
            await asyncio.sleep(0.02)


async def events_of(supervisor, job, last_id=0, until=None, seconds=60):
    """The events of a job: all, or up to the first with the name `until`."""
    heard = []
    async with asyncio.timeout(seconds):
        events = supervisor.subscribe(job, last_id)
        async for event in events:
            heard.append(event)
            if event.name == until:
                break
        await events.aclose()
    return heard


def names(events):
    return [event.name for event in events]


def data_of(events, name):
    return [json.loads(event.data) for event in events if event.name == name]
