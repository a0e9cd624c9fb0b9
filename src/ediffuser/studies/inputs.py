"""What a study is given: for each data set that it names, pictures to train on and others to judge by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ediffuser.data import DataSet, data_set_at
from ediffuser.evaluation.plan import Plan
from ediffuser.runtime.errors import BadInputError, unknown_name
from ediffuser.studies.study import Cell, Study, TrainedModel

DATA_SETS: Mapping[str, str] = {"cifar10": "CIFAR-10", "faces": "CelebA-HQ, or other aligned faces"}
"""The names that studies use, and what they stand for."""


@dataclass(frozen=True)
class Inputs:
    """Where the data of a study lie.

    Attributes:
        train: Path of each data set's pictures to train on, by the names of `DATA_SETS`.
        held_out: Path of those to judge by.
    """

    train: Mapping[str, str]
    held_out: Mapping[str, str]

    def training(self, model: TrainedModel) -> DataSet:
        """What a model is trained on, at its own size.

        Raises:
            BadInputError: If nothing is there, or it has not that size.
        """
        return data_set_at(self.train[model.data], model.experiment.model.network.resolution)

    def plan(self, cell: Cell, model: str) -> Plan:
        """What is measured of the model at this path.

        Pictures from nothing are compared with those that were trained on, as is usual, and the likelihood is that of
        held-out ones; colours and fillings are made of held-out pictures and compared with those.
        """
        resolution, name = cell.model.experiment.model.network.resolution, cell.model.data
        if cell.task != "generation":
            return cell.plan(model, data_set_at(self.held_out[name], resolution, split="test", flip=False))
        held_out = data_set_at(self.held_out[name], resolution, split="test", flip=False) if cell.nll else None
        return cell.plan(model, data_set_at(self.train[name], resolution, flip=False), held_out)


def inputs_of(study: Study, train: Iterable[str], held_out: Iterable[str]) -> Inputs:
    """The inputs from what was written on the command line, `cifar10=PATH` each.

    Raises:
        BadInputError: If one is not written so or has a name that no study knows, or one that this study needs is
            missing.
    """
    inputs = Inputs(_named(train, "--data"), _named(held_out, "--held-out"))
    judged_by_others = {cell.model.data for cell in study.cells if cell.task != "generation" or cell.nll}
    for option, paths, needed in (
        ("--data", inputs.train, study.data),
        ("--held-out", inputs.held_out, [name for name in study.data if name in judged_by_others]),
    ):
        for name in needed:
            if name not in paths:
                raise BadInputError(
                    f"study {study.name} needs {DATA_SETS.get(name, name)}: add {option} {name}=PATH, a folder or .zip"
                )
    return inputs


def _named(texts: Iterable[str], option: str) -> dict[str, str]:
    paths = {}
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise BadInputError(f"{option} {text} says not which data set it is; write it NAME=PATH, cifar10=train.zip")
        if name not in DATA_SETS:
            raise unknown_name("data set", name, DATA_SETS)
        paths[name] = path
    return paths
