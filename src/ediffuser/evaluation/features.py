"""Frozen networks that turn pictures into vectors: what distances between sets of pictures are measured with.

A figure depends on the network as much as on the model, so each says what it is: its name, its family and the sum of
its weights go with every figure, and a resize is part of the network, because another one moves a distance by more
than many models differ (trap 35).
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from ediffuser.evaluation.efficientnet import DIMENSIONS, PACKAGE, SHA256, SIZE_PX, load_efficientnet_lite0
from ediffuser.evaluation.inception import Inception
from ediffuser.runtime.errors import BadInputError, unknown_name


@runtime_checkable
class Features(Protocol):
    """A frozen network in float32.

    Attributes:
        name: What to print next to a figure.
        family: The network and its weights in one word: "inception-2015-12-05", "efficientnet-lite0", ...
        sha256: Of the file of weights.
        resize: How pictures are brought to the size that the network was trained at.
        dimensions: Length of the vectors, D.
    """

    name: str
    family: str
    sha256: str
    resize: str
    dimensions: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """The vectors of some pictures.

        Args:
            pictures: RGB, uint8, shape (B, 3, H, W), on any device.

        Returns:
            float32, shape (B, D), on the network's device; row k depends on picture k alone.

        Raises:
            BadInputError: If the pictures have another shape or type.
        """
        ...


@runtime_checkable
class Classifier(Features, Protocol):
    """A network that also says what a picture shows.

    Attributes:
        classes: Names of the K classes.
    """

    classes: tuple[str, ...]

    def probabilities(self, pictures: Tensor) -> Tensor:
        """How probable each class is for some pictures: float32, shape (B, K), rows of sum 1."""
        ...

    def both(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors and the probabilities of some pictures, for one pass of the network."""
        ...


class EfficientNetFeatures:
    """EfficientNet-Lite0 of a package of PyPI: at hand without a download. Attributes and errors as of `Classifier`."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        from torchvision.models import AlexNet_Weights

        self.name = f"EfficientNet-Lite0 (ImageNet, {PACKAGE})"
        self.family = "efficientnet-lite0"
        self.sha256 = SHA256
        self.resize = f"bilinear to {SIZE_PX} x {SIZE_PX}, antialiased"
        self.dimensions = DIMENSIONS
        self.classes: tuple[str, ...] = tuple(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
        self._device = torch.device(device)
        self._network = load_efficientnet_lite0().to(self._device)

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """The 1,280 features before the last layer."""
        check_pictures(pictures)
        x = pictures.to(self._device, torch.float32)
        x = F.interpolate(x, size=(SIZE_PX, SIZE_PX), mode="bilinear", align_corners=False, antialias=True)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # 10 bits of mantissa are no float32
            return self._network.features((x - 127) / 128)

    @torch.no_grad()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """How probable each of the 1,000 classes of ImageNet is, float32, shape (B, 1000)."""
        return self.both(pictures)[1]

    @torch.no_grad()
    def both(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features and probabilities for one pass of the network."""
        vectors = self(pictures)
        return vectors, self._network.classify(vectors).softmax(dim=1)


def check_pictures(pictures: Tensor) -> None:
    """Refuses what is not a batch of 8-bit RGB pictures: networks measure what a person would see in the file.

    Raises:
        BadInputError: If the shape or the type is another.
    """
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
        raise BadInputError(
            "features are those of 8-bit RGB pictures (B, 3, H, W): round to uint8 and repeat a grey channel "
            f"three times first; got {pictures.dtype} of shape {tuple(pictures.shape)}"
        )


def _cifar10(device: torch.device | str) -> Features:
    return import_module("ediffuser.evaluation.cifar_classifier").CifarClassifier(device)


FEATURES: Mapping[str, Callable[[torch.device | str], Features]] = {
    "inception": Inception,
    "efficientnet-lite0": EfficientNetFeatures,
    "cifar10": _cifar10,
}
"""The networks by name."""


def open_features(name: str = "auto", device: torch.device | str = "cpu", weights: Path | None = None) -> Features:
    """A network by name.

    Args:
        name: One of `FEATURES`; or "auto": Inception where its weights are given or downloaded already, otherwise
            EfficientNet-Lite0.
        device: Where it computes.
        weights: The file of Inception's weights, where it lies elsewhere than PyTorch's downloads do.

    Raises:
        BadInputError: If the name is not known, its weights are not at hand, or `weights` go with another network.
    """
    if name == "auto":
        name = "inception" if weights is not None or Inception.at_hand() else "efficientnet-lite0"
    if name not in FEATURES:
        raise unknown_name("features", name, ("auto", *FEATURES))
    if weights is None:
        return FEATURES[name](device)
    if name != "inception":
        raise BadInputError(f"the weights of '{name}' are fixed; leave out the path {weights}, or choose 'inception'")
    return Inception(device, weights)
