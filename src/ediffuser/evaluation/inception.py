"""The Inception network of FID, KID and the Inception Score, with the weights of 2015-12-05.

Not torchvision's Inception, whose weights are others (trap 35). Network and resize are torch-fidelity's, which repeat
TensorFlow's to the bit; the file of weights is the one that pytorch-fid publishes too.
"""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ediffuser.evaluation.optional import optional
from ediffuser.evaluation.weight_files import fetch, find, read

FAMILY = "inception-2015-12-05"
FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
"""One file, as torch-fidelity and as pytorch-fid call it."""

MODULE = "torch_fidelity.feature_extractor_inceptionv3"


class Inception:
    """The network; attributes and errors as of `ediffuser.evaluation.features.Classifier`.

    Its 1,008 classes have no published names, and their logits lack the bias, as in the original score's code.
    """

    def __init__(self, device: torch.device | str = "cpu", weights: Path | None = None) -> None:
        """Loads the weights.

        Args:
            device: Where it computes.
            weights: The file; None for PyTorch's folder of downloads, into which it is fetched if need be.

        Raises:
            BadInputError: If torch-fidelity is missing, or the weights cannot be had or are others.
        """
        module = optional(MODULE, "torch-fidelity")
        path = weights or _downloaded() or fetch(FILES[0], module.URL_INCEPTION_V3, "Inception 2015-12-05")
        tensors, self.sha256 = read(path, FILES[0])
        self.name = "Inception 2015-12-05 (torch-fidelity)"
        self.family = FAMILY
        self.resize = "bilinear to 299 x 299, as TensorFlow 1, not antialiased"
        self.dimensions = 2048
        self.classes = tuple(f"class {k}" for k in range(1008))
        self._device = torch.device(device)
        self._network = _network(module, tensors).to(self._device)

    @staticmethod
    def at_hand() -> bool:
        """Whether the weights are downloaded already."""
        return _downloaded() is not None

    def __call__(self, pictures: Tensor) -> Tensor:
        """The 2,048 features before the last layer, float32, shape (B, 2048)."""
        return self._outputs(pictures)[0]

    def probabilities(self, pictures: Tensor) -> Tensor:
        """How probable each class is, float32, shape (B, 1008)."""
        return self.both(pictures)[1]

    def both(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features and probabilities for one pass of the network."""
        vectors, logits = self._outputs(pictures)
        return vectors, logits.softmax(dim=1)

    @torch.no_grad()
    def _outputs(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        from ediffuser.evaluation.features import check_pictures  # that module lists this network

        check_pictures(pictures)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self._network(pictures.to(self._device))


def _downloaded() -> Path | None:
    return next(filter(None, map(find, FILES)), None)


def _network(module: Any, tensors: dict[str, Tensor]) -> torch.nn.Module:  # noqa: ANN401 - a module without types
    """torch-fidelity's network; it unpickles whatever it is given, so it is given checked tensors, saved anew."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    buffer.seek(0)
    return module.FeatureExtractorInceptionV3(
        FAMILY, ["2048", "logits_unbiased"], feature_extractor_weights_path=buffer
    )
