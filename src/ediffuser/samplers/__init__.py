"""Samplers: ways from noise to a picture. A new one is a file here and its name in the union."""

from typing import Annotated, Any, Union, cast

from pydantic import Field
from pydantic.dataclasses import rebuild_dataclass

from ediffuser.samplers.ancestral import Ancestral
from ediffuser.samplers.base import Sampler, Step, StepSampler
from ediffuser.samplers.correctors import AnyCorrector, Langevin, NoCorrector
from ediffuser.samplers.ddim import Ddim
from ediffuser.samplers.dpm_adaptive import DpmAdaptive
from ediffuser.samplers.dpm_solver import DpmSolver
from ediffuser.samplers.dpm_solver_plus_plus import DpmSolverPlusPlus
from ediffuser.samplers.final_corrector import FinalCorrector
from ediffuser.samplers.predictor_corrector import PredictorCorrector
from ediffuser.samplers.predictors import AncestralStep, AnyPredictor, EulerMaruyama, ReverseDiffusion
from ediffuser.samplers.probability_flow import ProbabilityFlow
from ediffuser.samplers.unipc import UniPc

AnySampler = Annotated[
    Union[  # noqa: UP007
        Ancestral,
        Ddim,
        DpmAdaptive,
        DpmSolver,
        DpmSolverPlusPlus,
        FinalCorrector,
        PredictorCorrector,
        ProbabilityFlow,
        UniPc,
    ],
    Field(discriminator="kind"),
]
"""The union of all samplers: the registry that the command line and the web form read."""

# A sampler that wraps any other is named in the union that its own field refers to.
for _wrapper in (FinalCorrector,):
    rebuild_dataclass(cast(Any, _wrapper), _types_namespace={"AnySampler": AnySampler})

__all__ = [
    "Ancestral",
    "AncestralStep",
    "AnyCorrector",
    "AnyPredictor",
    "AnySampler",
    "Ddim",
    "DpmAdaptive",
    "DpmSolver",
    "DpmSolverPlusPlus",
    "EulerMaruyama",
    "FinalCorrector",
    "Langevin",
    "NoCorrector",
    "PredictorCorrector",
    "ProbabilityFlow",
    "ReverseDiffusion",
    "Sampler",
    "Step",
    "StepSampler",
    "UniPc",
]
