"""How far jobs are, and how long they will take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ediffuser.server.messages import RowStep, Run
from ediffuser.server.records import ALMOST
from ediffuser.server.schemas import JobOptions

ALL_STEPS = 1000
NEWEST_SHARE = 0.2


@dataclass
class Running:
    """A job in the worker.

    Attributes:
        run: What it is.
        steps: Network calls that each variation needs.
        done: Network calls that each variation has made.
    """

    run: Run
    steps: int
    done: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> "Running":
        """Nothing is known but what was asked for and what is finished."""
        steps = calls_of(run.options)
        return cls(run, steps, dict.fromkeys(run.finished, steps))

    def step(self, row: RowStep) -> None:
        """A variation has made a call."""
        if row.steps != self.steps:  # it has several squares
            self.done = {variation: row.steps for variation, calls in self.done.items() if calls >= self.steps}
            self.steps = row.steps
        self.done[row.variation] = row.step

    def finish(self, variation: int) -> None:
        """A variation is finished."""
        self.done[variation] = self.steps

    @property
    def left(self) -> int:
        """Network calls until the end, of all variations together."""
        return max(self.steps * self.run.options.variations - sum(self.done.values()), 0)

    @property
    def rows(self) -> int:
        """Variations that are not finished."""
        return sum(self.done.get(variation, 0) < self.steps for variation in range(self.run.options.variations))

    @property
    def progress(self) -> float:
        """Part of the calls that are made; below 1."""
        return min(1 - self.left / (self.steps * self.run.options.variations), ALMOST)


class Pace:
    """Seconds that a network call of one variation takes, for each model, as measured."""

    def __init__(self) -> None:
        """Nothing is measured."""
        self._seconds: dict[str, float] = {}

    def measure(self, model: str, seconds: float) -> None:
        """Another measurement; it counts a fifth."""
        before = self._seconds.get(model, seconds)
        self._seconds[model] = before + NEWEST_SHARE * (seconds - before)

    def seconds(self, options: JobOptions, calls: int) -> float | None:
        """Time for that many calls; None if the model has not painted yet."""
        pace = self._seconds.get(options.model)
        return None if pace is None else pace * calls

    def eta(self, job: str, running: Mapping[str, Running]) -> float | None:
        """When a running job ends: the worker takes turns, so no job costs it more calls than it needs itself."""
        left = running[job].left
        return self._sum((other.run.options, min(other.left, left)) for other in running.values())

    def queue_eta(self, before: Iterable[JobOptions], running: Mapping[str, Running]) -> float | None:
        """When a queued job ends, if those given, itself included, are served in their order."""
        work = [(other.run.options, other.left) for other in running.values()]
        return self._sum(work + [(options, options.variations * calls_of(options)) for options in before])

    def _sum(self, work: Iterable[tuple[JobOptions, int]]) -> float | None:
        times = [self.seconds(options, calls) for options, calls in work]
        known = [time for time in times if time is not None]
        return sum(known) if len(known) == len(times) else None


def calls_of(options: JobOptions) -> int:
    """Network calls of a variation with one square, as far as the sampler says."""
    return getattr(options.sampler, "steps", None) or ALL_STEPS
