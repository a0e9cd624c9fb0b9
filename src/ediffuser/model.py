"""A model is network x schedule x parametrisation, and the task it was trained for; a checkpoint holds it whole."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import pydantic
import torch
from pydantic import model_validator
from torch import Tensor, nn

from ediffuser.diffusion.denoiser import NetworkDenoiser, TimeInput
from ediffuser.diffusion.prediction import Parametrisation
from ediffuser.diffusion.schedules import AnySchedule
from ediffuser.networks import Network
from ediffuser.runtime.checkpoint import read_checkpoint, tensors_from_bytes, tensors_to_bytes
from ediffuser.runtime.component import component, from_json, to_json
from ediffuser.runtime.device import PrecisionName, choose_device, choose_precision
from ediffuser.runtime.errors import CheckpointError
from ediffuser.tasks import AnyTask
from ediffuser.tasks.sharpening import Sharpening

Framing = Literal["free", "aligned_faces"]
"""What the training pictures show: anything anywhere, or faces whose eyes are always in the same place (CelebA),
alone or among other pictures."""

WEIGHTS, CONFIG = "model.safetensors", "model.json"


@component
class ModelConfig:
    """All that is needed to build a denoiser and to know what it is for.

    Attributes:
        network: The network; its input takes the picture and the task's condition.
        schedule: The forward process.
        task: What the network was trained to be given.
        parametrisation: What the network predicts.
        time_input: How time is fed to the network.
        learned_variance: Whether the network also predicts the reverse variance.
        framing: What its training pictures show, so that photos can be shown to it likewise.
        sharpening: What is done to the detail of each picture that it has made; None leaves it as it is.
    """

    network: Network
    schedule: AnySchedule
    task: AnyTask
    parametrisation: Parametrisation = "eps"
    time_input: TimeInput = "index"
    learned_variance: bool = False
    framing: Framing = "free"
    sharpening: Sharpening | None = None

    @property
    def picture_channels(self) -> int:
        """Channels of a picture, 3 for RGB."""
        return self.network.in_channels - self.task.condition_channels

    @model_validator(mode="after")
    def _fits(self) -> Self:
        expected = self.picture_channels * (2 if self.learned_variance else 1)
        if self.picture_channels < 1 or self.network.out_channels != expected:
            raise ValueError(
                f"a network of {self.network.in_channels} input and {self.network.out_channels} output channels does "
                f"not fit the task '{self.task.kind}', which adds {self.task.condition_channels} input channels"
            )
        return self

    def denoiser(
        self, network: Callable[[Tensor, Tensor], Tensor], precision: torch.dtype = torch.float32
    ) -> NetworkDenoiser:
        """The denoiser that this network is, under this configuration."""
        return NetworkDenoiser(
            network, self.schedule, self.parametrisation, self.time_input, self.learned_variance, precision
        )


@dataclass(frozen=True)
class Model:
    """A trained model, ready to generate.

    Attributes:
        config: What it is.
        network: Its weights, in evaluation mode.
        device: Where they are.
        precision: Of its convolutions and matrix products.
    """

    config: ModelConfig
    network: nn.Module
    device: torch.device
    precision: torch.dtype

    @property
    def denoiser(self) -> NetworkDenoiser:
        """What it believes."""
        return self.config.denoiser(self.network, self.precision)

    @property
    def resolution(self) -> int:
        """Side of its pictures, in pixels."""
        return self.config.network.resolution

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one of its pictures."""
        return (self.config.picture_channels, self.resolution, self.resolution)


def model_files(config: ModelConfig, network: nn.Module, dtype: torch.dtype | None = None) -> dict[str, bytes]:
    """The files of a checkpoint that `load_checkpoint` reads.

    Args:
        config: What the model is.
        network: Its weights.
        dtype: Of the stored weights; None keeps theirs.
    """
    weights = {name: value.to(dtype or value.dtype) for name, value in network.state_dict().items()}
    return {WEIGHTS: tensors_to_bytes(weights), CONFIG: to_json(config, ModelConfig).encode()}


def load_config(path: Path) -> ModelConfig:
    """The configuration in a checkpoint directory.

    Raises:
        CheckpointError: If the directory is no checkpoint or damaged.
    """
    return _parse(read_checkpoint(path, [CONFIG])[CONFIG], path)


def load_checkpoint(path: Path, device: str = "auto", precision: PrecisionName = "auto") -> Model:
    """The model in a checkpoint directory.

    Args:
        path: The directory.
        device: "auto", "cpu", "cuda", ...
        precision: "auto", "float32" or "bf16".

    Raises:
        CheckpointError: If a file is missing, damaged or foreign; names it.
    """
    content = read_checkpoint(path, [CONFIG, WEIGHTS])
    config = _parse(content[CONFIG], path)
    weights = tensors_from_bytes(content[WEIGHTS], WEIGHTS, path)
    with torch.device("meta"):
        network = config.network.build()
    _load_weights(network, weights, path)
    place = choose_device(device)
    network = network.eval().requires_grad_(False).to(place)
    return Model(config, network, place, choose_precision(precision, place))


def _parse(content: bytes, path: Path) -> ModelConfig:
    try:
        return from_json(content, ModelConfig)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CheckpointError(f"checkpoint {path}: {CONFIG} does not fit, {where}: {first['msg']}") from error


def _load_weights(network: nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    wanted = network.state_dict()
    for name in sorted(wanted.keys() ^ weights.keys()):
        fault = "missing from" if name in wanted else "unknown in"
        raise CheckpointError(f"checkpoint {path}: tensor {name} is {fault} {WEIGHTS}")
    for name, tensor in wanted.items():
        if weights[name].shape != tensor.shape:
            shapes = f"{tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
            raise CheckpointError(f"checkpoint {path}: tensor {name} in {WEIGHTS} has shape {shapes}")
        if not weights[name].isfinite().all():
            raise CheckpointError(f"checkpoint {path}: tensor {name} in {WEIGHTS} is not finite")
    # Assigned, not copied: to make room on a network of no device first would import sympy, half a second.
    given = {name: weights[name].to(tensor.dtype) for name, tensor in wanted.items()}
    network.load_state_dict(given, assign=True)
