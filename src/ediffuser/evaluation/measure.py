"""Everything that an evaluation needs, opened, and the one function that measures a piece of it."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.data import Pictures
from ediffuser.evaluation.accuracy import class_numbers, recognised
from ediffuser.evaluation.comparison import Sight, rgb
from ediffuser.evaluation.holes import holes_of
from ediffuser.evaluation.likelihoods import bits_per_dim
from ediffuser.evaluation.making import Make, ModelMake, method, variations
from ediffuser.evaluation.parts import Measured
from ediffuser.evaluation.plan import LIKELIHOOD, MODEL, REFERENCE, SPEED, Piece, Plan
from ediffuser.evaluation.reference import measuring
from ediffuser.evaluation.speed import batch_size, machine_name, timed_batches
from ediffuser.model import Model
from ediffuser.runtime.pixels import from_uint8

SHOWN = 8
"""How many pictures of a method's first batch are kept to be shown."""

SHOWN_FREE = 64


@dataclass(frozen=True)
class Evaluation:
    """A plan with all that it names.

    Attributes:
        plan: What is measured.
        model: The model.
        pictures: The data.
        sight: The networks that look at pictures.
        held_out: Whose likelihood is measured, if that is not the data's.
    """

    plan: Plan
    model: Model
    pictures: Pictures
    sight: Sight
    held_out: Pictures | None = None

    @property
    def likely(self) -> Pictures:
        """Whose likelihood is measured."""
        return self.held_out or self.pictures

    @property
    def used(self) -> int:
        """How many pictures of the data the figures depend on, the first ones."""
        if self.sight.groups is not None and self.plan.task == "generation":
            return len(self.pictures)
        return max(self.compared_with, 0 if self.held_out else self.plan.bits)

    @property
    def compared_with(self) -> int:
        """How many pictures the results are compared with as a set: their originals, if they have any."""
        return min(self.plan.compared, len(self.pictures)) if self.plan.task == "generation" else self.plan.count

    def try_out(self) -> None:
        """Poses the task to the model on one picture, without painting it.

        Raises:
            BadInputError: If the model was trained on another task, or sampler and conditioning do not fit it.
        """
        originals = self.pictures.batch([0])
        holes = holes_of(self.plan.holes[0], originals, range(1)) if self.plan.task == "inpainting" else None
        ModelMake(self.plan, self.model).steps(originals, holes, self._keys(range(1)))

    def measuring(self, piece: Piece) -> Generator[int, None, Measured]:
        """What a piece measures; the same numbers whenever, wherever and after whatever it is called.

        Yields:
            How many pictures of the reference are measured, now and then; nothing in other pieces.

        Raises:
            BadInputError: If the model cannot do the task, or a picture is damaged.
        """
        return (yield from self._reference()) if piece.method == REFERENCE else self._measure(piece)

    @torch.no_grad()
    def _measure(self, piece: Piece) -> Measured:
        if piece.method == LIKELIHOOD:
            return self._likelihood(piece)
        if piece.method == SPEED:
            return self._speed()
        if self.plan.task == "generation":
            return self._generated(piece)
        return self._filled(piece)

    def _reference(self) -> Generator[int, None, Measured]:
        groups = self._groups() if self.sight.groups else {}
        if self.sight.features is None:
            return {"count": torch.tensor(self.compared_with)} | groups
        found = yield from measuring(self.pictures, self.sight.features, self.compared_with, batch=self.plan.batch)
        return found.moments.to_tensors() | {"features": found.features} | groups

    @torch.no_grad()
    def _groups(self) -> Measured:
        """The groups of all originals; for pictures from nothing, of all data, whose shares these are."""
        count = len(self.pictures) if self.plan.task == "generation" else self.plan.count
        batches = torch.arange(count).split(self.plan.batch)
        found = [self.sight.grouped(self.pictures.batch(rows.numpy()))["group"] for rows in batches]
        return {"group": torch.cat(found)}

    def _likelihood(self, piece: Piece) -> Measured:
        levels, keys = self.likely.batch(piece.indices), self._keys(piece.indices)
        holes, chain = self._holes(piece, levels), self.plan.bound
        found = bits_per_dim(
            self.model,
            levels,
            keys,
            holes,
            self.plan.nll,
            steps=chain.steps,
            variance=chain.variance,
            clip=chain.clip,
        )
        return {"bits": found.value}

    def _speed(self) -> Measured:
        """Seconds for each of some batches, by the dissertation's protocol."""
        plan, images, holes = self.plan, None, None
        size = batch_size(self.model.resolution)
        if plan.task != "generation":
            rows = [k % len(self.pictures) for k in range(size)]
            originals = self.pictures.batch(rows)
            images = from_uint8(originals)
            if plan.task == "inpainting":
                holes = holes_of(plan.holes[-1], originals, range(size))
        found = timed_batches(
            self.model, plan.way, images=images, holes=holes, conditioning=plan.conditioning, seed=plan.seed
        )
        machine = torch.tensor(list(machine_name(self.model.device).encode()), dtype=torch.uint8)
        return {"seconds": torch.tensor([each.seconds for each in found]).double(), "machine": machine}

    def _holes(self, piece: Piece, originals: Tensor) -> Tensor | None:
        return holes_of(piece.group, originals, piece.indices) if piece.group else None

    def _generated(self, piece: Piece) -> Measured:
        made, calls = ModelMake(self.plan, self.model)(torch.empty(0), None, self._keys(piece.indices))
        found = {"calls": calls} | self.sight.seen(made, classified=True)
        return found | ({"shown": rgb(made[:SHOWN_FREE])[:, None]} if piece.start == 0 else {})

    def _filled(self, piece: Piece) -> Measured:
        originals = self.pictures.batch(piece.indices)
        holes = self._holes(piece, originals)
        make, keys = method(piece.method, self.plan, self.model), self._keys(piece.indices)
        made, calls = make(originals, holes, keys)
        found = self.sight.compared(made, originals, holes) | self.sight.seen(made, classified=not piece.group)
        if calls is not None:
            found |= {"calls": calls} | self._variety(piece, make, originals, holes, made)
        if piece.start == 0 and "shown" not in found:
            found["shown"] = rgb(made[:SHOWN])[:, None]
        return found | self._labelled(piece, found) | self._seen_by_eye(piece, originals, holes)

    def _variety(self, piece: Piece, make: Make, originals: Tensor, holes: Tensor | None, made: Tensor) -> Measured:
        """How the variations of the first pictures differ. The first variation is made already."""
        count = min(self.plan.diverse - piece.start, len(made))
        if self.plan.variations == 1 or count < 1:
            return {}
        few = None if holes is None else holes[:count]
        keys = [(seed + 1, index) for seed, index in self._keys(piece.indices)[:count]]
        more = variations(make, originals[:count], few, keys, self.plan.variations - 1)
        several = torch.cat([made[:count, None], more], dim=1).expand(-1, -1, 3, -1, -1)
        shown = {"shown": several[:SHOWN]} if piece.start == 0 else {}
        return self.sight.variety(several, few) | shown

    def _labelled(self, piece: Piece, found: Measured) -> Measured:
        """Whether the network that looks at a picture gives it the class that the data do, where both know classes."""
        known = getattr(self.sight.features, "classes", ())
        if "probabilities" not in found or not self.pictures.classes or not {*self.pictures.classes} <= {*known}:
            return {}
        labels = class_numbers(self.pictures, known)[piece.start : piece.stop]
        return {"right": recognised(found["probabilities"], labels)}

    def _seen_by_eye(self, piece: Piece, originals: Tensor, holes: Tensor | None) -> Measured:
        """The originals and the holes that belong to the pictures shown."""
        if piece.start > 0 or piece.method != MODEL:
            return {}
        shown = {"originals": rgb(originals[:SHOWN])}
        return shown if holes is None else shown | {"holes": holes[:SHOWN].to(torch.uint8)}

    def _keys(self, indices: range) -> list[tuple[int, int]]:
        return [(self.plan.seed, index) for index in indices]
