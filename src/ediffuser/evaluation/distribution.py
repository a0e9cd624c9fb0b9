"""All figures of one set of made pictures against a reference set, under the names that their features earn."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor

from ediffuser.evaluation.figures import MINIMUM_FOR_FRECHET, Figure, Named, frechet_name, kernel_name, score_name
from ediffuser.evaluation.frechet import frechet_distance
from ediffuser.evaluation.inception_score import inception_score
from ediffuser.evaluation.kid import kernel_distance, kernel_interval
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.precision_recall import precision_recall
from ediffuser.evaluation.reference import Reference

SPLITS = 10

FEWEST_IN_A_SPLIT = 50
"""A score of fewer pictures is far too low, by another amount for each number, and its interval hides that."""

FEWEST = 4
"""Pictures on each side without which there are no subsets and no third neighbours."""

_Values = dict[str, Any]


def distribution_figures(
    real: Reference,
    fake: Moments,
    vectors: Tensor,
    features: Named,
    probabilities: Tensor | None = None,
    *,
    seed: int = 0,
    group: str = "",
    method: str = "",
) -> list[Figure]:
    """A Fréchet distance if both sets have 2,000 pictures, a kernel distance, precision, recall, density, coverage.

    Args:
        real: The reference.
        fake: Moments of the made pictures.
        vectors: Features of the first of them, as many as are to be compared one by one, shape (M, D).
        features: The network that all are features of.
        probabilities: p(y|x) of the made pictures, shape (N, K), for a score; None leaves it out.
        seed: Of subsets and shuffles.
        group: As of `Figure`.
        method: As of `Figure`.

    Returns:
        The figures, in that order and the score last. Those that need more pictures than there are, are left out.
    """
    count, compared = min(real.moments.count, fake.count), min(len(real.features), len(vectors))
    scored = fake.count >= SPLITS * FEWEST_IN_A_SPLIT
    found = chain(
        _frechet(real.moments, fake, features) if count >= MINIMUM_FOR_FRECHET else (),
        _kernel(real.features, vectors, features, seed) if compared >= FEWEST else (),
        _shares(real.features, vectors) if compared >= FEWEST else (),
        _score(probabilities, features, seed) if probabilities is not None and scored else (),
    )
    place: dict[str, Any] = {
        "features": features.name,
        "features_sha256": features.sha256,
        "group": group,
        "method": method,
    }
    return [Figure(unit="", **values, **place) for values in found]


def _frechet(real: Moments, fake: Moments, features: Named) -> Iterator[_Values]:
    value = frechet_distance(real, fake)
    yield _values(frechet_name(features), value, "low", fake.count)


def _kernel(real: Tensor, fake: Tensor, features: Named, seed: int) -> Iterator[_Values]:
    mean, deviation = kernel_distance(real, fake, seed=seed)
    low, high = kernel_interval(mean, deviation, len(real), len(fake))
    yield _values(kernel_name(features), mean, "low", len(fake), low, high)


def _shares(real: Tensor, fake: Tensor) -> Iterator[_Values]:
    for name, value in precision_recall(real, fake)._asdict().items():
        yield _values(name, value, "high", len(fake))


def _score(probabilities: Tensor, features: Named, seed: int) -> Iterator[_Values]:
    mean, low, high = inception_score(probabilities, SPLITS, seed)
    yield _values(score_name(features), mean, "high", len(probabilities), low, high)


def _values(
    name: str, value: float, better: str, count: int, low: float | None = None, high: float | None = None
) -> _Values:
    return {"name": name, "value": value, "better": better, "count": count, "low": low, "high": high}
