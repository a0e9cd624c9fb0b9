"""What can be chosen from: models and samplers."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import TypeAdapter

from ediffuser import zoo
from ediffuser.editing.choice import inpainters, suited
from ediffuser.generate import DEFAULT_SAMPLER
from ediffuser.model import ModelConfig, load_config
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import AnySampler, StepSampler
from ediffuser.server.problems import ProblemError
from ediffuser.server.schemas import ModelCard, ModelInfo, SamplerInfo
from ediffuser.server.settings import ServerSettings
from ediffuser.zoo import AUTO

NO_CARD = "A model of your own: the checkpoint that this server was started with."
NO_LICENCE = "Not stated."
AUTO_SUMMARY = "{faces} where the hole touches a face, {free} anywhere else."
AUTO_CARD = "Not a model: takes the shipped one that suits the hole. What a job was painted with stands in its options."


class Catalogue:
    """The shipped models, and the one that the server was started with."""

    def __init__(self, settings: ServerSettings) -> None:
        """Reads the models' configurations and cards, no weights."""
        self._cards: dict[str, ModelCard] = {}
        self._configs: dict[str, ModelConfig] = {}
        self._shipped = inpainters()
        several = len(self._shipped) > 1
        default = next(iter(self._shipped)) if settings.model == AUTO and not several else settings.model
        if several:
            self._add_auto(default)
        for entry in zoo.entries():
            self._add(entry.name, entry.path, default, entry)
        if default not in self._cards and settings.stub is None:
            self._add(default, zoo.find(default), default, None)

    def models(self) -> list[ModelInfo]:
        """All models, by name."""
        names = ModelInfo.model_fields
        return [ModelInfo(**{name: getattr(card, name) for name in names}) for card in self._cards.values()]

    def model(self, name: str) -> ModelCard | None:
        """A model with its card."""
        return self._cards.get(name)

    def check(self, model: str, sampler: AnySampler) -> None:
        """Refuses what the worker could not paint with.

        Raises:
            ProblemError: 422 if there is no such model, it does not inpaint, or the sampler does not suit it.
        """
        for name in self._shipped if model == AUTO else (model,):
            self._check(name, sampler)

    def settled(self, model: str, pixels: np.ndarray, hole: np.ndarray) -> str:
        """The model that a job is painted with: the one it names, or for `AUTO` the one that suits; see `suited`."""
        return suited(self._shipped, pixels, hole) if model == AUTO else model

    def _check(self, model: str, sampler: AnySampler) -> None:
        config = self._configs.get(model)
        if config is None:
            title = f"There is no such model: options.model must be one of {', '.join(self._configs)}."
            raise ProblemError(422, "unknown-model", title)
        if config.task.kind != "inpainting":
            raise ProblemError(422, "wrong-task", "This model was not trained to paint holes: choose another.")
        try:
            if isinstance(sampler, StepSampler):
                sampler.times(config.schedule)
        except BadInputError as error:
            title = "This sampler does not suit the model: options.sampler.steps is too large."
            raise ProblemError(422, "unsuitable-sampler", title) from error

    def _add_auto(self, default: str) -> None:
        configs = [load_config(zoo.find(name)) for name in self._shipped]
        kinds = {framing: name for name, framing in self._shipped.items()}  # both: there are several
        self._cards[AUTO] = ModelCard(
            name=AUTO,
            task="inpainting",
            resolution=max(config.network.resolution for config in configs),
            summary=AUTO_SUMMARY.format(faces=kinds["aligned_faces"], free=kinds["free"]),
            licence="; ".join(_licence(entry.card) for entry in zoo.entries() if entry.name in self._shipped),
            default=default == AUTO,
            default_sampler=DEFAULT_SAMPLER,
            card=AUTO_CARD,
            figures={},
        )

    def _add(self, name: str, path: Path, default: str, entry: zoo.Entry | None) -> None:
        config = load_config(path)
        self._configs[name] = config
        self._cards[name] = ModelCard(
            name=name,
            task=config.task.kind,
            resolution=config.network.resolution,
            summary=entry.summary if entry else NO_CARD,
            licence=_licence(entry.card) if entry else NO_LICENCE,
            default=name == default,
            default_sampler=DEFAULT_SAMPLER,
            card=entry.card if entry else "",
            figures=entry.figures if entry else {},
        )


def samplers() -> list[SamplerInfo]:
    """All samplers; the first sentence of a sampler's file is its title, a colon, and what it is good for."""
    return [_sampler(member) for member in get_args(get_args(AnySampler)[0])]


def _sampler(member: Any) -> SamplerInfo:  # noqa: ANN401 - a class of the union
    first = (inspect.getdoc(sys.modules[member.__module__]) or member.__name__).splitlines()[0]
    title, _, summary = first.partition(": ")
    return SamplerInfo(
        kind=member.kind,
        title=title,
        summary=(summary or title).strip(),
        json_schema=TypeAdapter(member).json_schema(),
    )


def _licence(card: str) -> str:
    """The sentence of a model card that says who may use the weights."""
    sentences = re.split(r"(?<=\.)\s+", card)
    said = [" ".join(sentence.split()) for sentence in sentences if re.search(r"licen[cs]e|non-commercial", sentence)]
    return said[0] if said else NO_LICENCE
