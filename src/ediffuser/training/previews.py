"""Grids of what a run paints so far: always the same pictures, seeds and holes, so that grids can be compared.

They are made of the weights' running mean and draw from streams of their own, so that a run with them ends bit for bit
like one without.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ediffuser.generate import painted_rows
from ediffuser.model import Model
from ediffuser.runtime.device import choose_precision
from ediffuser.runtime.noise import Noise, derived_seed
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.runtime.signals import Stop
from ediffuser.samplers import Step
from ediffuser.tasks import Inpainting, Unconditional
from ediffuser.training.experiment import Experiment

GAP_PX = 2
BATCH = 16
"""Pictures painted at once: many do not fit in the memory that a training leaves."""


@dataclass(frozen=True)
class Previews:
    """What is painted on every grid.

    Attributes:
        experiment: The run.
        originals: The pictures whose known part is given, in [-1, 1], shape (N, C, H, W); None where nothing is given.
        holes: Where they are painted, shape (N, 1, H, W); None where there are no holes.
    """

    experiment: Experiment
    originals: Tensor | None = None
    holes: Tensor | None = None

    @classmethod
    def open(cls, experiment: Experiment) -> Self:
        """Chooses the pictures and the holes, by the experiment's seed.

        Raises:
            BadInputError: If the pictures cannot be read.
        """
        task = experiment.model.task
        if isinstance(task, Unconditional):
            return cls(experiment)
        pictures = (experiment.held_out or experiment.data).open()
        count = min(experiment.sample_size, len(pictures))
        # Spread over the whole set, whose neighbours often are alike.
        originals = from_uint8(pictures.batch(np.arange(count) * len(pictures) // count))
        if not isinstance(task, Inpainting):
            return cls(experiment, originals)
        noise = Noise.rows(derived_seed("preview holes", experiment.seed), range(count))
        return cls(experiment, originals, task.holes.draw(noise, (originals.shape[2], originals.shape[3])))

    @property
    def name(self) -> str:
        """What the grids show, in words."""
        task = self.experiment.model.task
        if isinstance(task, Unconditional):
            return "samples"
        return f"{task.kind} of {'held-out' if self.experiment.held_out else 'training'} pictures"

    def paint(self, average: nn.Module, stop: Stop | None = None) -> np.ndarray | None:
        """The grid that these weights paint; where something is given, in threes: what is given, painted, original.

        Args:
            average: The running mean of the weights, in evaluation mode.
            stop: Whether somebody wants the run to stop: then there is no grid, for who waits is in a hurry.

        Returns:
            uint8, shape (height, width, 3); None if it was stopped.
        """
        count = self.experiment.sample_size if self.originals is None else len(self.originals)
        batches = []
        for start in range(0, count, BATCH):
            made = torch.empty(0)
            for step in self._steps(average, range(start, min(start + BATCH, count))):
                if stop:
                    return None
                made = step.x
            batches.append(made.clamp(-1, 1).cpu())
        painted = torch.cat(batches)
        if self.originals is None:
            return grid(painted, math.ceil(math.sqrt(len(painted))))
        threes = torch.stack([self._given(self.originals), painted, self.originals], dim=1).flatten(0, 1)
        return grid(threes, 3 * math.ceil(math.sqrt(len(painted) / 3)))

    def _steps(self, average: nn.Module, indices: range) -> Iterator[Step]:
        device, seed = next(average.parameters()).device, derived_seed("preview", self.experiment.seed)
        model = Model(self.experiment.model, average, device, choose_precision(self.experiment.precision, device))
        keys, rows = [(seed, index) for index in indices], slice(indices.start, indices.stop)
        originals, holes = (known if known is None else known[rows] for known in (self.originals, self.holes))
        return painted_rows(model, keys, originals, holes)

    def _given(self, originals: Tensor) -> Tensor:
        """What the network is told, as a picture: grey in the hole, or the luma."""
        noise = Noise.rows(0, range(len(originals)))  # not drawn from: holes are given
        condition = self.experiment.model.task.observe(originals, noise, self.holes).condition
        return originals if condition is None else condition[:, : originals.shape[1]]


def grid(images: Tensor, columns: int) -> np.ndarray:
    """Pictures in rows, on white.

    Args:
        images: In [-1, 1], shape (N, C, H, W); C is 1 or 3.
        columns: How many to a row.

    Returns:
        uint8, shape (height, width, 3).
    """
    pixels = to_uint8(images.cpu()).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    height, width = (side + GAP_PX for side in pixels.shape[1:3])
    rows = math.ceil(len(pixels) / columns)
    canvas = np.full((rows * height - GAP_PX, columns * width - GAP_PX, 3), 255, np.uint8)
    for place, picture in enumerate(pixels):
        top, left = place // columns * height, place % columns * width
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas
