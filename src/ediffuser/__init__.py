"""Denoising diffusion models for images: train, generate, inpaint, colorize, evaluate, edit."""

from typing import TYPE_CHECKING

from ediffuser.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from ediffuser.conditioning import Concat, Dps, NullSpace, PiGdm, RePaint, Replacement, ScoreHeuristic
    from ediffuser.generate import colorize, generate, inpaint, load
    from ediffuser.likelihood import ode_bits_per_dim, vlb_bits_per_dim
    from ediffuser.model import Model
    from ediffuser.samplers import (
        Ancestral,
        AncestralStep,
        Ddim,
        DpmAdaptive,
        DpmSolver,
        DpmSolverPlusPlus,
        EulerMaruyama,
        FinalCorrector,
        Langevin,
        NoCorrector,
        PredictorCorrector,
        ProbabilityFlow,
        ReverseDiffusion,
        UniPc,
    )
else:  # the type checker and editors see the imports above; at run time PyTorch waits until it is needed
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Ancestral": "ediffuser.samplers",
            "AncestralStep": "ediffuser.samplers",
            "Concat": "ediffuser.conditioning",
            "Ddim": "ediffuser.samplers",
            "DpmAdaptive": "ediffuser.samplers",
            "DpmSolver": "ediffuser.samplers",
            "DpmSolverPlusPlus": "ediffuser.samplers",
            "Dps": "ediffuser.conditioning",
            "EulerMaruyama": "ediffuser.samplers",
            "FinalCorrector": "ediffuser.samplers",
            "Langevin": "ediffuser.samplers",
            "Model": "ediffuser.model",
            "NoCorrector": "ediffuser.samplers",
            "NullSpace": "ediffuser.conditioning",
            "PiGdm": "ediffuser.conditioning",
            "PredictorCorrector": "ediffuser.samplers",
            "ProbabilityFlow": "ediffuser.samplers",
            "RePaint": "ediffuser.conditioning",
            "Replacement": "ediffuser.conditioning",
            "ReverseDiffusion": "ediffuser.samplers",
            "UniPc": "ediffuser.samplers",
            "ScoreHeuristic": "ediffuser.conditioning",
            "colorize": "ediffuser.generate",
            "generate": "ediffuser.generate",
            "inpaint": "ediffuser.generate",
            "load": "ediffuser.generate",
            "ode_bits_per_dim": "ediffuser.likelihood",
            "vlb_bits_per_dim": "ediffuser.likelihood",
        },
    )

__all__ = [
    "Ancestral",
    "AncestralStep",
    "Concat",
    "Ddim",
    "DpmAdaptive",
    "DpmSolver",
    "DpmSolverPlusPlus",
    "Dps",
    "EulerMaruyama",
    "FinalCorrector",
    "Langevin",
    "Model",
    "NoCorrector",
    "NullSpace",
    "PiGdm",
    "PredictorCorrector",
    "ProbabilityFlow",
    "RePaint",
    "Replacement",
    "ReverseDiffusion",
    "ScoreHeuristic",
    "UniPc",
    "colorize",
    "generate",
    "inpaint",
    "load",
    "ode_bits_per_dim",
    "vlb_bits_per_dim",
]
