"""The models of a study as run directories: finished, begun, or not yet there. Those that are right are taken."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from ediffuser.data import DataSet
from ediffuser.runtime.checkpoint import checkpoints, newest_checkpoint
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.signals import Stop
from ediffuser.studies.study import TrainedModel
from ediffuser.training import Experiment, train
from ediffuser.training.dashboard import record
from ediffuser.training.state import EXPERIMENT
from ediffuser.training.step_log import StepLog

MODELS = "models"
"""Folder of the run directories, in that of all studies."""

IDLE = frozenset(
    {
        "backup_every",
        "checkpoint_every",
        "evaluate_count",
        "evaluate_every",
        "gradient_checkpointing",
        "held_out",
        "sample_every",
        "sample_size",
    }
)
"""Settings on which the weights at the end of a run do not depend; nor do they on where the data lie."""


def run_directory(out: Path, model: TrainedModel) -> Path:
    """Where a model is trained, by `ediffuser study` or by `ediffuser train`."""
    return out / MODELS / model.name


def images_seen(out: Path, model: TrainedModel) -> int:
    """How far a model is: images seen at its newest checkpoint."""
    newest = newest_checkpoint(run_directory(out, model))
    return int(newest.name) if newest else 0


def finished(out: Path, model: TrainedModel) -> bool:
    """Whether it has seen all its images."""
    return images_seen(out, model) >= model.experiment.images


def check_run(out: Path, model: TrainedModel, data: DataSet) -> None:
    """Sees that what is in a model's run directory, if anything, is a run of its experiment.

    Raises:
        BadInputError: If it is a run of another one; names the first difference.
    """
    path = run_directory(out, model) / EXPERIMENT
    if not path.exists():
        return
    try:
        there = _tree(from_json(path.read_bytes(), Experiment))
    except pydantic.ValidationError as error:
        raise BadInputError(f"{path} is damaged; choose another --out, or remove the run") from error
    wanted = _tree(model.on(data))
    for key in wanted.keys() | there.keys():
        if there.get(key) != wanted.get(key):
            raise BadInputError(
                f"{path.parent} is a run with {key} {there.get(key)}, and the study wants {wanted.get(key)}; choose "
                "another --out, or remove the run"
            )


def train_model(
    out: Path, model: TrainedModel, data: DataSet, device: str = "auto", stop: Stop | None = None
) -> Iterator[int]:
    """Trains a model to its end, from its newest checkpoint if there is one, with the log that `ediffuser train` keeps.

    Yields:
        The images seen, after each step.

    Raises:
        BadInputError: If the data or the directory cannot be used.
        DivergedError: If the loss is no longer finite.
    """
    check_run(out, model, data)
    experiment, directory = model.on(data), run_directory(out, model)
    log = StepLog(directory / "log.jsonl")
    steps = train(experiment, directory, resume=bool(checkpoints(directory)), device=device, stop=stop)
    for step in steps:
        for _ in log.add(record(step, experiment.batch)):
            pass  # a full disk: the lines wait in memory, and checkpoints say what is wrong
        yield step.images_seen


def training_log(out: Path, model: TrainedModel) -> list[dict[str, Any]]:
    """The steps so far, those that were written whole."""
    path = run_directory(out, model) / "log.jsonl"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _tree(experiment: Experiment) -> dict[str, Any]:
    """The settings that decide what the weights become, by dotted name."""
    return dict(_flat({k: v for k, v in json.loads(to_json(experiment, Experiment)).items() if k not in IDLE}))


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        key = prefix + name
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.")
        elif key != "data.path":
            yield key, value
