"""What a run has reached, and its checkpoints: DIR/checkpoints/IMAGES_SEEN, each a model that can be loaded."""

import copy
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from ediffuser.model import WEIGHTS, ModelConfig, load_checkpoint, model_files
from ediffuser.runtime.checkpoint import (
    CHECKPOINTS,
    tensors_from_bytes,
    tensors_to_bytes,
    write_checkpoint,
)
from ediffuser.runtime.component import to_json
from ediffuser.runtime.errors import BadInputError, CheckpointError, DivergedError
from ediffuser.runtime.noise import derived_seed
from ediffuser.training.critic import Adversary
from ediffuser.training.experiment import Experiment
from ediffuser.training.fingerprint import DataFingerprint
from ediffuser.training.history import LossHistory
from ediffuser.training.muon import Muon
from ediffuser.training.perceptual import Eye
from ediffuser.training.times import LossAwareTimes
from ediffuser.zoo import find

TRAINING, STATE, EXPERIMENT = "training.safetensors", "state.json", "experiment.json"

WITHOUT_WEIGHTS = frozenset({"dropout"})
"""Settings of a network in which two with the same weights may differ."""

STARTS_AS_NOTHING = frozenset({"pixel_width"})
"""Settings that add to a network what changes no output at first: one without it can be trained further with it."""


@dataclass
class TrainingState:
    """The weights, their running mean, the optimizer, the losses that times go by, and how far the run has come.

    The eye of the perceptual and the adversarial term is here too, if there is one; it is frozen, and not saved. So is
    what tells its data from others; None if that is not known, as of checkpoints that were saved before it was kept.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    history: LossHistory | None = None
    steps: int = 0
    images_seen: int = 0
    seconds: float = 0.0
    eye: Eye | None = None
    adversary: Adversary | None = None
    data: DataFingerprint | None = None

    @classmethod
    def start(cls, experiment: Experiment, device: torch.device) -> Self:
        """A run at its beginning, its weights a function of the experiment's seed, or those of another model.

        Raises:
            BadInputError: If there is no such model, or its network is another one.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(experiment.seed)
            network = experiment.model.network.build()
        if experiment.start_from:
            network.load_state_dict(network.state_dict() | _weights_of(experiment.start_from, experiment.model))
        network.gradient_checkpointing = experiment.gradient_checkpointing
        network = network.to(device)
        average = copy.deepcopy(network).eval().requires_grad_(False)
        times, optimizer = experiment.times, experiment.optimizer.build(network.parameters())
        history = LossHistory(times, experiment.model.schedule) if isinstance(times, LossAwareTimes) else None
        state = cls(network, average, optimizer, history)
        if experiment.perceptual or experiment.adversarial:
            state.eye = Eye().to(device)
        if experiment.adversarial:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derived_seed("critic", experiment.seed))
                state.adversary = Adversary(experiment.adversarial, device)
        return state

    def place(self, directory: Path) -> Path:
        """Where the checkpoint of this moment stands in a run directory, or would stand."""
        return directory / CHECKPOINTS / f"{self.images_seen:010d}"

    def save(self, experiment: Experiment, directory: Path, figures: Mapping[str, float]) -> Path:
        """Publishes a checkpoint of this moment, and returns its path.

        Args:
            experiment: What determines the run.
            directory: Of the run.
            figures: Of the last step, so that a log can have them that a crash kept from being written.

        Raises:
            DivergedError: If a tensor is not finite; such a one is never published.
            OSError: If there is no room for it, or it cannot be written.
        """
        path = self.place(directory)
        self._check_finite()
        progress = {
            "steps": self.steps,
            "images_seen": self.images_seen,
            "seconds": self.seconds,
            "figures": dict(figures),
            "data": dataclasses.asdict(self.data) if self.data else None,
        }
        files = model_files(experiment.model, self.average) | {
            TRAINING: tensors_to_bytes(self.tensors()),
            STATE: json.dumps(progress, indent=2).encode(),
            EXPERIMENT: to_json(experiment, Experiment).encode(),
        }
        write_checkpoint(path, files)
        return path

    def load(self, path: Path, content: Mapping[str, bytes]) -> None:
        """Takes up the run where a checkpoint left it.

        Args:
            path: The checkpoint, to be named in errors.
            content: Its files, already checked.

        Raises:
            CheckpointError: If it is incomplete or belongs to another network.
        """
        for name in (WEIGHTS, TRAINING, STATE):
            if name not in content:
                raise CheckpointError(f"checkpoint {path}: it holds no {name}, so no training can go on from it")
        tensors = tensors_from_bytes(content[TRAINING], TRAINING, path)
        try:
            self.average.load_state_dict(tensors_from_bytes(content[WEIGHTS], WEIGHTS, path))
            self.network.load_state_dict(_part(tensors, "network."))
            self._load_optimizer(_part(tensors, "optimizer."))
            if self.history is not None:
                self.history.load(_part(tensors, "history."))
            if self.adversary is not None:
                self.adversary.load(_part(tensors, "adversary."))
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"checkpoint {path} belongs to another network or optimizer, or to other times: {error}"
            ) from error
        progress = json.loads(content[STATE])
        self.steps, self.images_seen = progress["steps"], progress["images_seen"]
        self.seconds = progress["seconds"]
        known = progress.get("data")
        self.data = DataFingerprint(**known) if known else None

    def tensors(self) -> dict[str, Tensor]:
        """All that a run goes on with but the average: weights, optimizer, history, critic."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        moments = self.optimizer.state_dict()["state"]
        tensors |= {f"optimizer.{i}.{key}": v for i, state in moments.items() for key, v in state.items()}
        history = {} if self.history is None else self.history.tensors()
        tensors |= {f"history.{name}": value for name, value in history.items()}
        adversary = {} if self.adversary is None else self.adversary.tensors()
        return tensors | {f"adversary.{name}": value for name, value in adversary.items()}

    def _check_finite(self) -> None:
        average = {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, value in (self.tensors() | average).items():
            if not value.isfinite().all():
                raise DivergedError(
                    f"training diverged after {self.images_seen} images: {name} is not finite; resume from the last "
                    "checkpoint with a lower learning rate"
                )

    def _load_optimizer(self, tensors: dict[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            index, key = name.split(".")
            weights = self.optimizer.param_groups[0]["params"][int(index)]
            # The fused step walks through memory: a moment must lie there as its weights do (channels-last).
            fits = value.shape == weights.shape
            moments.setdefault(int(index), {})[key] = torch.empty_like(weights).copy_(value) if fits else value
        was_muon = any("momentum" in state for state in moments.values())
        if moments and was_muon != isinstance(self.optimizer, Muon):
            raise RuntimeError(
                f"it was trained with {'Muon' if was_muon else 'Adam'}, so go on with that optimizer.kind"
            )
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _weights_of(name: str, wanted: ModelConfig) -> dict[str, Tensor]:
    """The weights of a model with this network; how time, noise and the task are used may differ, and is learned."""
    model = load_checkpoint(find(name), device="cpu", precision="float32")
    ours, theirs = (dataclasses.asdict(config.network) for config in (wanted, model.config))
    for key in ours | theirs:
        added = key in STARTS_AS_NOTHING and not theirs.get(key)
        if key not in WITHOUT_WEIGHTS and not added and ours.get(key) != theirs.get(key):
            raise BadInputError(
                f"{name} cannot be trained further by this recipe: its network has {key} {theirs.get(key)}, not "
                f"{ours.get(key)}; take the recipe it comes from, or --set model.network.{key}={theirs.get(key)}"
            )
    return model.network.state_dict()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
