import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from queue_tools import Clock, names, options, small_hole, submit

from ediffuser.runtime.errors import BadInputError
from ediffuser.server import storage
from ediffuser.server.jobs import JobStore
from ediffuser.server.records import INTERRUPTED, WORKER_DIED, KeyReusedError, QueueFullError, StorageFullError
from ediffuser.server.schemas import Problem

BROKEN = Problem(type="model-nonfinite", title="No numbers.", status=500)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = JobStore(tmp_path, capacity=5, clock=clock, stopwatch=clock)
    yield store
    store.close()


def test_a_job_from_submission_to_its_end(store):
    job = submit(store, variations=2, seed=7)
    queued = store.info(job)
    assert (queued.state, queued.position, queued.progress, queued.attempts) == ("queued", 0, 0, 0)
    assert queued.box.model_dump() == {"left": 8, "top": 6, "width": 7, "height": 5}
    assert np.array_equal(storage.read_mask(store.data, job, 40), small_hole())
    run, started = store.claim(60)
    assert (run.job, run.client, run.attempt, run.finished, started.name) == (job, "anna", 1, (), "started")
    assert store.claim(60) is None
    assert names(store.finish(job, 1)) == ["variation"]
    assert store.finish(job, 1) == []
    assert store.info(job).progress == 0.5
    assert names(store.finish(job, 0)) == ["variation", "done"]
    done = store.info(job)
    assert (done.state, done.progress, done.position) == ("done", 1, None)
    assert [result.variation for result in done.results] == [0, 1]
    assert {result.seed for result in done.results} == {7}
    assert done.results[1].patch == f"/api/jobs/{job}/results/1/patch"
    assert names(store.events_after(job, 0)) == ["queued", "started", "variation", "variation", "done"]
    third = store.events_after(job, 0)[2].id
    assert names(store.events_after(job, third)) == ["variation", "done"]
    assert store.cancel(job) == store.fail(job, BROKEN) == store.release(job, BROKEN) == store.finish(job, 0) == []
    assert store.info(job) == done


def test_a_job_claimed_while_its_key_is_sent_again_is_still_answered(store, monkeypatch):
    """Nobody takes a job between the reading of its row and that of its place in the queue."""
    job = submit(store, key="k")
    order = store.order
    with ThreadPoolExecutor() as threads:

        def order_after_a_claim():
            claims.append(threads.submit(store.claim, 60))
            time.sleep(0.1)
            return order()

        claims = []
        monkeypatch.setattr(store, "order", order_after_a_claim)
        assert submit(store, key="k") == job
        monkeypatch.undo()
        assert [claim.result()[0].job for claim in claims] == [job]


def test_the_same_key_gives_the_same_job(store):
    first = submit(store, key="k")
    assert submit(store, key="k") == first
    assert submit(store, client="ben", key="k") != first
    with pytest.raises(KeyReusedError):
        submit(store, key="k", fingerprint="other")
    assert submit(store) != submit(store)
    assert len(list((store.data / "jobs").iterdir())) == 4


def test_many_threads_with_one_key_make_one_job(store):
    with ThreadPoolExecutor(8) as pool:
        jobs = set(pool.map(lambda _: submit(store, key="k"), range(16)))
    assert len(jobs) == 1
    assert [path.name for path in (store.data / "jobs").iterdir()] == list(jobs)
    assert names(store.events_after(jobs.pop(), 0)) == ["queued"]


def test_a_full_queue_refuses_and_leaves_nothing(store):
    jobs = [submit(store, key=str(number)) for number in range(5)]
    with pytest.raises(QueueFullError) as refused:
        submit(store)
    assert refused.value.retry_after > 0
    assert len(list((store.data / "jobs").iterdir())) == 5
    assert submit(store, key="0") == jobs[0]
    store.claim(60)
    submit(store)


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk is full")])
def test_a_full_disk_refuses_and_leaves_nothing(store, fault, monkeypatch):
    def fail(*_):
        raise fault

    where = (storage, "write_mask") if isinstance(fault, OSError) else (JobStore, "_store")
    with monkeypatch.context() as patched:
        patched.setattr(*where, fail)
        with pytest.raises(StorageFullError):
            submit(store)
    assert store.of_client("anna") == []
    assert list((store.data / "jobs").glob("*")) == []
    assert submit(store)


def test_clients_take_turns(store):
    jobs = [submit(store, client) for client in ("anna", "anna", "ben", "anna", "cora")]
    assert [store.order().index(job) for job in jobs] == [0, 3, 1, 4, 2]
    assert [info.position for info in store.of_client("anna")] == [4, 3, 0]
    assert [store.claim(60)[0].client for _ in range(2)] == ["anna", "ben"]
    submit(store, "ben")
    assert [store.claim(60)[0].client for _ in range(3)] == ["cora", "anna", "ben"]


def test_busy_clients_are_passed_over(store):
    submit(store, "anna")
    job = submit(store, "ben")
    assert store.claim(60, {"anna", "ben"}) is None
    assert store.claim(60, {"anna"})[0].job == job


def test_a_job_that_failed_before_gets_no_company(store):
    suspect = submit(store, "anna")
    store.claim(60)
    store.release(suspect, WORKER_DIED)
    innocent = submit(store, "ben")
    assert store.claim(60)[0].job == innocent
    assert store.claim(60, alone=False) is None
    assert store.claim(60)[0].job == suspect


def test_two_attempts_and_no_more(store):
    job = submit(store)
    store.claim(60)
    store.finish(job, 1)
    assert names(store.release(job, WORKER_DIED)) == ["queued"]
    run, _ = store.claim(60)
    assert (run.attempt, run.finished) == (2, (1,))
    assert names(store.release(job, WORKER_DIED)) == ["failed"]
    failed = store.info(job)
    assert (failed.state, failed.problem, failed.attempts) == ("failed", WORKER_DIED, 2)
    assert [result.variation for result in failed.results] == [1]


def test_an_attempt_that_the_server_gave_up_does_not_count(store):
    job = submit(store)
    for _ in range(3):
        assert store.claim(60)[0].attempt == 1
        assert names(store.release(job)) == ["queued"]


def test_leases_run_out_unless_renewed(store, clock):
    one, two = submit(store, "anna"), submit(store, "ben")
    store.claim(60), store.claim(60)
    clock.now += 50
    store.renew([one], 60)
    clock.now += 15
    assert store.expired() == [two]
    clock.now += 60
    assert store.expired() == [one, two]
    store.cancel(one)
    store.renew([one], 60)
    assert store.expired() == [two]


def test_a_cancelled_job_stays_cancelled(store):
    waiting, running = submit(store, "anna"), submit(store, "ben")
    assert names(store.cancel(waiting)) == ["cancelled"]
    store.claim(60)
    store.finish(running, 1)
    assert names(store.cancel(running)) == ["cancelled"]
    assert [result.variation for result in store.info(running).results] == [1]  # what is finished stays
    assert store.cancel(running) == store.cancel("unknown") == []
    assert store.finish(running, 0) == []
    assert {store.info(job).state for job in (waiting, running)} == {"cancelled"}
    assert store.claim(60) is None


def test_a_new_server_finds_everything_and_counts_on(tmp_path, clock):
    first = JobStore(tmp_path, clock=clock)
    running, waiting, done = submit(first, "anna"), submit(first, "ben"), submit(first, "cora", key="k", variations=1)
    for _ in range(3):
        first.claim(60)
    first.release(waiting)
    first.finish(running, 0)
    first.finish(done, 0)
    last = first.events_after(done, 0)[-1].id
    with pytest.raises(BadInputError, match="another server"):
        JobStore(tmp_path)
    first.close()

    second = JobStore(tmp_path, clock=clock)
    assert [second.info(job).state for job in (running, waiting, done)] == ["queued", "queued", "done"]
    assert [result.variation for result in second.info(running).results] == [0]
    assert submit(second, "cora", key="k", variations=1) == done
    assert second.events_after(running, last)[0].id > last
    assert second.events_after(running, last)[0].id // 1_000_000 == last // 1_000_000 + 1
    assert {run.job for run, _ in (second.claim(60), second.claim(60))} == {running, waiting}
    second.close()

    third = JobStore(tmp_path, clock=clock)
    assert third.info(running).problem == INTERRUPTED
    assert third.info(waiting).state == "queued"  # its first attempt was given up in good order
    third.close()


def test_pruning_by_age_and_size_spares_what_lives(store, clock):
    jobs = [submit(store, variations=1) for _ in range(4)]
    for _ in range(3):
        run, _ = store.claim(60)
        storage.patch_path(store.data, run.job, 0).write_bytes(bytes(1000))
        store.finish(run.job, 0)
        clock.now += 100
    store.prune(age=250, size=10**6)
    assert [store.info(job) is None for job in jobs] == [True, False, False, False]
    store.prune(age=10**6, size=2500)
    assert [store.info(job) is None for job in jobs] == [True, True, False, False]
    assert not storage.job_directory(store.data, jobs[1]).exists()
    assert store.events_after(jobs[1], 0) == []
    store.prune(age=0, size=0)
    assert [store.info(job) is None for job in jobs] == [True, True, True, False]
    assert store.live_images() == {"i" * 22}


def test_pruning_removes_what_was_never_taken_in(store, clock):
    clock.now = time.time()
    storage.write_mask(store.data, "stray", small_hole())
    store.prune()
    assert storage.job_directory(store.data, "stray").exists()
    clock.now += 4000
    store.prune()
    assert not storage.job_directory(store.data, "stray").exists()


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (17, 23)])
def test_masks_come_back_as_they_were(tmp_path, shape):
    hole = np.random.default_rng(0).random(shape) < 0.5
    storage.write_mask(tmp_path, "job", hole)
    again = storage.read_mask(tmp_path, "job", shape[1])
    assert again.dtype == bool
    assert np.array_equal(again, hole)


def test_options_come_back_as_they_were(store):
    given = options(seed=2**53 - 1, variations=8, context=2.5, feather=12)
    job = submit(store, **given.model_dump(exclude={"sampler"}))
    assert store.info(job).options == given
