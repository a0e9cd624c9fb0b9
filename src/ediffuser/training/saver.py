"""When the state of a run is saved, and what a full disk means for it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ediffuser.runtime.distributed import Processes
from ediffuser.runtime.errors import BadInputError, CheckpointError
from ediffuser.training.checkpoints import prune
from ediffuser.training.experiment import Experiment
from ediffuser.training.state import TrainingState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saver:
    """Publishes the checkpoints of a run; of several processes, which all call it together, the first one writes.

    Attributes:
        experiment: What determines the run.
        directory: Of the run.
        state: What is saved.
        group: The processes.
        epoch: Pictures of the data set.
    """

    experiment: Experiment
    directory: Path
    state: TrainingState
    group: Processes
    epoch: int

    def publish(self, figures: Mapping[str, float], *, last: bool) -> Path | None:
        """Saves the state, and removes older checkpoints; None if the disk has no room, and for all but the first.

        A run does not end for that: the checkpoint before is whole, and there may be room when the next one is due.
        Only the last one must succeed.

        Args:
            figures: Of the last step.
            last: Whether no other checkpoint follows.

        Raises:
            BadInputError: If the last one cannot be saved.
            PeerError: If that is so for the first process.
            DivergedError: If a tensor is not finite.
        """
        self.group.assert_alike(self._tensors)
        with self.group.together():
            if not self.group.first:
                return None
            try:
                return self._publish(figures)
            except BadInputError as error:
                if last:
                    raise BadInputError(
                        f"{error}; make room and go on with --resume from the checkpoint before"
                    ) from error
                logger.warning("%s; training goes on, and the next checkpoint is tried when it is due", error)
                return None

    def rescue(self, figures: Mapping[str, float]) -> None:
        """Saves what has been trained since the last checkpoint, if anything, for the run ends before its time."""
        self.group.assert_alike(self._tensors)
        with self.group.together():
            if self.group.first and self.state.images_seen and not self.state.place(self.directory).exists():
                try:
                    logger.info("saved %s before the run ends", self._publish(figures))
                except BadInputError as error:
                    logger.warning("%s", error)

    @property
    def _tensors(self) -> dict[str, Tensor]:
        return self.state.tensors() | self.state.average.state_dict()

    def _publish(self, figures: Mapping[str, float]) -> Path:
        images = self.state.images_seen
        try:
            path = self.state.save(self.experiment, self.directory, figures)
        except (OSError, CheckpointError) as error:
            raise BadInputError(
                f"cannot save the checkpoint of {images} images in {self.directory}: {error}"
            ) from error
        try:
            prune(self.directory, self.experiment.backup_every * self.epoch)
        except OSError as error:  # what should have gone takes room, no more
            logger.warning("cannot remove older checkpoints in %s: %s; training goes on", self.directory, error)
        return path
