"""Training: a generator of steps, and what determines it."""

from ediffuser.training.experiment import Experiment
from ediffuser.training.loop import DivergedError, TrainingStep, train

__all__ = ["DivergedError", "Experiment", "TrainingStep", "train"]
