"""Which variations are painted next, and together."""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field


@dataclass
class _Waiting:
    """A job's variations that wait for their turn."""

    kind: Hashable
    variations: deque[int] = field(default_factory=deque)


class Rota:
    """Turns between clients, between the jobs of a client, and within a job in the order of its variations.

    Variations share a batch if their jobs are of one kind: the same model and the same sampler.
    """

    def __init__(self) -> None:
        """Nothing waits."""
        # Who was served longest ago comes first, clients and jobs alike.
        self._clients: dict[str, dict[str, _Waiting]] = {}
        self._client_of: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return any(job.variations for jobs in self._clients.values() for job in jobs.values())

    def add(self, job: str, client: str, kind: Hashable, variations: Iterable[int]) -> None:
        """A job that may share a batch with others of its kind."""
        self._client_of[job] = client
        self._clients.setdefault(client, {})[job] = _Waiting(kind, deque(variations))

    def remove(self, job: str) -> None:
        """Forgets a job, if it is there."""
        client = self._client_of.pop(job, None)
        if client is not None:
            del self._clients[client][job]
            if not self._clients[client]:
                del self._clients[client]

    def again(self, job: str, variation: int) -> None:
        """A variation that has further squares to paint; it comes before those that have not begun."""
        self._clients[self._client_of[job]][job].variations.appendleft(variation)

    def next(self, rows: int) -> list[tuple[str, int]]:
        """Takes up to that many (job, variation) of one kind out: of the kind that whoever is first asks for."""
        batch: list[tuple[str, int]] = []
        kinds = (job.kind for jobs in self._clients.values() for job in jobs.values() if job.variations)
        kind = next(kinds, None)
        served = True
        while served and len(batch) < rows:
            served = False
            for client in list(self._clients):
                taken = self._take(client, kind) if len(batch) < rows else None
                if taken is not None:
                    batch.append(taken)
                    served = True
        return batch

    def _take(self, client: str, kind: Hashable) -> tuple[str, int] | None:
        """The client's next variation of that kind; client and job then go to the end of their lines."""
        jobs = self._clients[client]
        for name, job in jobs.items():
            if job.kind == kind and job.variations:
                jobs[name] = jobs.pop(name)
                self._clients[client] = self._clients.pop(client)
                return name, job.variations.popleft()
        return None
