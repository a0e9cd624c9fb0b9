"""The editor's jobs on the real model: from the click to the first preview, to the pictures, and to a free worker.

    python benchmarks/web_jobs.py [--model photos-128] [--runs 3]

Through queue, supervisor and worker process, without HTTP: four variations of examples/astronaut.png in the hole of its
mask. Then a job of eight is cancelled while another waits: how soon that is answered, and how soon the other has made
its first network call. Beside them, what a variation's network call costs in batches of several sizes.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import tyro
from machine import report, seconds
from PIL import Image

from ediffuser.generate import DEFAULT_SAMPLER, inpaint, load
from ediffuser.samplers import Ddim
from ediffuser.server.jobs import JobStore
from ediffuser.server.messages import WorkerSettings
from ediffuser.server.schemas import ImageInfo, JobOptions
from ediffuser.server.storage import image_directory, new_id
from ediffuser.server.supervisor import Supervisor

EXAMPLES = Path(__file__).parents[1] / "examples"
MOST_SECONDS = {"first preview": 1.5, "four pictures": 12.0}
BATCHES = (1, 2, 4, 8)
CALLS = 6


def main(model: str = "photos-128", runs: int = 3) -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(jobs(Path(folder), model, runs))
    calls = {str(rows): round(1000 * seconds_per_row(model, rows), 1) for rows in BATCHES}
    title = f"Jobs of the editor by {model}, seconds after the click; median and worst of {runs}"
    report(title, rows, sampler=repr(DEFAULT_SAMPLER), **{"ms a row": calls})


async def jobs(data: Path, model: str, runs: int) -> list[dict]:
    """Runs jobs through a supervisor."""
    store = JobStore(data)
    supervisor = Supervisor(store, WorkerSettings(data, model=model))
    loading = time.perf_counter()
    await supervisor.start()
    try:
        while isinstance(supervisor.readiness(), str):
            await asyncio.sleep(0.01)
        times: dict[str, list[float]] = {"worker ready": [time.perf_counter() - loading]}
        image, hole = stored_example(data)
        for seed in range(runs):
            for what, taken in (await painted(store, supervisor, model, image, hole, seed)).items():
                times.setdefault(what, []).append(taken)
            for what, taken in (await cancelled(store, supervisor, model, image, hole)).items():
                times.setdefault(what, []).append(taken)
    finally:
        await supervisor.stop()
        store.close()
    return [
        {"what": what, "median": statistics.median(taken), "worst": max(taken), "at most": MOST_SECONDS.get(what, "")}
        for what, taken in times.items()
    ]


async def painted(
    store: JobStore, supervisor: Supervisor, model: str, image: ImageInfo, hole: np.ndarray, seed: int
) -> dict[str, float]:
    """A job of four from the click to its end."""
    names = {"preview": "first preview", "variation": "first picture", "done": "four pictures"}
    times: dict[str, float] = {}
    clicked = time.perf_counter()
    job = submit(store, supervisor, model, image, hole, seed, variations=4)
    async for event in supervisor.subscribe(job):
        if event.name in names:
            times.setdefault(names[event.name], time.perf_counter() - clicked)
    assert len(times) == len(names), f"the job ended without {set(names.values()) - times.keys()}"
    return times


async def cancelled(
    store: JobStore, supervisor: Supervisor, model: str, image: ImageInfo, hole: np.ndarray
) -> dict[str, float]:
    """A job of eight, given up after its second step, while another one waits."""
    job = submit(store, supervisor, model, image, hole, seed=0, variations=8)
    waiting = submit(store, supervisor, model, image, hole, seed=0, variations=1)
    await nth(supervisor, job, "step", 2)
    clicked = time.perf_counter()
    await supervisor.cancel(job)
    answered = time.perf_counter() - clicked
    await nth(supervisor, waiting, "step", 1)
    free = time.perf_counter() - clicked
    await supervisor.cancel(waiting)
    return {"cancel answered": answered, "next job's first call after a cancel": free}


async def nth(supervisor: Supervisor, job: str, name: str, count: int) -> None:
    """Waits for the event of that name for the n-th time."""
    events = supervisor.subscribe(job)
    async for event in events:
        count -= event.name == name
        if count == 0:
            break
    await events.aclose()


def submit(
    store: JobStore,
    supervisor: Supervisor,
    model: str,
    image: ImageInfo,
    hole: np.ndarray,
    seed: int,
    variations: int,
) -> str:
    """Takes a job in; its id."""
    options = JobOptions(model=model, variations=variations, seed=seed, sampler=DEFAULT_SAMPLER)
    info, _ = store.submit(client="anna", key=None, fingerprint="", image=image, options=options, hole=hole)
    supervisor.wake()
    return info.id


def stored_example(data: Path) -> tuple[ImageInfo, np.ndarray]:
    """The example as an uploaded picture, and its hole."""
    pixels = np.asarray(Image.open(EXAMPLES / "astronaut.png").convert("RGB"))
    hole = np.asarray(Image.open(EXAMPLES / "astronaut-mask.png").convert("L")) >= 128
    info = ImageInfo(id=new_id(), width=pixels.shape[1], height=pixels.shape[0], alpha=False, format="png")
    directory = image_directory(data, info.id)
    directory.mkdir(parents=True)
    np.save(directory / "pixels.npy", pixels)
    return info, hole


def seconds_per_row(name: str, rows: int) -> float:
    """Time of a network call, sampler included, divided by the rows of its batch."""
    model = load(name)
    images = torch.zeros(rows, *model.shape)
    holes = torch.ones_like(images[:, :1])

    def run() -> None:
        inpaint(model, images, holes, sampler=Ddim(steps=CALLS))

    run()
    return min(seconds(run) for _ in range(3)) / CALLS / rows


if __name__ == "__main__":
    tyro.cli(main)
