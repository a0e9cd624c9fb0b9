"""How a model is made to respect what is known. A new way is a file here and its name in the union."""

from typing import Protocol

from ediffuser.conditioning.concat import Concat, ConcatDenoiser, bound
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.samplers.base import Sampler
from ediffuser.tasks.observation import Observation


class Conditioning(Protocol):
    """Turns a denoiser and a sampler into a pair that respects an observation."""

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """Same types out as in."""
        ...


AnyConditioning = Concat
"""The union of all conditionings."""

__all__ = ["AnyConditioning", "Concat", "ConcatDenoiser", "Conditioning", "bound"]
