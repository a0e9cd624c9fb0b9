"""What a run is worth while it goes on: always the same seeds, holes and pictures, painted by the running mean.

Few pictures make a figure that serves to compare the moments of one run; `ediffuser evaluate` makes those to report.
Like the grids of samples these draw from streams of their own, and the training ends bit for bit as without them.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ediffuser.data import Pictures
from ediffuser.evaluation.distribution import distribution_figures
from ediffuser.evaluation.features import Classifier, Features, open_features
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.perceptual import SMALLEST_PX, StLpips
from ediffuser.evaluation.reference import Reference, reference
from ediffuser.evaluation.sets import OF_FREE_SETS, halves
from ediffuser.evaluation.spread import classes_in_turn
from ediffuser.generate import painted_rows
from ediffuser.model import Model
from ediffuser.runtime.device import choose_precision
from ediffuser.runtime.distributed import ALONE, Processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise, derived_seed
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.runtime.signals import Stop
from ediffuser.samplers import Step
from ediffuser.tasks import Inpainting, Unconditional
from ediffuser.training.experiment import Experiment

BATCH = 16
FEWEST = 20
"""Pictures below which the figures would say nothing."""


@dataclass(frozen=True)
class Evaluation:
    """What is measured again and again.

    Attributes:
        experiment: The run.
        pictures: Those that are compared with, and whose known part is given.
        count: How many are made each time.
        features: The network whose features are compared.
        real: Its features of the pictures.
        distance: The distance of each picture from its original; None where nothing is given, or pictures are small.
    """

    experiment: Experiment
    pictures: Pictures
    count: int
    features: Features
    real: Reference
    distance: StLpips | None

    @classmethod
    def open(cls, experiment: Experiment, device: torch.device) -> Self:
        """Measures what is compared with: the held-out pictures, or without them those that are trained on.

        Args:
            experiment: The run.
            device: Where the networks that look at pictures compute.

        Raises:
            BadInputError: If there are too few pictures, they cannot be read, or a network's weights are missing.
        """
        pictures = classes_in_turn((experiment.held_out or experiment.data).open())
        count = min(experiment.evaluate_count, len(pictures))
        if count < FEWEST:
            raise BadInputError(
                f"evaluate_every makes figures of at least {FEWEST} pictures, not of {count}: raise evaluate_count, or "
                "give more pictures with --held-out"
            )
        features = open_features("auto", device)
        given = not isinstance(experiment.model.task, Unconditional)
        sides = experiment.data.resolution
        distance = StLpips().to(device) if given and sides >= SMALLEST_PX else None
        return cls(experiment, pictures, count, features, reference(pictures, features, count), distance)

    @property
    def description(self) -> str:
        """What the figures are, in words."""
        which = "held-out" if self.experiment.held_out else "training"
        return f"{self.count} pictures against as many {which} ones, {self.features.name}"

    @torch.no_grad()
    def measure(self, average: nn.Module, stop: Stop | None = None, group: Processes = ALONE) -> dict[str, float]:
        """The figures of these weights, by name; the same on every process, which all call it together.

        Args:
            average: The running mean of the weights, in evaluation mode.
            stop: Whether somebody wants the run to stop: then there are no figures, for who waits is in a hurry.
            group: Who shares the work; whole batches, so that the pictures do not depend on their number.
        """
        device = next(average.parameters()).device
        model = Model(self.experiment.model, average, device, choose_precision(self.experiment.precision, device))
        batches = [range(start, min(start + BATCH, self.count)) for start in range(0, self.count, BATCH)]
        mine, rows = group.mine(batches), [torch.empty(0, self._width)]
        for turn in range(math.ceil(len(batches) / group.world)):
            looks = [self._look(model, batch, stop) for batch in mine[turn : turn + 1]]
            if group.any(any(look is None for look in looks)):
                return {}
            rows += [look for look in looks if look is not None]
        return self._figures(_in_order(group.gather_parts(torch.cat(rows)), len(batches)))

    @property
    def given(self) -> bool:
        """Whether each made picture has an original of which something is given."""
        return not isinstance(self.experiment.model.task, Unconditional)

    @property
    def _width(self) -> int:
        """Numbers of a row: features, probabilities and the distance."""
        return self.features.dimensions + len(getattr(self.features, "classes", ())) + 1

    def _look(self, model: Model, indices: range, stop: Stop | None) -> Tensor | None:
        """What the networks say of pictures made of these indices, float32, a row each; None if made no further."""
        steps, originals = self._steps(model, indices)
        made = torch.empty(0)
        for step in steps:
            if stop:
                return None
            made = step.x
        seen = to_uint8(made.cpu()).expand(-1, 3, -1, -1)
        parts = [self.features(seen).cpu()]
        if isinstance(self.features, Classifier):
            parts.append(self.features.probabilities(seen).cpu())
        distances = torch.zeros(len(indices))
        if self.distance is not None and originals is not None:
            distances = self.distance(from_uint8(seen), from_uint8(originals.expand(-1, 3, -1, -1))).cpu()
        return torch.cat([*parts, distances[:, None]], dim=1)

    def _figures(self, rows: Tensor) -> dict[str, float]:
        vectors, probabilities = rows[:, : self.features.dimensions], rows[:, self.features.dimensions : -1]
        moments = Moments.empty(self.features.dimensions)
        moments.add(vectors)
        real, compared, left_out = self.real, vectors, ()
        if self.given:  # a result is like its own original, which `sets.SetFigures` keeps apart in the same way
            originals, results = halves(min(len(real.features), len(vectors)))
            real, compared = dataclasses.replace(real, features=real.features[originals]), vectors[results]
            left_out = OF_FREE_SETS
        found = distribution_figures(
            real, moments, compared, self.features, probabilities if probabilities.shape[1] else None
        )
        measured = {figure.name: figure.value for figure in found if figure.name not in left_out}
        return measured if self.distance is None else measured | {"ST-LPIPS": rows[:, -1].mean().item()}

    def _steps(self, model: Model, indices: range) -> tuple[Iterator[Step], Tensor | None]:
        """The making of pictures of these indices, and their originals in uint8 where something of them is given."""
        task, seed = self.experiment.model.task, derived_seed("evaluation", self.experiment.seed)
        keys = [(seed, index) for index in indices]
        if isinstance(task, Unconditional):
            return painted_rows(model, keys), None
        originals = self.pictures.batch(indices)
        images, holes = from_uint8(originals), None
        if isinstance(task, Inpainting):
            noise = Noise.rows(derived_seed("evaluation holes", self.experiment.seed), indices)
            holes = task.holes.draw(noise, (images.shape[2], images.shape[3]))
        return painted_rows(model, keys, images, holes), originals


def _in_order(parts: Sequence[Tensor], batches: int) -> Tensor:
    """The rows of all pictures in the order of their indices; of each process, those of every world-th batch."""
    return torch.cat([parts[number % len(parts)][number // len(parts) * BATCH :][:BATCH] for number in range(batches)])
