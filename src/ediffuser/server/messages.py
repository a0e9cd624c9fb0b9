"""What the server and its worker process say to each other over a pipe. Plain frozen values."""

from dataclasses import dataclass, field
from pathlib import Path

from ediffuser.runtime.device import PrecisionName
from ediffuser.server.schemas import Box, ImageInfo, JobOptions
from ediffuser.zoo import AUTO


@dataclass(frozen=True)
class StubSettings:
    """A painter without a network, for tests: each picture is noise of its own (seed, index).

    Attributes:
        calls: Calls for each picture.
        seconds: Time of one call.
        resolution: Side of its pictures.
        nonfinite_seed: Jobs with this seed give NaN.
        fatal_seed: Jobs with this seed kill the worker.
    """

    calls: int = 5
    seconds: float = 0.02
    resolution: int = 16
    nonfinite_seed: int | None = None
    fatal_seed: int | None = None


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker process paints.

    Attributes:
        data: The data directory, which holds `images` and `jobs`.
        model: What is loaded and warmed up at the start: a name in the zoo, a checkpoint directory, or `AUTO` for all
            shipped ones that may suit.
        device: auto, cpu, cuda, ...
        precision: auto, float32 or bf16.
        batch_rows: Most variations in one batch; None is 2 on a CPU and 16 elsewhere.
        preview_seconds: Least time between two previews of a variation.
        stub: Paint with a stub in the place of a model.
    """

    data: Path
    model: str = AUTO
    device: str = "auto"
    precision: PrecisionName = "auto"
    batch_rows: int | None = None
    preview_seconds: float = 0.2
    stub: StubSettings | None = None


@dataclass(frozen=True)
class Run:
    """Down: paint this job, but for the variations that are finished."""

    job: str
    client: str
    image: ImageInfo
    options: JobOptions
    box: Box
    attempt: int = 1
    finished: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cancel:
    """Down: nobody wants this job any more."""

    job: str


@dataclass(frozen=True)
class Stop:
    """Down: leave after the network call at hand."""


@dataclass(frozen=True)
class Ready:
    """Up: the model is loaded and warm."""

    device: str
    model: str
    batch_rows: int


@dataclass(frozen=True)
class Broken:
    """Up: no model could be loaded, and the worker leaves."""

    reason: str


@dataclass(frozen=True)
class Alive:
    """Up: a sign of life, about once a second while there is nothing to report."""


@dataclass(frozen=True)
class RowStep:
    """A variation has made `step` of `steps` network calls, all its crops together."""

    job: str
    variation: int
    step: int
    steps: int


@dataclass(frozen=True)
class Stepped:
    """Up: a network call is done, for these variations.

    Attributes:
        rows: The live ones.
        seconds: Time that the call took, divided by the number of rows.
    """

    rows: tuple[RowStep, ...]
    seconds: float


@dataclass(frozen=True)
class Previewed:
    """Up: what the model expects at present, on a square of native pixels."""

    job: str
    variation: int
    left: int
    top: int
    side: int
    image: str = field(repr=False)


@dataclass(frozen=True)
class Finished:
    """Up: a variation is painted, and its patch lies in the job's directory."""

    job: str
    variation: int


@dataclass(frozen=True)
class JobFailed:
    """Up: the job cannot be painted. `kind` is a stable word for programs, `title` a sentence for people."""

    job: str
    kind: str
    title: str


Command = Run | Cancel | Stop
Report = Ready | Broken | Alive | Stepped | Previewed | Finished | JobFailed
