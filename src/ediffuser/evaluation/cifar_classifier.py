"""A small classifier of CIFAR-10: the judge of colourings, and an Inception Score on the classes of the data.

The standard judges (Inception, ResNet-50) know ImageNet's classes and 224 to 299 pixels, and are downloads. This one is
shipped, was trained on 15,000 pictures of CIFAR-10 alone, and its figures compare with its own only; its model card
lies beside its weights.

Source of the architecture's shape: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (whitened patches of
2 x 2, three stages of two convolutions, no shortcuts), at other widths.
"""

import hashlib
from collections import OrderedDict
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.data.cifar10 import CLASSES
from ediffuser.evaluation.features import check_pictures
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8

WEIGHTS = Path(__file__).parent / "weights" / "cifar10-classifier" / "model.safetensors"
SHA256 = "abdef813409051fdbc0e3bac33e9f5a821d58b5a48102f193be4a0751c5bb64a"
SIDE_PX = 32
WIDTHS = (64, 192, 224)


class CifarNetwork(nn.Module):
    """Pictures of 32 x 32 pixels to ten logits, by way of one vector.

    Attributes:
        whiten: Patches of 2 x 2 pixels to 24 numbers: twelve directions of equal variance over the training pictures
            and their negatives (`set_whitening`).
        stages: To a map of 3 x 3 vectors.
        head: From the greatest of each entry to the logits.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.stages = nn.Sequential(*(_stage(ins, out) for ins, out in zip((24, *widths), widths, strict=False)))
        self.head = nn.Linear(widths[-1], len(CLASSES))

    def features(self, images: Tensor) -> Tensor:
        """The last vector before the logits, shape (B, D), of pictures in [-1, 1], shape (B, 3, 32, 32)."""
        return self.stages(F.gelu(self.whiten(images))).amax(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """The logits of pictures in [-1, 1], shape (B, 10)."""
        return self.head(self.features(images))

    @torch.no_grad()
    def set_whitening(self, images: Tensor) -> None:
        """Sets and freezes the first weights so that patches of such pictures, (B, 3, 32, 32), come out white."""
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
        variances, directions = torch.linalg.eigh(patches.T.cov())
        white = (directions / (variances + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([white, -white]))
        self.whiten.weight.requires_grad_(False)


def _stage(ins: int, out: int) -> nn.Sequential:
    """Halves the resolution between two convolutions."""
    layers = {
        "widen": nn.Conv2d(ins, out, 3, padding=1, bias=False),
        "halve": nn.MaxPool2d(2),
        "norm": nn.BatchNorm2d(out),
        "bend": nn.GELU(),
        "mix": nn.Conv2d(out, out, 3, padding=1, bias=False),
        "mixed_norm": nn.BatchNorm2d(out),
        "mixed_bend": nn.GELU(),
    }
    return nn.Sequential(OrderedDict(layers))


class CifarClassifier:
    """The shipped classifier, frozen, float32: features and probabilities of 8-bit pictures.

    Attributes:
        name: What to print next to a figure.
        family: Figures of other families do not compare.
        sha256: Of the file of weights.
        resize: What is done to pictures of another size than 32 x 32.
        dimensions: Length of a feature vector.
        classes: Names of the classes, in the order of the probabilities.
    """

    name = "CIFAR-10 classifier (ediffuser, trained on 15,000 pictures)"
    family = "cifar10-classifier"
    resize = f"bilinear to {SIDE_PX} x {SIDE_PX}, antialiased; none for pictures of that size"
    dimensions = WIDTHS[-1]
    classes = CLASSES

    def __init__(self, device: torch.device | str = "cpu", weights: Path = WEIGHTS, sha256: str = SHA256) -> None:
        """Loads the weights.

        Args:
            device: Where it computes and answers.
            weights: The file of weights.
            sha256: What its SHA-256 sum must be.

        Raises:
            BadInputError: If the file is missing or another one.
        """
        self.sha256 = sha256
        self._device = torch.device(device)
        self._network = CifarNetwork()
        self._network.load_state_dict(_read(weights, sha256))
        self._network.to(self._device).to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def __call__(self, pictures: Tensor) -> Tensor:
        """The features of pictures: uint8 RGB, shape (B, 3, H, W), to float32, shape (B, dimensions).

        Raises:
            BadInputError: If the pictures have another type or shape.
        """
        return self.both(pictures)[0]

    def probabilities(self, pictures: Tensor) -> Tensor:
        """The probabilities of the classes: uint8 RGB, shape (B, 3, H, W), to float32, shape (B, 10).

        Raises:
            BadInputError: If the pictures have another type or shape.
        """
        return self.both(pictures)[1]

    @torch.no_grad()
    def both(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The features and the probabilities of some pictures, for one pass of the network; errors as of a call."""
        features = self._network.features(self._seen(pictures))
        return features, self._network.head(features).softmax(dim=1)

    def _seen(self, pictures: Tensor) -> Tensor:
        check_pictures(pictures)
        images = from_uint8(pictures.to(self._device))
        if images.shape[2:] != (SIDE_PX, SIDE_PX):
            images = F.interpolate(images, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)
        return images.contiguous(memory_format=torch.channels_last)


def _read(path: Path, sha256: str) -> dict[str, Tensor]:
    """The weights in a file, checked; stored as float16 and computed with as float32."""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"the CIFAR-10 classifier's weights cannot be read: {path}: {error.strerror}; install ediffuser anew"
        raise BadInputError(message) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BadInputError(
            f"{path} is damaged or another file: its SHA-256 is {found} where {sha256} would be right; "
            "install ediffuser anew"
        )
    return safetensors.torch.load(content)
