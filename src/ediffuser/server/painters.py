"""What the worker paints with: a model, or in tests a stub. Both paint rows that need not belong together."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from ediffuser import zoo
from ediffuser.editing.choice import inpainters
from ediffuser.editing.paint import Ask
from ediffuser.generate import inpaint_rows, load
from ediffuser.model import Framing, Model
from ediffuser.runtime.errors import unknown_name
from ediffuser.runtime.noise import derived_seed
from ediffuser.samplers import Ddim, Sampler
from ediffuser.server.messages import StubSettings, WorkerSettings
from ediffuser.zoo import AUTO

MOST_MODELS = 2
ROWS_ELSEWHERE = 16
ROWS_ON_CPU = 2
"""A network call of a model of the shipped one's size takes 46 ms a row alone, 40 ms in twos, 35 ms in fours (one
core of an AMD EPYC, bf16, 2026-11-24; `benchmarks/web_jobs.py` measures it): twos cost 14 % more than fours, and
bring the first picture in little more than half the time."""


LEAST_PROGRESS = 0.01
"""What is taken for the part that is done while a solver's first attempts are refused."""


@dataclass(frozen=True)
class Frame:
    """Where a batch stands after a network call.

    Attributes:
        x: The pictures, once `calls` is `total`; shape (B, 3, r, r).
        x0: What is expected to become of them.
        calls: Calls so far, of the row with the most.
        total: Calls until the end, `calls` where it is reached, or a guess.
        finite: For each row, whether all that the network said was numbers.
    """

    x: Tensor
    x0: Tensor
    calls: int
    total: int
    finite: tuple[bool, ...]


class Painter(Protocol):
    """Paints batches."""

    device: str
    rows: int

    def resolution(self, model: str) -> int:
        """Side of a model's pictures.

        Raises:
            BadInputError: If there is no such model.
        """
        ...

    def framing(self, model: str) -> Framing:
        """What a model's training pictures show; errors as of `resolution`."""
        ...

    def paint(
        self, model: str, sampler: Sampler, asks: Sequence[Ask], keys: Sequence[tuple[int, int]]
    ) -> Iterator[Frame]:
        """The way of a batch; row k is drawn from keys[k], (seed, index).

        Raises:
            BadInputError: If the sampler does not suit the model.
        """
        ...


def painter_of(settings: WorkerSettings) -> Painter:
    """The painter that the settings ask for, loaded and warm.

    Raises:
        BadInputError: If there is no such model or device.
    """
    return ModelPainter(settings) if settings.stub is None else StubPainter(settings.stub, settings.batch_rows)


class ModelPainter:
    """Paints with models of the zoo, and with the one that the settings name."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Loads the settings' model, or the ones that may suit, and runs each once.

        Raises:
            BadInputError: If there is no such model or device.
        """
        self._settings = settings
        self._models: dict[str, Model] = {}
        names = list(inpainters()) if settings.model == AUTO else [settings.model]
        models = [self._model(name) for name in names]
        self.device = str(models[0].device)
        self.rows = settings.batch_rows or (ROWS_ON_CPU if models[0].device.type == "cpu" else ROWS_ELSEWHERE)
        for model in models:
            images = torch.zeros(self.rows, *model.shape)
            keys = [(0, row) for row in range(self.rows)]
            list(inpaint_rows(model, images, torch.ones_like(images[:, :1]), keys, Ddim(steps=1)))

    def resolution(self, model: str) -> int:
        """Side of a model's pictures."""
        return self._model(model).resolution

    def framing(self, model: str) -> Framing:
        """What a model's training pictures show."""
        return self._model(model).config.framing

    def paint(
        self, model: str, sampler: Sampler, asks: Sequence[Ask], keys: Sequence[tuple[int, int]]
    ) -> Iterator[Frame]:
        """The way of a batch."""
        loaded = self._model(model)
        watched = _Watched(loaded.network, len(asks))
        images, holes = torch.stack([ask.image for ask in asks]), torch.stack([ask.hole for ask in asks])
        for step in inpaint_rows(replace(loaded, network=watched), images, holes, keys, sampler):
            calls = int(step.calls.max())  # of a solver with steps of its own, rows end at different times
            total = max(calls, round(calls / max(step.progress, LEAST_PROGRESS)))
            yield Frame(step.x.clamp(-1, 1), step.x0, calls, total, watched.finite)

    def _model(self, name: str) -> Model:
        """The model of that name; the least recently loaded one makes room."""
        if name not in self._models:
            known = {entry.name for entry in zoo.entries()} | {self._settings.model}
            if name not in known:
                raise unknown_name("model", name, known)
            if len(self._models) == MOST_MODELS:
                del self._models[next(iter(self._models))]
            self._models[name] = load(name, device=self._settings.device, precision=self._settings.precision)
        return self._models[name]


class _Watched(nn.Module):
    """A network, and whether each row of its output was finite in every call: samplers clip an infinity away."""

    def __init__(self, network: nn.Module, rows: int) -> None:
        super().__init__()
        self._network = network
        self.finite = (True,) * rows

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        output = self._network(x, t)
        rows = output.isfinite().flatten(1).all(dim=1).tolist()
        self.finite = tuple(before and now for before, now in zip(self.finite, rows, strict=True))
        return output


class StubPainter:
    """Paints noise of (seed, index) without a network."""

    def __init__(self, settings: StubSettings, rows: int | None) -> None:
        """Ready at once."""
        self._settings = settings
        self.device = "stub"
        self.rows = rows or ROWS_ON_CPU

    def resolution(self, model: str) -> int:
        """The same for every name."""
        return self._settings.resolution

    def framing(self, model: str) -> Framing:
        """Anything."""
        return "free"

    def paint(
        self, model: str, sampler: Sampler, asks: Sequence[Ask], keys: Sequence[tuple[int, int]]
    ) -> Iterator[Frame]:
        """The finished pictures in every frame."""
        seeds = [seed for seed, _ in keys]
        if self._settings.fatal_seed in seeds:
            os._exit(1)
        x = torch.stack([stub_picture(key, self._settings.resolution) for key in keys])
        finite = tuple(seed != self._settings.nonfinite_seed for seed in seeds)
        for call in range(1, self._settings.calls + 1):
            time.sleep(self._settings.seconds)
            yield Frame(x, x, call, self._settings.calls, finite)


def stub_picture(key: tuple[int, int], resolution: int) -> Tensor:
    """What the stub paints for (seed, index): uniform in [-1, 1], shape (3, r, r)."""
    generator = torch.Generator().manual_seed(derived_seed(*key))
    return torch.rand(3, resolution, resolution, generator=generator) * 2 - 1
