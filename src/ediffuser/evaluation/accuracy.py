"""Whether painted or coloured pictures still show what they showed: classification accuracy and perceptual distance.

The dissertation names both for its conditional models (appendix, 4.1) by reference to Saharia et al. 2022, "Palette":
classification accuracy (CA) is the part of results to which a trained classifier gives the class of the original, and
perceptual distance (PD) the Euclidean distance of a result's features to its original's. Palette takes them from a
ResNet-50 and an Inception-v1 trained on ImageNet; here the network is an argument, and stands next to every figure.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ediffuser.data import Pictures
from ediffuser.evaluation.figures import Figure, Named, bootstrap
from ediffuser.evaluation.shares import rate
from ediffuser.runtime.errors import BadInputError


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


def recognised(probabilities: Tensor, labels: Tensor) -> Tensor:
    """1 for each picture whose most probable class is its label, else 0.

    Args:
        probabilities: What the judge says of the results, shape (B, K).
        labels: Places in its `classes`, shape (B,).

    Returns:
        float32 on the CPU, shape (B,); its mean is the top-1 accuracy.

    Source: Saharia et al. 2022, section 4 (CA).
    """
    return (probabilities.argmax(dim=1).cpu() == labels.cpu()).float()


def feature_distances(one: Tensor, other: Tensor) -> Tensor:
    """The distance of each result to its original in a network's features.

    Args:
        one: Features of the results, shape (B, D).
        other: Those of the originals, shape (B, D).

    Returns:
        Euclidean, not squared and not normalised; float32 on the CPU, shape (B,).

    Source: Saharia et al. 2022, section 4 (PD).
    """
    return torch.linalg.vector_norm(one.double() - other.double(), dim=1).float().cpu()


def accuracy_figure(right: Tensor, classifier: Named, *, group: str = "", method: str = "") -> Figure:
    """CA in percent of what `recognised` found, shape (N,), with Wilson's 95 % interval.

    Raises:
        BadInputError: If there are no pictures.
    """
    if not len(right):
        raise BadInputError("a share needs at least one picture, got none")
    share = rate(int(right.sum()), len(right))
    return Figure(
        name="CA",
        value=100 * share.share,
        low=100 * share.low,
        high=100 * share.high,
        better="high",
        unit="%",
        count=len(right),
        features=classifier.name,
        features_sha256=classifier.sha256,
        group=group,
        method=method,
    )


def distance_figure(distances: Tensor, features: Named, *, group: str = "", method: str = "") -> Figure:
    """PD, the mean of what `feature_distances` found, shape (N,), with its bootstrap interval."""
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
