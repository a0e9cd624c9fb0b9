"""ST-LPIPS, a perceptual distance that a shift by a pixel hardly moves.

Ghildyal & Liu, "Shift-tolerant perceptual similarity metric", ECCV 2022. Like LPIPS it compares two pictures by the
unit-length features of a trained network, channels weighted by what people see; but every reduction of resolution is
blurred first, and the first convolution has stride 1. It is not LPIPS: its figures compare with its own only, of the
same trunk. The weights are those of the PyPI package `stlpips-pytorch`, whose own code is not imported.
"""

import hashlib
import io
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.runtime.errors import BadInputError

Trunk = Literal["alex", "vgg"]

PACKAGE = "stlpips-pytorch"
SHA256 = {
    "alex": "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
    "vgg": "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
}
SMALLEST_PX = 32


class StLpips(nn.Module):
    """The distance, with its weights loaded.

    Attributes:
        trunk: "alex", the package's own default, or "vgg".
        sha256: Of the file of weights, always that of version 0.0.2.
    """

    def __init__(self, trunk: Trunk = "alex") -> None:
        """Loads the weights.

        Args:
            trunk: The network whose features are compared.

        Raises:
            BadInputError: If the package with the weights is missing or another version.
        """
        super().__init__()
        self.trunk = trunk
        self.sha256 = SHA256[trunk]
        self._layers, taps = _alex() if trunk == "alex" else _vgg()
        self._slices = [slice(start, stop) for start, stop in pairwise((0, *taps))]
        weights = _load(trunk)
        # "net.slice2.5.weight" is the package's name for parameter "weight" of layer 5.
        layers = {name.split(".", 2)[2]: value for name, value in weights.items() if name.startswith("net.")}
        self._layers.load_state_dict(layers)
        self._shift = nn.Buffer(weights["scaling_layer.shift"])
        self._scale = nn.Buffer(weights["scaling_layer.scale"])
        self._channel_weights = nn.ParameterList(weights[f"lin{k}.model.1.weight"] for k in range(len(taps)))
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # 1.7 times as fast on a CPU

    @property
    def name(self) -> str:
        """What to print next to a figure."""
        return f"ST-LPIPS, {self.trunk} trunk ({PACKAGE}, sha256 {self.sha256[:12]})"

    def features(self, images: Tensor) -> list[Tensor]:
        """The features of pictures, so that several distances from one picture cost its network once.

        Args:
            images: RGB in [-1, 1], shape (B, 3, H, W), sides of 32 pixels or more, on any device.

        Returns:
            Five maps of shape (B, C_k, H_k, W_k), each position a vector of length 1.

        Raises:
            BadInputError: If the pictures have another shape or are too small.
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST_PX:
            raise BadInputError(
                f"ST-LPIPS compares RGB pictures (B, 3, H, W) of at least {SMALLEST_PX} x {SMALLEST_PX} pixels, "
                f"got {tuple(images.shape)}"
            )
        return [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in self._maps(images)]

    def between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """The distances of two batches of `features`, shape (B,), at least 0."""
        return torch.stack(
            [
                F.conv2d((one - other) ** 2, weight).mean(dim=(1, 2, 3))
                for one, other, weight in zip(features, others, self._channel_weights, strict=True)
            ]
        ).sum(dim=0)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """The distances of two batches of pictures, shape (B,); see `features` for what pictures may be."""
        return self.between(self.features(images), self.features(others))

    def _maps(self, images: Tensor) -> Iterator[Tensor]:
        x = (images.to(self._shift, memory_format=torch.channels_last) - self._shift) / self._scale
        for part in self._slices:
            x = self._layers[part](x)
            yield x


class _Blur(nn.Module):
    """Halves the resolution behind a binomial 3 x 3 filter, with two reflected pixels on each side as published."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filt = nn.Buffer(torch.empty(channels, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=x.shape[1])


def _alex() -> tuple[nn.Sequential, tuple[int, ...]]:
    """AlexNet's convolutions, and the number of layers at the end of each of the five stages."""
    layers = nn.Sequential(
        nn.Conv2d(3, 64, 11, padding=2), _Blur(64), nn.ReLU(),
        nn.MaxPool2d(3, stride=1), _Blur(64), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(3, stride=1), _Blur(192), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip
    return layers, (3, 7, 11, 13, 15)


def _vgg() -> tuple[nn.Sequential, tuple[int, ...]]:
    """The convolutions of VGG-16, and the number of layers at the end of each of the five stages."""
    layers, taps, channels = nn.Sequential(), [], 3
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        if taps:
            layers.extend([nn.MaxPool2d(2, stride=1), _Blur(channels)])
        for _ in range(convolutions):
            layers.extend([nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()])
            channels = width
        taps.append(len(layers))
    return layers, tuple(taps)


def _load(trunk: Trunk) -> dict[str, Tensor]:
    name = f"stlpips_pytorch/weights/vST0.0/{trunk}_shift_tolerant.pth"
    try:
        content = Path(str(distribution(PACKAGE).locate_file(name))).read_bytes()
    except (PackageNotFoundError, OSError) as error:
        message = f"ST-LPIPS needs the weights in the package {PACKAGE}: pip install 'ediffuser[eval]'"
        raise BadInputError(message) from error
    if hashlib.sha256(content).hexdigest() != SHA256[trunk]:
        raise BadInputError(f"{name} of the package {PACKAGE} is not the one of version 0.0.2; install that version")
    # The one pickle that is read in this package: a published file, its sum just checked, and tensors only.
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
