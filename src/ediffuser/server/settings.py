"""What a server is told when it starts."""

from dataclasses import dataclass, field
from pathlib import Path

from ediffuser.editing.choice import inpainters
from ediffuser.runtime.device import PrecisionName
from ediffuser.server.messages import StubSettings, WorkerSettings
from ediffuser.zoo import AUTO

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
LARGEST_FILE = 100_000_000
"""Bytes of a photo or a mask: what our own PNG file of 50 megapixels may have, so that it can be opened again."""


@dataclass(frozen=True)
class ServerSettings:
    """How to serve.

    Attributes:
        data: The data directory; one server at a time.
        model: What is loaded at the start, and painted with where a job names none; `AUTO` takes the shipped one that
            suits the hole.
        device: auto, cpu, cuda, ...
        precision: auto, float32 or bf16.
        batch_rows: Most variations in one batch; None is 2 on a CPU and 16 elsewhere.
        queue: Most jobs that wait.
        segmenter: A segmentation network, ONNX, for selection by clicks; None is the method that needs none.
        token: Secret that every client must know; None where only this computer can connect.
        hosts: Names under which browsers may address the server, in lower case, without a port.
        own_address: Also the address on which a connection came in is such a name.
        image_age: Seconds after which an unused picture is forgotten.
        image_bytes: Most bytes of stored pictures.
        grace: Seconds that running jobs get when the server stops.
        stub: Paint with a stub in the place of a model.
    """

    data: Path
    model: str = AUTO
    device: str = "auto"
    precision: PrecisionName = "auto"
    batch_rows: int | None = None
    queue: int = 64
    segmenter: Path | None = None
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = LOOPBACK
    own_address: bool = False
    image_age: float = 7 * 86_400
    image_bytes: int = 4 * 2**30
    grace: float = 5.0
    stub: StubSettings | None = None

    def worker(self) -> WorkerSettings:
        """What the worker process is told of it; a model by its name where only one is shipped that may suit."""
        suit = list(inpainters()) if self.model == AUTO else []
        return WorkerSettings(
            data=self.data,
            model=suit[0] if len(suit) == 1 else self.model,
            device=self.device,
            precision=self.precision,
            batch_rows=self.batch_rows,
            stub=self.stub,
        )
