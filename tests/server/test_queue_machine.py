"""The queue as a state machine: whatever happens in whatever order, it agrees with a simple model of itself."""

import shutil
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from queue_tools import IMAGE, Clock, memory_directory, options, small_hole

from ediffuser.server.jobs import JobStore
from ediffuser.server.records import INTERRUPTED, WORKER_DIED, KeyReusedError, QueueFullError

CAPACITY = 4
LEASE = 60


@dataclass
class Expected:
    """What is known of a job without the database."""

    client: str
    variations: int
    state: str = "queued"
    attempts: int = 0
    lease: float = 0.0
    finished: set = field(default_factory=set)
    events: list = field(default_factory=lambda: ["queued"])

    def end(self, state):
        self.state = state
        self.events.append(state)

    def give_back(self):
        if self.attempts == 2:
            self.end("failed")
        else:
            self.state = "queued"
            self.events.append("queued")


class Queue(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.directory = memory_directory()
        self.clock = Clock()
        self.jobs, self.keys, self.last_event = {}, {}, 0
        self.store = JobStore(self.directory, CAPACITY, self.clock, self.clock)

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.directory)

    def of_state(self, *states):
        return [job for job, expected in self.jobs.items() if expected.state in states]

    def some(self, data, *states):
        return data.draw(st.sampled_from(self.of_state(*states)))

    @rule(
        client=st.sampled_from("abc"),
        key=st.sampled_from([None, None, "k", "l"]),
        fingerprint=st.sampled_from("fg"),
        variations=st.integers(1, 3),
    )
    def submit(self, client, key, fingerprint, variations):
        known = self.keys.get((client, key)) if key else None
        full = len(self.of_state("queued")) >= CAPACITY
        try:
            info, created = self.store.submit(
                client=client,
                key=key,
                fingerprint=fingerprint,
                image=IMAGE,
                options=options(variations=variations),
                hole=small_hole(),
            )
        except KeyReusedError:
            assert known is not None
            assert known[1] != fingerprint
        except QueueFullError:
            assert full
            assert known is None
        else:
            assert created == (known is None)
            assert known in (None, (info.id, fingerprint))
            assert not (created and full)
            if created:
                self.jobs[info.id] = Expected(client, variations)
                if key:
                    self.keys[client, key] = (info.id, fingerprint)

    @rule(alone=st.booleans(), busy=st.sets(st.sampled_from("abc"), max_size=2))
    def claim(self, alone, busy):
        order = [job for job in self.store.order() if self.jobs[job].client not in busy]
        claimed = self.store.claim(LEASE, busy, alone=alone)
        if claimed is None:
            assert not order or (self.jobs[order[0]].attempts and not alone)
            return
        run, _ = claimed
        expected = self.jobs[run.job]
        assert run.job == order[0]
        assert set(run.finished) == expected.finished
        expected.attempts += 1
        expected.state, expected.lease = "running", self.clock.now + LEASE
        expected.events.append("started")
        assert run.attempt == expected.attempts <= 2

    @precondition(lambda self: self.of_state("running"))
    @rule(data=st.data())
    def heartbeat(self, data):
        job = self.some(data, "running")
        self.store.renew([job], LEASE)
        self.jobs[job].lease = self.clock.now + LEASE

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds):
        self.clock.now += seconds

    @rule()
    def leases_run_out(self):
        late = [job for job in self.of_state("running") if self.jobs[job].lease <= self.clock.now]
        assert self.store.expired() == late
        for job in late:
            self.store.release(job, WORKER_DIED)
            self.jobs[job].give_back()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), variation=st.integers(0, 2))
    def finish(self, data, variation):
        """Any job, as a report may come too late."""
        job = data.draw(st.sampled_from(list(self.jobs)))
        expected = self.jobs[job]
        wanted = expected.state == "running" and variation not in expected.finished
        if variation < expected.variations:
            assert bool(self.store.finish(job, variation)) == wanted
            if wanted:
                expected.finished.add(variation)
                expected.events.append("variation")
                if len(expected.finished) == expected.variations:
                    expected.end("done")

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data):
        job = data.draw(st.sampled_from(list(self.jobs)))
        lives = self.jobs[job].state in {"queued", "running"}
        assert bool(self.store.cancel(job)) == lives
        if lives:
            self.jobs[job].end("cancelled")

    @precondition(lambda self: self.of_state("running"))
    @rule(data=st.data())
    def fail(self, data):
        job = self.some(data, "running")
        self.store.fail(job, INTERRUPTED)
        self.jobs[job].end("failed")

    @precondition(lambda self: self.of_state("running"))
    @rule(data=st.data())
    def give_up_in_good_order(self, data):
        job = self.some(data, "running")
        self.store.release(job)
        self.jobs[job].attempts -= 1
        self.jobs[job].state = "queued"
        self.jobs[job].events.append("queued")

    @rule()
    def crash_and_reopen(self):
        """The file as the dead server left it; its lock went with it."""
        self.store.close()
        self.store = JobStore(self.directory, CAPACITY, self.clock, self.clock)
        for job in self.of_state("running"):
            self.jobs[job].give_back()

    @rule(age=st.integers(0, 200))
    def prune(self, age):
        before = {job: self.store.info(job) for job in self.jobs}
        self.store.prune(age=age)
        for job in list(before):
            if self.store.info(job) is None:
                assert self.jobs.pop(job).state in {"done", "failed", "cancelled"}
                self.keys = {key: known for key, known in self.keys.items() if known[0] != job}

    @invariant()
    def agrees(self):
        order = self.store.order()
        assert sorted(order) == sorted(self.of_state("queued"))
        for job, expected in self.jobs.items():
            info = self.store.info(job)
            assert (info.state, info.attempts) == (expected.state, expected.attempts)
            assert {result.variation for result in info.results} == expected.finished
            assert info.position == (order.index(job) if expected.state == "queued" else None)
            assert (info.progress == 1) == (info.state == "done")
            assert (info.problem is not None) == (info.state == "failed")
            events = self.store.events_after(job, 0)
            assert [event.name for event in events] == expected.events
            assert [event.id for event in events] == sorted({event.id for event in events})

    @invariant()
    def one_round_is_fair(self):
        """Among the first in the queue, no client comes twice before each waiting client came once."""
        clients = [self.jobs[job].client for job in self.store.order()]
        assert len(set(clients[: len(set(clients))])) == len(set(clients))


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
