"""Training: a generator of steps, and what determines it."""

from ediffuser.runtime.errors import DivergedError
from ediffuser.training.experiment import Experiment
from ediffuser.training.loop import TrainingStep, train

__all__ = ["DivergedError", "Experiment", "TrainingStep", "train"]
