"""LPIPS, the perceptual distance of the literature, where the weights of its trunk are at hand.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, Eq. 1, version 0.1.
The network is the package lpips'. Its channel weights come with it; those of the trunk are torchvision's for ImageNet.
"""

import hashlib
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ediffuser.evaluation.optional import optional
from ediffuser.evaluation.weight_files import fetch, find, read
from ediffuser.runtime.errors import BadInputError

Trunk = Literal["alex", "vgg"]

FILES = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
SMALLEST_PX = {"alex": 31, "vgg": 16}


class Lpips(nn.Module):
    """The distance, with its weights loaded; the interface of `ediffuser.evaluation.perceptual.StLpips`.

    Attributes:
        trunk: "alex", which the authors recommend for measuring, or "vgg".
        sha256: Of the trunk's file of weights followed by the channel weights' file.
    """

    def __init__(self, trunk: Trunk = "alex", weights: Path | None = None) -> None:
        """Loads the weights.

        Args:
            trunk: The network whose features are compared.
            weights: Its file; None for PyTorch's folder of downloads, into which it is fetched if need be.

        Raises:
            BadInputError: If the package is missing, or the weights cannot be had or are others.
        """
        super().__init__()
        package = optional("lpips", "lpips")
        name = FILES[trunk]
        tensors, trunk_sha256 = read(weights or fetch(name, _url(trunk), f"the {trunk} trunk of LPIPS"), name)
        linear = Path(str(package.__file__)).parent / "weights" / "v0.1" / f"{trunk}.pth"
        self.trunk = trunk
        self.sha256 = hashlib.sha256(bytes.fromhex(trunk_sha256) + linear.read_bytes()).hexdigest()
        self._net = _network(package, trunk, tensors)
        self.eval().requires_grad_(False)

    @staticmethod
    def at_hand(trunk: Trunk) -> bool:
        """Whether the weights are downloaded already."""
        return find(FILES[trunk]) is not None

    @property
    def name(self) -> str:
        """What to print next to a figure."""
        return f"LPIPS 0.1, {self.trunk} trunk (lpips, sha256 {self.sha256[:12]})"

    def features(self, images: Tensor) -> list[Tensor]:
        """The features of pictures.

        Args:
            images: RGB in [-1, 1], shape (B, 3, H, W), on the network's device.

        Returns:
            Five maps of shape (B, C_k, H_k, W_k), each position a vector of length 1.

        Raises:
            BadInputError: If the pictures have another shape or are too small.
        """
        smallest = SMALLEST_PX[self.trunk]
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < smallest:
            raise BadInputError(
                f"LPIPS compares RGB pictures (B, 3, H, W) of at least {smallest} x {smallest} pixels, "
                f"got {tuple(images.shape)}"
            )
        maps = self._net.net(self._net.scaling_layer(images))
        return [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in maps]

    def between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """The distances of two batches of `features`, shape (B,), at least 0."""
        weighted = zip(features, others, self._net.lins, strict=True)
        return torch.stack([linear((a - b) ** 2).mean(dim=(1, 2, 3)) for a, b, linear in weighted]).sum(dim=0)

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """The distances of two batches of pictures, shape (B,); see `features` for what pictures may be."""
        return self.between(self.features(images), self.features(others))


def _url(trunk: Trunk) -> str:
    from torchvision.models import AlexNet_Weights, VGG16_Weights

    return {"alex": AlexNet_Weights.IMAGENET1K_V1, "vgg": VGG16_Weights.IMAGENET1K_V1}[trunk].url


def _network(package: Any, trunk: Trunk, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - a module without types
    """The package's network; its trunk is made empty and filled here, so that nothing is downloaded behind our back."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        network = package.LPIPS(net=trunk, version="0.1", pnet_rand=True, verbose=False)
    # "features.3.weight" is torchvision's name for parameter "weight" of layer 3; "slice2.3.weight" is the package's.
    values = {name.removeprefix("features."): value for name, value in tensors.items() if name.startswith("features.")}
    network.net.load_state_dict({name: values[name.split(".", 1)[1]] for name in network.net.state_dict()})
    return network
