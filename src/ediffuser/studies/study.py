"""What a study is: models, how each is sampled and how many pictures are judged, and what is claimed of the figures."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import pydantic

from ediffuser.conditioning import AnyConditioning, Conditioning
from ediffuser.data import DataSet
from ediffuser.evaluation.plan import COMPARED, Plan, TaskName
from ediffuser.samplers import AnySampler, Sampler
from ediffuser.studies.claims import Claim
from ediffuser.training import Experiment

Size = Literal["full", "small"]
"""The dissertation's own, for GPUs; or models of reduced width that a processor core trains."""

SIZES: tuple[Size, ...] = ("full", "small")


@dataclass(frozen=True)
class TrainedModel:
    """A model of a study.

    Attributes:
        label: What the dissertation calls it.
        experiment: How it is trained; its data are named when the study is run.
        data: Which data set: "cifar10" or "faces".
    """

    label: str
    experiment: Experiment
    data: str

    @property
    def name(self) -> str:
        """The recipe's name, with the seed where that is not 0; also that of its run directory."""
        seed = self.experiment.seed
        return self.experiment.name + (f"-seed{seed}" if seed else "")

    def seeded(self, seed: int) -> "TrainedModel":
        """The same, trained from another seed."""
        return replace(self, experiment=replace(self.experiment, seed=seed))

    def on(self, data: DataSet) -> Experiment:
        """Its experiment on these data, flipped or not as the recipe has it."""
        return replace(self.experiment, data=replace(data, flip=self.experiment.data.flip))


@dataclass(frozen=True)
class Cell:
    """One model sampled in one way: a row of a table.

    Attributes:
        model: What is sampled.
        task: What it is asked to do.
        sampler: The way from noise to a picture.
        label: What the row is called.
        nfe: Calls of the network for a picture, to be expected.
        count: How many pictures.
        conditioning: How a model that was not trained on the task is made to respect what is known.
        published: The first entry of the dissertation's row, "" if it has none.
        nll: Which likelihood is measured, if any.
        baselines: Methods without learning to compare with.
        speed: Whether its seconds are measured.
        features: The network whose features are compared, as of a `Plan`.
        series: The line of the plots that it is a point of; "" is its table's.
    """

    model: TrainedModel
    task: TaskName
    sampler: AnySampler
    label: str
    nfe: int
    count: int
    conditioning: AnyConditioning | None = None
    published: str = ""
    nll: Literal["vlb", "ode"] | None = None
    baselines: tuple[str, ...] = ()
    speed: bool = False
    features: str = "auto"
    series: str = ""

    @property
    def name(self) -> str:
        """A folder for its figures, the same in every study that has the cell."""
        words = [text(self.sampler), text(self.conditioning) if self.conditioning else "", f"n{self.count}"]
        words += [self.nll or "", *self.baselines, "speed" if self.speed else ""]
        slug = re.sub(r"[^a-z0-9.+]+", "-", " ".join(word for word in words if word).lower()).strip("-")
        return f"{self.model.name}/{slug}"

    def plan(self, model: str, data: DataSet, held_out: DataSet | None = None) -> Plan:
        """What is measured of the model at this path on these pictures; of held-out ones, a likelihood from nothing."""
        return Plan(
            model=model,
            task=self.task,
            data=data,
            split="train" if self.task == "generation" else "test",
            count=self.count,
            compared=max(COMPARED, self.count),
            sampler=self.sampler,
            conditioning=self.conditioning,
            holes=("mixed",),
            baselines=self.baselines,
            features=self.features,
            variations=1,
            nll=self.nll,
            held_out=held_out,
            speed=self.speed,
        )


@dataclass(frozen=True)
class Table:
    """Rows that stand together.

    Attributes:
        title: What they have in common.
        cells: The rows.
        number: That of the dissertation's table with the same rows; "" if it has none.
    """

    title: str
    cells: tuple[Cell, ...]
    number: str = ""


@dataclass(frozen=True)
class Study:
    """An experiment grid and what is to be learned from it.

    Attributes:
        name: On the command line.
        size: Of its models.
        title: One line.
        question: What it asks, in a paragraph.
        tables: What is measured.
        claims: What the figures decide.
        literature: Numbers of the dissertation's tables that compare with others' methods.
        limit: How many pictures a row has at most, if that was asked for.
    """

    name: str
    size: Size
    title: str
    question: str
    tables: tuple[Table, ...]
    claims: tuple[Claim, ...] = ()
    literature: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All rows, each once."""
        return tuple(dict.fromkeys(cell for table in self.tables for cell in table.cells))

    @property
    def models(self) -> tuple[TrainedModel, ...]:
        """All models, each once."""
        return tuple(dict.fromkeys(cell.model for cell in self.cells))

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the data sets that it needs."""
        return tuple(dict.fromkeys(model.data for model in self.models))

    def limited(self, count: int) -> "Study":
        """The same of at most `count` pictures a cell."""
        fewer = {cell.name: replace(cell, count=min(count, cell.count)) for cell in self.cells}
        tables = tuple(replace(table, cells=tuple(fewer[c.name] for c in table.cells)) for table in self.tables)
        claims = tuple(claim.on({old: new.name for old, new in fewer.items()}) for claim in self.claims)
        return replace(self, tables=tables, claims=claims, limit=count)


def text(component: Sampler | Conditioning) -> str:
    """A component as the command line takes it: its kind and what differs from its defaults, `ddim steps=25`."""
    return " ".join([getattr(component, "kind", ""), *_settings(component)])


def names(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The cells' names."""
    return tuple(cell.name for cell in cells)


def _settings(component: Any) -> Iterator[str]:  # noqa: ANN401 - any frozen component
    default = type(component)()
    for field in component.__dataclass_fields__:
        value = getattr(component, field)
        if field != "kind" and value != getattr(default, field):
            plain = pydantic.TypeAdapter(type(value)).dump_python(value, mode="json")
            yield f"{field}={_sparse(value) if isinstance(plain, dict) else _json(plain)}"


def _sparse(component: Any) -> str:  # noqa: ANN401
    """A component inside another, as JSON without its defaults and without spaces."""
    return _json(_tree(component))


def _tree(component: Any) -> Any:  # noqa: ANN401
    if not hasattr(component, "__dataclass_fields__"):
        return component
    default = type(component)()
    kept = {name: getattr(component, name) for name in component.__dataclass_fields__}
    return {k: _tree(v) for k, v in kept.items() if k == "kind" or v != getattr(default, k)}


def _json(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
