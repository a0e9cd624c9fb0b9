"""Who listens to which job."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from ediffuser.server.records import Event

PASSING = frozenset({"step", "preview", "position"})
"""Events that are soon overtaken by others of their kind; a slow reader may miss them."""
MOST_WAITING = 64


class Mailbox:
    """Events on their way to one reader; never more than `MOST_WAITING` and those that nobody may miss."""

    def __init__(self) -> None:
        """Empty and open."""
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Adds an event; where too many wait, the oldest passing one is dropped."""
        if len(self._events) >= MOST_WAITING:
            passing = next((waiting for waiting in self._events if waiting.name in PASSING), None)
            if passing is not None:
                self._events.remove(passing)
            elif event.name in PASSING:
                return
        self._events.append(event)
        self._changed.set()

    def close(self) -> None:
        """Nothing will follow."""
        self._closed = True
        self._changed.set()

    async def events(self) -> AsyncIterator[Event]:
        """The events as they come, until the mailbox is closed."""
        while self._events or not self._closed:
            while self._events:
                yield self._events.popleft()
            self._changed.clear()
            if not self._closed:
                await self._changed.wait()


class Listeners:
    """The mailboxes of all readers."""

    def __init__(self) -> None:
        """Nobody listens."""
        self._of_job: dict[str, set[Mailbox]] = {}
        self._closed = False

    def __contains__(self, job: str) -> bool:
        """Whether anybody listens to a job."""
        return job in self._of_job

    def open(self, job: str) -> Mailbox:
        """A new mailbox for what happens to a job from now on."""
        mailbox = Mailbox()
        self._of_job.setdefault(job, set()).add(mailbox)
        if self._closed:
            mailbox.close()
        return mailbox

    def leave(self, job: str, mailbox: Mailbox) -> None:
        """Nobody reads that mailbox any more."""
        mailboxes = self._of_job.get(job, set())
        mailboxes.discard(mailbox)
        if not mailboxes:
            self._of_job.pop(job, None)

    def tell(self, job: str, event: Event) -> None:
        """Puts an event into the mailboxes of a job."""
        for mailbox in self._of_job.get(job, ()):
            mailbox.put(event)

    def close(self) -> None:
        """Ends all, now and in future."""
        self._closed = True
        for mailboxes in self._of_job.values():
            for mailbox in mailboxes:
                mailbox.close()
