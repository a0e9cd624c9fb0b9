"""What one evaluation measures, as plain data, and the pieces that it is made of."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ediffuser.conditioning import AnyConditioning
from ediffuser.data import DataSet
from ediffuser.evaluation.classical import CLASSICAL
from ediffuser.evaluation.holes import KINDS
from ediffuser.generate import DEFAULT_SAMPLER, FREE_SAMPLER
from ediffuser.runtime.component import component
from ediffuser.runtime.device import PrecisionName
from ediffuser.samplers import Ancestral, AnySampler, Sampler

TaskName = Literal["inpainting", "colorization", "generation"]

BASELINES: Mapping[TaskName, tuple[str, ...]] = {
    "inpainting": tuple(CLASSICAL),
    "colorization": ("grey",),
    "generation": (),
}
"""What a model is compared with. "grey" is the picture without its colours: what colouring nothing is worth."""

COMPARED = 10_000

MODEL, REFERENCE, LIKELIHOOD, SPEED = "model", "reference", "likelihood", "speed"
"""Names of pieces that are no baseline's."""


@component
class Plan:
    """One model, one task, one set of pictures: what is measured.

    Attributes:
        model: A name in the zoo, or a checkpoint or run directory.
        task: What the model is asked to do.
        data: Pictures; the first `count` are used, and held-out ones they should be. For generation the model's are
            compared with them as a set, for which those that were trained on are usual.
        split: What part of the data that is, in words.
        count: How many pictures.
        compared: For generation: with how many pictures of the data, or all of them if there are fewer.
        seed: Picture k is made from the noise (seed, k), its v-th variation from (seed + v, k).
        batch: How many are made at once, and lost at most if the evaluation is killed.
        sampler: The way from noise to a picture; None is the facade's.
        conditioning: How a model that was not trained on the task is made to respect what is known.
        holes: Kinds of holes, names of `KINDS`; for inpainting alone.
        matched: For inpainting: whether the model paints a cell more on every side and its colours are moved to meet
            the known picture, as the editor does (`editing.seam`); else its picture is taken as it is.
        baselines: Methods in the same table, of `BASELINES[task]`; None is all of them.
        features: The network whose features are compared, a name of `FEATURES`, "auto", or "none" for no comparison.
        distance: The perceptual distance of two pictures, a name of `DISTANCES`, "auto", or "none".
        variations: How many pictures are made of one observation, to see how they differ; 1 measures no diversity.
        diverse: Of how many pictures, the first ones.
        nll: Bits per dimension by the variational bound or by the ODE; None for no likelihood.
        likely: Of how many pictures, the first ones.
        held_out: For generation: whose likelihood is measured, if not that of `data`, which a model may know.
        classifier: An ONNX file that tells the groups of pictures (`GroupClassifier`), to see how they change.
        speed: Whether to measure seconds, by the dissertation's protocol; these differ from run to run.
        precision: Of the network's convolutions and matrix products.
    """

    model: str
    task: TaskName
    data: DataSet
    split: str = "all"
    count: Annotated[int, Field(ge=2)] = 500
    compared: Annotated[int, Field(ge=2)] = COMPARED
    seed: Annotated[int, Field(ge=0)] = 0
    batch: Annotated[int, Field(ge=1)] = 50
    sampler: AnySampler | None = None
    conditioning: AnyConditioning | None = None
    holes: tuple[str, ...] = KINDS
    matched: bool = False
    baselines: tuple[str, ...] | None = None
    features: str = "auto"
    distance: str = "auto"
    variations: Annotated[int, Field(ge=1)] = 4
    diverse: Annotated[int, Field(ge=1)] = 64
    nll: Literal["vlb", "ode"] | None = None
    likely: Annotated[int, Field(ge=1)] = 128
    held_out: DataSet | None = None
    classifier: str | None = None
    speed: bool = False
    precision: PrecisionName = "auto"

    @model_validator(mode="after")
    def _known(self) -> Self:
        for what, names, known in (
            ("kind of hole", self.holes, KINDS),
            (f"baseline of {self.task}", self.methods, BASELINES[self.task]),
        ):
            wrong = [name for name in names if name not in known]
            if wrong:
                raise ValueError(f"no {what} is named '{wrong[0]}'; there are {', '.join(known) or 'none'}")
            if len(set(names)) < len(names):
                raise ValueError(f"a {what} is named twice: {', '.join(names)}")
        if self.task == "inpainting" and not self.holes:
            raise ValueError(f"inpainting needs at least one kind of hole of {', '.join(KINDS)}")
        if self.held_out and (self.task != "generation" or self.nll is None):
            raise ValueError("held-out pictures beside the data are for the likelihood of generation: give nll, too")
        return self

    @property
    def methods(self) -> tuple[str, ...]:
        """The baselines."""
        return BASELINES[self.task] if self.baselines is None else self.baselines

    @property
    def way(self) -> Sampler:
        """The sampler."""
        return self.sampler or usual_way(self.task)

    @property
    def bound(self) -> Ancestral:
        """The chain that the variational bound is of: the sampler, if it is one, else that of all steps."""
        return self.way if isinstance(self.way, Ancestral) else Ancestral()

    @property
    def bits(self) -> int:
        """Of how many pictures the likelihood is measured."""
        return min(self.likely, self.count) if self.nll else 0

    @property
    def groups(self) -> tuple[str, ...]:
        """The kinds of holes, or one group without a name where the task has none."""
        return self.holes if self.task == "inpainting" else ("",)

    def pieces(self) -> Iterator["Piece"]:
        """All the pieces, in the order in which their figures are added up."""
        yield Piece(REFERENCE, 0, self.count)
        for group in self.groups:
            for method in (*self.methods, MODEL):
                yield from self._batches(method, self.count, group)
            if self.nll:
                yield from self._batches(LIKELIHOOD, self.bits, group)
        if self.speed:
            yield Piece(SPEED, 0, 0)

    def _batches(self, method: str, count: int, group: str = "") -> Iterator["Piece"]:
        for start in range(0, count, self.batch):
            yield Piece(method, start, min(start + self.batch, count), group)


@dataclass(frozen=True)
class Piece:
    """Work that is done and published as one: a whole batch of one method.

    Attributes:
        method: Who does it: a baseline, or one of `MODEL`, `REFERENCE`, `LIKELIHOOD` and `SPEED`.
        start: Index of the first picture.
        stop: Index after the last one.
        group: The kind of hole, if there are kinds.
    """

    method: str
    start: int
    stop: int
    group: str = ""

    @property
    def indices(self) -> range:
        """The pictures."""
        return range(self.start, self.stop)

    @property
    def name(self) -> str:
        """The name of the file that holds what was measured, without its ending."""
        words = (self.group, self.method, f"{self.start:07d}")
        return re.sub(r"[^a-z0-9-]+", "_", "-".join(word for word in words if word).lower())


def usual_way(task: TaskName) -> Sampler:
    """The facade's sampler for a task."""
    return FREE_SAMPLER if task == "generation" else DEFAULT_SAMPLER
