"""How a model is made to respect what is known. A new way is a file here and its name in the union."""

from typing import Annotated, Protocol, Union, get_args, runtime_checkable

from pydantic import Field

from ediffuser.conditioning.concat import Concat, ConcatDenoiser, bound
from ediffuser.conditioning.null_space import NullSpace
from ediffuser.conditioning.posterior import Dps, PiGdm
from ediffuser.conditioning.repaint import RePaint
from ediffuser.conditioning.replacement import Replacement
from ediffuser.conditioning.score_heuristic import ScoreHeuristic
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.samplers.base import Sampler
from ediffuser.tasks.observation import Observation


@runtime_checkable
class Conditioning(Protocol):
    """Turns a denoiser and a sampler into a pair that respects an observation."""

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """Same types out as in.

        Raises:
            UnfitPairError: If this conditioning cannot work with that denoiser or sampler; a TypeError that says why.
        """
        ...


AnyConditioning = Annotated[
    Union[Concat, Dps, NullSpace, PiGdm, RePaint, Replacement, ScoreHeuristic],  # noqa: UP007
    Field(discriminator="kind"),
]
"""The union of all conditionings: the registry that the command line reads. All but `Concat` are for a model that was
not trained on the task, and approximate what one that was would do."""

UNTRAINED_KINDS = sorted(member().kind for member in get_args(get_args(AnyConditioning)[0]) if member is not Concat)
"""The names of those that a model not trained on the task can be given."""

__all__ = [
    "UNTRAINED_KINDS",
    "AnyConditioning",
    "Concat",
    "ConcatDenoiser",
    "Conditioning",
    "Dps",
    "NullSpace",
    "PiGdm",
    "RePaint",
    "Replacement",
    "ScoreHeuristic",
    "bound",
]
