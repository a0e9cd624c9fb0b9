"""Pictures made by a model or by a baseline, one batch at a time, rounded as a user gets them."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.editing.seam import match, with_ring
from ediffuser.evaluation.classical import CLASSICAL
from ediffuser.evaluation.holes import compose
from ediffuser.evaluation.plan import MODEL, Plan
from ediffuser.generate import painted_rows
from ediffuser.model import Model
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.samplers import Step
from ediffuser.tasks.colorization import luma

Keys = list[tuple[int, int]]

Make = Callable[[Tensor, Tensor | None, Keys], tuple[Tensor, Tensor | None]]
"""Originals, uint8 (B, C, H, W); their holes (B, 1, H, W), if any; and (seed, index) of each row's noise -> the
pictures, uint8 (B, C, H, W), and the calls of the network for each, int64 (B,), if one was called. Of the originals a
method sees what its task lets it know."""


@dataclass(frozen=True)
class ModelMake:
    """The model of a plan, as a method."""

    plan: Plan
    model: Model

    def __call__(self, originals: Tensor, holes: Tensor | None, keys: Keys) -> tuple[Tensor, Tensor]:
        """See `Make`."""
        last = deque(self.steps(originals, holes, keys), maxlen=1).pop()
        x, calls = last.x.float().cpu(), last.calls.cpu()
        if holes is None:
            return to_uint8(x), calls
        images = from_uint8(originals)
        return compose(images, match(x, images, holes.cpu()) if self.plan.matched else x, holes), calls

    def steps(self, originals: Tensor, holes: Tensor | None, keys: Keys) -> Iterator[Step]:
        """The way to the picture; it is known to fit when this returns, before the first step.

        Raises:
            BadInputError: If the model cannot do the task, or the sampler or the conditioning do not fit it.
        """
        images = None if self.plan.task == "generation" else from_uint8(originals)
        asked = with_ring(holes) if self.plan.matched and holes is not None else holes
        return painted_rows(self.model, keys, images, asked, self.plan.way, self.plan.conditioning)


def grey(originals: Tensor, holes: Tensor | None, keys: Keys) -> tuple[Tensor, None]:
    """The luma alone, as a method of colouring."""
    return to_uint8(luma(from_uint8(originals)).expand(-1, 3, -1, -1)), None


def classical(name: str) -> Make:
    """A method of `CLASSICAL`, which looks at RGB."""

    def make(originals: Tensor, holes: Tensor | None, keys: Keys) -> tuple[Tensor, None]:
        assert holes is not None
        images = from_uint8(originals.expand(-1, 3, -1, -1))
        return compose(images, CLASSICAL[name](images, holes), holes), None

    return make


def method(name: str, plan: Plan, model: Model) -> Make:
    """The method of that name, the model's or a baseline's."""
    if name == MODEL:
        return ModelMake(plan, model)
    return grey if name == "grey" else classical(name)


@torch.no_grad()
def variations(make: Make, originals: Tensor, holes: Tensor | None, keys: Keys, count: int) -> Tensor:
    """Several pictures of each observation, uint8, shape (B, count, C, H, W); the v-th from seed + v."""
    made = [make(originals, holes, [(seed + v, index) for seed, index in keys])[0] for v in range(count)]
    return torch.stack(made, dim=1)
