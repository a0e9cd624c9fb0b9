"""The figures of an evaluation that compare sets of pictures, made of its parts."""

from dataclasses import dataclass

import torch

from ediffuser.evaluation.accuracy import accuracy_figure, distance_figure, feature_distances
from ediffuser.evaluation.distribution import distribution_figures
from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import REFERENCE, Piece
from ediffuser.evaluation.record import Looker, Record
from ediffuser.evaluation.reference import KEPT, Reference

OF_FREE_SETS = ("precision", "recall", "density", "coverage")
"""What is said of pictures from nothing only: a filled picture is close to its own original, so these are near 1."""


@dataclass(frozen=True)
class SetFigures:
    """What the sets of an evaluation are compared with, and how.

    Attributes:
        record: The evaluation.
        parts: What it measured.
        features: Whose features are compared.
        real: What the sets are compared with.
    """

    record: Record
    parts: Parts
    features: Looker
    real: Reference

    def of(self, pieces: list[Piece]) -> list[Figure]:
        """The figures of the pictures of these pieces, which are one method's on one kind of hole."""
        moments, vectors, probabilities, right = Moments.empty(len(self.real.moments.mean)), [], [], []
        for piece in pieces:
            measured = self.parts.read(piece)
            vectors.append(measured["features"][: max(KEPT - moments.count, 0)])
            moments.add(measured["features"])
            probabilities += [measured["probabilities"]] if "probabilities" in measured else []
            right += [measured["right"]] if "right" in measured else []
        group, method = pieces[0].group, pieces[0].method
        found = distribution_figures(
            self.real,
            moments,
            torch.cat(vectors),
            self.features,
            torch.cat(probabilities) if probabilities else None,
            group=group,
            method=method,
        )
        if self.record.plan.task == "generation":
            return found
        near = feature_distances(torch.cat(vectors), self.real.features)
        found = [figure for figure in found if figure.name not in OF_FREE_SETS]
        found.append(distance_figure(near, self.features, group=group, method=method))
        return found + ([accuracy_figure(torch.cat(right), self.features, group=group, method=method)] if right else [])


def set_figures(record: Record, parts: Parts) -> SetFigures | None:
    """What compares the sets of an evaluation; None if it was not to look at features."""
    if record.features is None:
        return None
    measured = parts.read(Piece(REFERENCE, 0, record.plan.count))
    real = Reference(Moments.from_tensors(measured), measured["features"], record.data_sha256)
    return SetFigures(record, parts, record.features, real)
