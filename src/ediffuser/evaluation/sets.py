"""The figures of an evaluation that compare sets of pictures, made of its parts."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.evaluation.accuracy import accuracy_figure, distance_figure, feature_distances
from ediffuser.evaluation.distribution import distribution_figures
from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import REFERENCE, Piece
from ediffuser.evaluation.record import Looker, Record
from ediffuser.evaluation.reference import KEPT, Reference
from ediffuser.runtime.noise import derived_seed

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

    @property
    def paired(self) -> bool:
        """Whether each result has an original in what the sets are compared with."""
        return self.record.plan.task != "generation"

    def singles(self, single: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the reference, and of these results, that a kernel distance compares.

        A result is like its own original, so a kernel distance of both whole sets counts 1/N of pairs that say nothing
        of the sets, and is biased towards 0. Results of one half of the pictures against originals of the other half
        have no such pairs. The halves are drawn by lot, always the same: data whose classes come in turn have half of
        the classes at even places.
        """
        if not self.paired:
            return self.real.features, single
        originals, results = halves(min(len(self.real.features), len(single)))
        return self.real.features[originals], single[results]

    def of(self, pieces: list[Piece]) -> list[Figure]:
        """The figures of the pictures of these pieces, which are one method's on one kind of hole."""
        moments, vectors, probabilities, right = Moments.empty(len(self.real.moments.mean)), [], [], []
        for piece in pieces:
            measured = self.parts.read(piece)
            vectors.append(measured["features"][: max(KEPT - moments.count, 0)])
            moments.add(measured["features"])
            probabilities += [measured["probabilities"]] if "probabilities" in measured else []
            right += [measured["right"]] if "right" in measured else []
        group, method, single = pieces[0].group, pieces[0].method, torch.cat(vectors)
        compared, results = self.singles(single)
        found = distribution_figures(
            dataclasses.replace(self.real, features=compared),
            moments,
            results,
            self.features,
            torch.cat(probabilities) if probabilities else None,
            group=group,
            method=method,
        )
        if not self.paired:
            return found
        near = feature_distances(single, self.real.features)
        found = [figure for figure in found if figure.name not in OF_FREE_SETS]
        found.append(distance_figure(near, self.features, group=group, method=method))
        return found + ([accuracy_figure(torch.cat(right), self.features, group=group, method=method)] if right else [])


def halves(count: int) -> tuple[Tensor, Tensor]:
    """So many pictures in two halves, drawn by lot: their indices, the same at every call."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(derived_seed("halves", count)))
    return order[: count // 2].sort().values, order[count // 2 :].sort().values


def set_figures(record: Record, parts: Parts) -> SetFigures | None:
    """What compares the sets of an evaluation; None if it was not to look at features."""
    if record.features is None:
        return None
    measured = parts.read(Piece(REFERENCE, 0, record.plan.count))
    real = Reference(Moments.from_tensors(measured), measured["features"], record.data_sha256)
    return SetFigures(record, parts, record.features, real)
