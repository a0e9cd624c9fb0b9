"""A job in the worker: its photo, its plan, and how far each of its variations is."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ediffuser.editing.crop import CONTEXT
from ediffuser.editing.encode import encode_photo
from ediffuser.editing.faces import frames_for
from ediffuser.editing.paint import INDICES_PER_CROP, Ask, Plan, paint
from ediffuser.editing.photo import Photo
from ediffuser.generate import DEFAULT_SAMPLER
from ediffuser.model import Framing
from ediffuser.runtime.files import write_atomically
from ediffuser.samplers import Sampler
from ediffuser.server.messages import RowStep, Run
from ediffuser.server.painters import Frame
from ediffuser.server.storage import patch_path, read_mask, read_pixels, read_profile


class Easel:
    """Paints the variations of one job, a square at a time, whenever it is their turn.

    Attributes:
        run: What was asked for.
        sampler: The way from noise to a picture.
        left: Variations that are not finished.
    """

    def __init__(self, data: Path, run: Run, resolution: int, framing: Framing = "free") -> None:
        """Reads mask and photo (the latter as needed) and plans the squares.

        Raises:
            FileNotFoundError: If photo or mask are gone.
        """
        pixels = read_pixels(data, run.image.id)
        hole = read_mask(data, run.job, run.image.width)
        self.run = run
        self.sampler: Sampler = run.options.sampler or DEFAULT_SAMPLER
        self._data = data
        options = run.options
        self._plan = Plan(
            pixels,
            hole,
            resolution,
            context=options.context or CONTEXT,
            feather=options.feather,
            frames=frames_for(framing, pixels, hole) if options.context is None else (),
            detail=options.detail,
            seed=options.seed or 0,
        )
        self.left = set(range(run.options.variations)) - set(run.finished)
        self._at_work: dict[int, tuple[Generator[Ask, Tensor, np.ndarray], Ask]] = {}

    def ask(self, variation: int) -> Ask:
        """The square that a variation needs next."""
        if variation not in self._at_work:
            coroutine = paint(self._plan, variation)
            self._at_work[variation] = (coroutine, next(coroutine))
        return self._at_work[variation][1]

    def put(self, variation: int, painted: Tensor) -> bool:
        """Takes a painted square, shape (3, r, r). After the last one the patch is stored and the answer True.

        Raises:
            BadInputError: If the patch cannot be written.
        """
        coroutine, _ = self._at_work.pop(variation)
        try:
            self._at_work[variation] = (coroutine, coroutine.send(painted))
        except StopIteration as end:
            photo = Photo(end.value, read_profile(self._data, self.run.image.id))
            write_atomically(patch_path(self._data, self.run.job, variation), encode_photo(photo, "png"))
            self.left.remove(variation)
            return True
        return False

    def step(self, variation: int, frame: Frame) -> RowStep:
        """How far a variation is, all its squares taken together."""
        number = self.ask(variation).index // INDICES_PER_CROP
        squares = len(self._plan.crops)
        return RowStep(self.run.job, variation, number * frame.total + frame.calls, squares * frame.total)


@dataclass(frozen=True)
class Row:
    """A variation in a batch."""

    easel: Easel
    variation: int
    ask: Ask

    @property
    def job(self) -> str:
        """Id of its job."""
        return self.easel.run.job

    @property
    def key(self) -> tuple[int, int]:
        """The noise to draw it from: (seed, index)."""
        return (self.easel.run.options.seed or 0, self.ask.index)
