import pytest
from queue_tools import IMAGE, options

from ediffuser.samplers import Ancestral
from ediffuser.server.forecast import Pace, Running, calls_of
from ediffuser.server.listeners import MOST_WAITING, Mailbox
from ediffuser.server.messages import RowStep, Run
from ediffuser.server.records import Event
from ediffuser.server.schemas import Box


def running(job="job", variations=2, finished=(), **others):
    box = Box(left=0, top=0, width=1, height=1)
    return Running.of(Run(job, "anna", IMAGE, options(variations=variations, **others), box, finished=finished))


def test_progress_counts_the_calls_of_all_variations():
    job = running(variations=2)  # three calls each
    assert (job.progress, job.left, job.rows) == (0, 6, 2)
    job.step(RowStep("job", 0, 1, 3))
    assert (job.progress, job.left, job.rows) == (pytest.approx(1 / 6), 5, 2)
    job.step(RowStep("job", 0, 3, 3))
    job.finish(0)
    job.step(RowStep("job", 1, 3, 3))
    assert job.left == job.rows == 0
    assert job.progress < 1


def test_a_job_of_several_squares_is_known_by_its_first_step():
    job = running(variations=3, finished=(1,))
    assert (job.left, job.rows) == (6, 2)
    job.step(RowStep("job", 0, 1, 12))
    assert (job.left, job.rows) == (23, 2)
    assert job.progress == pytest.approx(13 / 36)


def test_calls_that_a_sampler_does_not_tell():
    assert calls_of(options(sampler=Ancestral())) == 1000
    assert calls_of(options(sampler=None)) == 1000


def test_a_job_waits_for_others_only_as_long_as_it_runs_itself():
    pace, jobs = Pace(), {"short": running("short", 1), "long": running("long", 8)}
    assert pace.eta("short", jobs) is None
    pace.measure("photos-128", 2.0)
    assert pace.eta("short", jobs) == 2 * (3 + 3)
    assert pace.eta("long", jobs) == 2 * (3 + 24)
    assert pace.queue_eta([options(variations=1), options(variations=2)], jobs) == 2 * (27 + 3 + 6)
    assert pace.queue_eta([options(model="another")], jobs) is None


def test_pace_follows_what_is_measured():
    pace = Pace()
    pace.measure("photos-128", 1.0)
    for _ in range(30):
        pace.measure("photos-128", 3.0)
    assert pace.seconds(options(), 1) == pytest.approx(3, abs=0.01)


def test_a_full_mailbox_drops_the_oldest_of_what_passes():
    mailbox = Mailbox()
    mailbox.put(Event(0, "started", ""))
    for number in range(1, 500):
        mailbox.put(Event(number, "variation" if number == 77 else "step", ""))
    waiting = list(mailbox._events)
    assert len(waiting) == MOST_WAITING
    assert [event.id for event in waiting if event.name != "step"] == [0, 77]
    assert waiting[-1].id == 499
    for number in range(500, 700):
        mailbox.put(Event(number, "variation", ""))
    mailbox.put(Event(700, "preview", ""))
    assert [event.id for event in list(mailbox._events)[2:]] == list(range(500, 700))
