"""Supervisor and worker processes, with a stub that paints noise."""

import asyncio
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from queue_server import serve
from queue_tools import (
    IMAGE,
    STUB,
    Clock,
    add_image,
    data_directory,  # noqa: F401 - the fixture `data`
    data_of,
    events_of,
    expected_patches,
    names,
    options,
    painted_patches,
    photo_pixels,
    ready,
    same,
    serving,
    small_hole,
    submit,
)

from ediffuser.server.jobs import JobStore
from ediffuser.server.messages import WorkerSettings
from ediffuser.server.records import Event
from ediffuser.server.supervisor import Supervisor

SLOW = replace(STUB, calls=40, seconds=0.05)


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def until(condition, seconds=30):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_job_from_click_to_picture(data):
    async def scenario():
        async with serving(data, replace(STUB, seconds=0.035)) as (store, supervisor):
            job = submit(store, seed=3)
            supervisor.wake()
            return store.info(job), await events_of(supervisor, job), painted_patches(store, job)

    queued, events, patches = asyncio.run(scenario())
    assert same(patches, expected_patches(photo_pixels(), small_hole(), 3, 2))
    snapshot = json.loads(events[0].data)
    assert events[0].name == "snapshot"
    assert events[0].id == 0
    assert {key: snapshot[key] for key in ("id", "state")} == {"id": queued.id, "state": "queued"}
    assert [name for name in names(events) if name not in {"step", "preview"}] == [
        "snapshot",
        "queued",
        "started",
        "variation",
        "variation",
        "done",
    ]
    assert [event.id for event in events] == sorted({event.id for event in events})
    steps = data_of(events, "step")
    assert [step["step"] for step in steps if step["variation"] == 1] == [1, 2, 3]
    progress = [step["progress"] for step in steps]
    assert progress == sorted(progress)
    assert all(0 < share < 1 for share in progress)
    assert all(step["eta_seconds"] is not None for step in steps)
    assert {preview["variation"] for preview in data_of(events, "preview")} == {0, 1}
    assert data_of(events, "done")[0]["progress"] == 1


def test_a_reader_who_comes_back_misses_nothing(data):
    async def scenario():
        async with serving(data) as (store, supervisor):
            job = submit(store)
            supervisor.wake()
            first = await events_of(supervisor, job, until="variation")
            rest = await events_of(supervisor, job, first[-1].id)
            again = await events_of(supervisor, job, rest[-1].id)
            late = await events_of(supervisor, job)
            nobody = await events_of(supervisor, "unknown")
            return first, rest, again, late, nobody

    first, rest, again, late, nobody = asyncio.run(scenario())
    lasting = [event for event in first[1:] + rest[1:] if event.name not in {"step", "preview"}]
    assert names(lasting) == ["queued", "started", "variation", "variation", "done"]
    assert late[1:] == lasting
    assert names(again) == ["snapshot"]
    assert again[0].id == rest[-1].id
    assert nobody == []


def test_eight_clients_with_25_jobs_each(data):
    """None lost, none painted twice, none swapped, and no client waits for another's second job."""
    pixels = [photo_pixels(24, 18), photo_pixels(20, 26)[::-1].copy()]
    images = [add_image(data, content, name) for content, name in zip(pixels, "xy", strict=True)]
    holes = [np.zeros(content.shape[:2], bool) for content in pixels]
    for hole in holes:
        hole[5:9, 6:11] = True

    async def client(store, supervisor, number):
        chance, jobs = random.Random(number), []
        for count in range(25):
            which = chance.randrange(2)
            key, seed = f"{number}-{count}", 1000 * number + count
            for _ in range(chance.choice([1, 1, 2])):  # some requests are sent twice
                job = await asyncio.to_thread(
                    submit, store, f"c{number}", key, hole=holes[which], image=images[which], seed=seed, variations=1
                )
                supervisor.wake()
            jobs.append((job, which, seed))
            if chance.random() < 0.2:
                await asyncio.sleep(0.01)
        return jobs

    async def scenario():
        async with serving(data, replace(STUB, calls=2), batch_rows=4) as (store, supervisor):
            store._capacity = 200
            jobs = await asyncio.gather(*(client(store, supervisor, number) for number in range(8)))
            await until(lambda: not store.order() and not supervisor._running, 60)
            for number, of_client in enumerate(jobs):
                assert [info.id for info in store.of_client(f"c{number}")] == [job for job, _, _ in reversed(of_client)]
                for job, which, seed in of_client:
                    info = store.info(job)
                    assert (info.state, info.attempts) == ("done", 1)
                    assert same(painted_patches(store, job), expected_patches(pixels[which], holes[which], seed, 1))
                    assert names(store.events_after(job, 0)) == ["queued", "started", "variation", "done"]
            return [job for of_client in jobs for job, _, _ in of_client]

    jobs = asyncio.run(scenario())
    assert len(set(jobs)) == 200
    assert len(list((data / "jobs").iterdir())) == 200


def test_each_client_gets_one_job_per_round(data):
    async def scenario():
        store = JobStore(data)
        for client, count in (("anna", 4), ("ben", 2), ("cora", 3)):
            for _ in range(count):
                submit(store, client, variations=1)
        store.close()
        async with serving(data, batch_rows=1) as (store, _):
            await until(lambda: not store._database.number("SELECT count(*) FROM jobs WHERE state != 'done'"))
            query = "SELECT client, name FROM events JOIN jobs ON job = jobs.id ORDER BY events.id"
            return [row["client"] for row in store._database.rows(query) if row["name"] == "started"]

    clients = asyncio.run(scenario())
    assert sorted(clients[:3]) == sorted(clients[3:6]) == ["anna", "ben", "cora"]
    assert sorted(clients[6:]) == ["anna", "anna", "cora"]


def test_cancelled_within_one_call(data):
    async def scenario():
        async with serving(data, SLOW, batch_rows=2) as (store, supervisor):
            job, waiting = submit(store, variations=8), submit(store)
            supervisor.wake()
            await events_of(supervisor, job, until="step")
            follow = asyncio.create_task(events_of(supervisor, job))
            await asyncio.sleep(0)
            start = time.monotonic()
            info = await supervisor.cancel(job)
            events = await follow
            await until(lambda: store.info(waiting).state == "running")
            await events_of(supervisor, waiting, until="step")
            seconds = time.monotonic() - start
            assert (await supervisor.cancel(job)).state == "cancelled"
            assert await supervisor.cancel("unknown") is None
            assert (await supervisor.cancel(waiting)).state == "cancelled"
            return info, events, seconds

    info, events, seconds = asyncio.run(scenario())
    assert info.state == "cancelled"
    assert names(events)[-1] == "cancelled"
    assert seconds < 1  # the call at hand, and the first one of the next job: 0.1 s


def test_positions_are_told_as_they_change(data):
    async def scenario():
        async with serving(data, SLOW, batch_rows=1) as (store, supervisor):
            jobs = [submit(store) for _ in range(3)]
            supervisor.wake()
            await until(lambda: store.info(jobs[0]).state == "running")
            follow = asyncio.create_task(events_of(supervisor, jobs[2], until="position"))
            await asyncio.sleep(0)
            before = supervisor.info(jobs[2])
            await supervisor.cancel(jobs[1])
            return before, await follow

    before, events = asyncio.run(scenario())
    assert before.position == 1
    assert data_of(events, "position") == [{"position": 0}]


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hanging"])
def test_a_job_survives_its_worker(data, way):
    """A hanging worker is noticed by its lease, on a clock that is set by hand."""
    clock = Clock()

    async def scenario():
        async with serving(data, replace(STUB, calls=6, seconds=0.02), clock, batch_rows=1) as (store, supervisor):
            job = submit(store, seed=9, variations=3)
            supervisor.wake()
            await events_of(supervisor, job, until="variation")
            first = supervisor.worker_pid
            os.kill(first, way)
            if way == signal.SIGSTOP:
                await asyncio.sleep(0.2)
                assert store.info(job).state == "running"
                clock.now += 61
            follow = asyncio.create_task(events_of(supervisor, job))
            await until(lambda: store.info(job).attempts == 2)
            mtime = (data / "jobs" / job / "0.png").stat().st_mtime_ns
            events = await follow
            assert gone(first)
            assert (data / "jobs" / job / "0.png").stat().st_mtime_ns == mtime
            return store.info(job), events, painted_patches(store, job)

    info, events, patches = asyncio.run(scenario())
    assert (info.state, info.attempts) == ("done", 2)
    assert same(patches, expected_patches(photo_pixels(), small_hole(), 9, 3))
    assert [started["attempt"] for started in data_of(events, "started")] == [1, 2]
    assert [result["variation"] for result in data_of(events, "variation")] == [0, 1, 2]


def test_a_job_that_kills_its_worker_fails_and_harms_nobody(data):
    async def scenario():
        async with serving(data, replace(STUB, fatal_seed=13), batch_rows=4) as (store, supervisor):
            fatal = submit(store, "anna", seed=13)
            others = [submit(store, client) for client in ("ben", "cora")]
            supervisor.wake()
            await asyncio.gather(*(events_of(supervisor, job) for job in (fatal, *others)))
            return store.info(fatal), [store.info(job) for job in others]

    fatal, others = asyncio.run(scenario())
    assert (fatal.state, fatal.problem.type, fatal.attempts) == ("failed", "worker-died", 2)
    assert [info.state for info in others] == ["done", "done"]


def test_a_queue_that_cannot_be_written_for_a_moment(data, monkeypatch):
    async def scenario():
        async with serving(data) as (store, supervisor):
            finish, faults = store.finish, [sqlite3.OperationalError("database or disk is full")]

            def full(job, variation):
                if faults:
                    raise faults.pop()
                return finish(job, variation)

            monkeypatch.setattr(store, "finish", full)
            job = submit(store)
            supervisor.wake()
            await events_of(supervisor, job)
            return store.info(job)

    info = asyncio.run(scenario())
    assert (info.state, info.attempts) == ("done", 2)


@pytest.mark.slow
def test_jobs_whose_worker_is_killed_again_and_again(data):
    """At random instants: every job ends, with its own picture or with a reason; none is stuck."""
    chance = random.Random(0)

    async def scenario():
        async with serving(data, replace(STUB, seconds=0.02), lease=5.0) as (store, supervisor):
            jobs = {submit(store, f"c{seed % 5}", seed=seed): seed for seed in range(60)}
            supervisor.wake()
            for _ in range(20):
                await ready(supervisor)
                await asyncio.sleep(chance.random() * 0.4)
                if supervisor.worker_pid is not None:
                    os.kill(supervisor.worker_pid, chance.choice([signal.SIGKILL, signal.SIGSEGV]))
                await until(lambda: isinstance(supervisor.readiness(), str), 5)
            await until(lambda: all(store.info(job).state in {"done", "failed"} for job in jobs), 120)
            for job, seed in jobs.items():
                info = store.info(job)
                assert info.attempts <= 2
                if info.state == "done":
                    assert same(painted_patches(store, job), expected_patches(photo_pixels(), small_hole(), seed, 2))
                else:
                    assert info.problem.type == "worker-died"
            return [store.info(job).state for job in jobs]

    assert asyncio.run(scenario()).count("done") >= 40


def test_a_stopped_server_puts_its_jobs_back(data):
    async def scenario():
        async with serving(data, SLOW) as (store, supervisor):
            job = submit(store)
            supervisor.wake()
            await events_of(supervisor, job, until="step")
            pid = supervisor.worker_pid
            follow = asyncio.create_task(events_of(supervisor, job))
            await asyncio.sleep(0)
            start = time.monotonic()
            await supervisor.stop()
            assert isinstance(supervisor.readiness(), str)
            return await follow, store.info(job), time.monotonic() - start, gone(pid)

    events, info, seconds, left = asyncio.run(scenario())
    assert names(events)[-1] == "queued"
    assert (info.state, info.attempts) == ("queued", 0)
    assert left
    assert seconds < 3


def test_a_stopping_server_lets_running_jobs_end(data):
    async def scenario():
        async with serving(data, replace(STUB, seconds=0.05)) as (store, supervisor):
            job = submit(store)
            supervisor.wake()
            await events_of(supervisor, job, until="started")
            waiting = submit(store, variations=8)
            await supervisor.stop(20)
            return store.info(job).state, store.info(waiting).state

    assert asyncio.run(scenario()) == ("done", "queued")


def test_a_killed_server_loses_nothing_and_the_next_does_nothing_twice(data):
    stub = replace(STUB, calls=4, seconds=0.02)
    store = JobStore(data)
    jobs = {submit(store, f"c{number % 3}", seed=number, variations=2): number for number in range(12)}
    store.close()
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(data, stub, theirs))
    server.start()
    assert ours.poll(60)
    pid, worker = ours.recv()
    time.sleep(0.4)
    os.kill(pid, signal.SIGKILL)
    server.join()

    async def scenario():
        await until(lambda: gone(worker))  # it never outlives its server
        async with serving(data, stub) as (store, _):
            await until(lambda: all(store.info(job).state == "done" for job in jobs))
            return {job: (store.info(job), store.events_after(job, 0), painted_patches(store, job)) for job in jobs}

    outcome = asyncio.run(scenario())
    ours.close()
    theirs.close()
    for job, (info, events, patches) in outcome.items():
        assert 1 <= info.attempts == names(events).count("started") <= 2
        assert names(events).count("variation") == 2
        assert same(patches, expected_patches(photo_pixels(), small_hole(), jobs[job], 2))
    attempts = [info.attempts for info, _, _ in outcome.values()]
    assert 0 < attempts.count(2) < 12


def test_a_slow_reader_loses_previews_but_no_state(data):
    async def scenario():
        stub = replace(STUB, calls=20)
        async with serving(data, stub, preview_seconds=0.0) as (store, supervisor):
            job = submit(store, variations=8)
            events = supervisor.subscribe(job)
            heard = [await anext(events)]
            supervisor.wake()
            await until(lambda: store.info(job).state == "done")
            return heard + [event async for event in events]

    events = asyncio.run(scenario())
    assert [name for name in names(events) if name not in {"step", "preview"}] == [
        "snapshot",
        "queued",
        "started",
        *["variation"] * 8,
        "done",
    ]
    assert len(events) < 90


def test_a_reader_who_leaves_is_forgotten(data):
    async def scenario():
        async with serving(data) as (store, supervisor):
            job = submit(store)
            events = supervisor.subscribe(job)
            await anext(events)
            assert job in supervisor._listeners
            await events.aclose()
            waiting = asyncio.create_task(events_of(supervisor, job))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return job in supervisor._listeners

    assert not asyncio.run(scenario())


def test_a_worker_that_cannot_start_says_why(data):
    async def scenario():
        store = JobStore(data)
        supervisor = Supervisor(store, WorkerSettings(data, model="faces-821", device="cpu"), tick=0.05)
        assert isinstance(supervisor.readiness(), str)
        await supervisor.start()
        try:
            await until(lambda: "faces-821" in str(supervisor.readiness()))
        finally:
            await supervisor.stop()
            store.close()

    asyncio.run(scenario())


def test_a_model_that_is_gone_by_then_fails_the_job_not_the_worker(data):
    async def scenario():
        async with serving(data) as (store, supervisor):
            job = submit(store, image=IMAGE.model_copy(update={"id": "g" * 22}))
            supervisor.wake()
            events = await events_of(supervisor, job)
            await ready(supervisor)
            return events

    events = asyncio.run(scenario())
    assert data_of(events, "failed")[0]["type"] == "image-gone"


def test_time_to_expect(data):
    async def scenario():
        async with serving(data, replace(STUB, seconds=0.05), batch_rows=1) as (store, supervisor):
            first = submit(store, variations=2)
            supervisor.wake()
            assert supervisor.info(first).eta_seconds is None  # nothing was painted yet
            await events_of(supervisor, first)
            jobs = [submit(store, variations=2) for _ in range(3)]
            supervisor.wake()
            await events_of(supervisor, jobs[0], until="step")
            return [info.eta_seconds for info in reversed(supervisor.of_client("anna"))]

    done, *others = asyncio.run(scenario())
    assert done is None
    assert others == sorted(others)
    assert 0 < others[0] < others[1] < others[2] < 30


def test_events_know_whether_they_end():
    assert [Event(1, name, "").ends for name in ("done", "failed", "cancelled", "queued")] == [True, True, True, False]
    assert options().variations == 2
