"""Null space: the denoiser decides what is not known, and what is known replaces the rest of its x_0."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.samplers.base import Sampler
from ediffuser.tasks.observation import Observation


@dataclass(frozen=True)
class NullSpaceDenoiser:
    """A denoiser whose x_0 carries what is known: P x_0 + (I - P) times the wrapped one's."""

    denoiser: Denoiser
    observation: Observation

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t; its eps is the one that belongs to the known part, so the state keeps its noise level."""
        prediction = self.denoiser(x_t, t)
        return replace(prediction, x0=self.observation.keep(prediction.x0))


@component
class NullSpace:
    """Puts what is known into every x_0 that the denoiser believes in; works with every sampler.

    For a projection P, whose pseudo-inverse is itself, this is DDNM for noiseless data. An approximation: what is not
    known is still the belief of a denoiser that is told nothing, and learns of the known part from x_t alone.

    Source: Wang et al. 2022 (DDNM), Algorithm 1, whose step is the posterior at the corrected x_0. Their
    code mixes in the eps from before the correction where eta < 1; here eps always belongs to the corrected x_0.
    """

    kind: Literal["null_space"] = "null_space"

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser that carries what is known, and the sampler as it is."""
        return NullSpaceDenoiser(denoiser, observation), sampler
