"""Opens what a plan names, and refuses what cannot be done before anything is measured."""

from pathlib import Path

import torch

from ediffuser.evaluation.comparison import Sight
from ediffuser.evaluation.features import open_features
from ediffuser.evaluation.groups import GroupClassifier
from ediffuser.evaluation.likelihoods import natural_way
from ediffuser.evaluation.measure import Evaluation
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.similarity import open_distance
from ediffuser.evaluation.spread import classes_in_turn
from ediffuser.generate import load
from ediffuser.model import Model
from ediffuser.runtime.device import choose_device
from ediffuser.runtime.distributed import ALONE, Processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.tasks import Unconditional

LEAST = 4
"""So many pictures a kernel distance needs."""


def open_evaluation(plan: Plan, device: str = "auto", group: Processes = ALONE) -> Evaluation:
    """The evaluation that a plan describes.

    Raises:
        BadInputError: If something it names is missing, does not fit the model, or the model cannot do the task.
    """
    place = group.device(choose_device(device))
    model = load(plan.model, device=str(place), precision=plan.precision)
    pictures = classes_in_turn(plan.data.open())
    if plan.count > len(pictures) and plan.task != "generation":
        raise BadInputError(f"there are {len(pictures)} pictures in the data; count {plan.count} must not exceed that")
    if plan.count < LEAST and plan.features != "none":
        raise BadInputError(f"sets of pictures are compared from {LEAST} pictures on, count is {plan.count}")
    held_out = classes_in_turn(plan.held_out.open()) if plan.held_out else None
    for each in (pictures, held_out or pictures):
        shape = tuple(each.batch([0]).shape[1:])
        if shape != model.shape:
            raise BadInputError(f"the data's pictures have shape {shape}; the model's have {model.shape}")
    _check_likelihood(plan, model, len(held_out or pictures))
    evaluation = Evaluation(plan, model, pictures, _sight(plan, place), held_out)
    evaluation.try_out()
    return evaluation


def _check_likelihood(plan: Plan, model: Model, available: int) -> None:
    trained = "generation" if isinstance(model.config.task, Unconditional) else model.config.task.kind
    if plan.nll and trained != plan.task:
        raise BadInputError(f"a model trained for {trained} has no likelihood of {plan.task}; leave out --nll")
    if plan.nll == "vlb" and natural_way(model) == "ode":
        raise BadInputError("a model of continuous time has no variational bound over steps; use --nll ode")
    if plan.bits > available:
        raise BadInputError(
            f"the likelihood is that of the first {plan.bits} pictures, and there are {available}; give a --count of "
            "at most that, or more pictures"
        )


def _sight(plan: Plan, place: torch.device) -> Sight:
    """The networks that a plan names; pictures from nothing have no originals to be compared with one by one."""
    alone = plan.task == "generation"
    features = None if plan.features == "none" else open_features(plan.features, place)
    distance = None if alone or plan.distance == "none" else open_distance(plan.distance, place)
    groups = None if plan.classifier is None else GroupClassifier(Path(plan.classifier))
    return Sight(features, distance, groups)
