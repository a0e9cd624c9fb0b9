"""Whether painted or coloured pictures still show what they showed: classification accuracy and perceptual distance.

The dissertation names both for its conditional models (appendix, 4.1) by reference to Saharia et al. 2022, "Palette":
classification accuracy (CA) is the part of results to which a trained classifier gives the class of the original, and
perceptual distance (PD) the Euclidean distance of a result's features to its original's. Palette takes them from a
ResNet-50 and an Inception-v1 trained on ImageNet; here the network is an argument, and stands next to every figure.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ediffuser.data import Pictures
from ediffuser.evaluation.features import Classifier, Features
from ediffuser.evaluation.figures import Figure, Named, bootstrap
from ediffuser.runtime.errors import BadInputError

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def class_numbers(pictures: Pictures, classes: Sequence[str]) -> Tensor:
    """The class of every picture as a place in a classifier's `classes`, found by name; int64, shape (N,).

    Raises:
        BadInputError: If the pictures have no classes, or one that the classifier does not know.
    """
    if pictures.labels is None or not pictures.classes:
        raise BadInputError("classification accuracy needs pictures with classes: one folder for each class")
    unknown = [name for name in pictures.classes if name not in classes]
    if unknown:
        known = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
        raise BadInputError(f"the classifier does not know the class '{unknown[0]}' of the pictures; it knows {known}")
    places = torch.tensor([classes.index(name) for name in pictures.classes])
    return places[torch.as_tensor(pictures.labels)]


def recognised(pictures: Tensor, labels: Tensor, classifier: Classifier) -> Tensor:
    """1 for each picture whose most probable class is its label, else 0.

    Args:
        pictures: Results, uint8 RGB, shape (B, 3, H, W).
        labels: Places in the classifier's `classes`, shape (B,).
        classifier: The judge.

    Returns:
        float32 on the CPU, shape (B,); its mean is the top-1 accuracy.

    Source: Saharia et al. 2022, section 4 (CA).
    """
    return (classifier.probabilities(pictures).argmax(dim=1).cpu() == labels.cpu()).float()


def perceptual_distances(pictures: Tensor, originals: Tensor, features: Features) -> Tensor:
    """The distance of each result to its original in a network's features.

    Args:
        pictures: Results, uint8 RGB, shape (B, 3, H, W).
        originals: uint8 RGB, shape (B, 3, H, W).
        features: The network.

    Returns:
        Euclidean, not squared and not normalised; float32 on the CPU, shape (B,).

    Source: Saharia et al. 2022, section 4 (PD).
    """
    return feature_distances(features(pictures), features(originals))


def feature_distances(one: Tensor, other: Tensor) -> Tensor:
    """The Euclidean distances of rows that are features already, (B, D) and (B, D), float32 on the CPU, shape (B,)."""
    return torch.linalg.vector_norm(one.double() - other.double(), dim=1).float().cpu()


def accuracy_figure(right: Tensor, classifier: Named, *, group: str = "", method: str = "") -> Figure:
    """CA in percent of what `recognised` found, shape (N,), with Wilson's 95 % interval."""
    low, high = wilson_interval(int(right.sum()), len(right))
    return Figure(
        name="CA",
        value=100 * right.double().mean().item(),
        low=100 * low,
        high=100 * high,
        better="high",
        unit="%",
        count=len(right),
        features=classifier.name,
        features_sha256=classifier.sha256,
        group=group,
        method=method,
    )


def distance_figure(distances: Tensor, features: Named, *, group: str = "", method: str = "") -> Figure:
    """PD, the mean of what `perceptual_distances` found, shape (N,), with its bootstrap interval."""
    low, high = bootstrap(distances)
    return Figure(
        name="PD",
        value=distances.double().mean().item(),
        low=low,
        high=high,
        better="low",
        unit="",
        count=len(distances),
        features=features.name,
        features_sha256=features.sha256,
        group=group,
        method=method,
    )


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share; unlike a bootstrap's it has a width where all or none are right.

    Raises:
        BadInputError: If there are no pictures.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22, p. 209.
    """
    if count < 1:
        raise BadInputError("a share needs at least one picture, got none")
    share, spread = right / count, Z95**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
