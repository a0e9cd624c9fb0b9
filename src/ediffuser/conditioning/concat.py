"""For a model that was trained on the task: what is known is concatenated to its input."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser, NetworkDenoiser
from ediffuser.diffusion.prediction import Parametrisation, Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import UnfitPairError
from ediffuser.samplers.base import Sampler
from ediffuser.tasks.observation import Observation


@dataclass(frozen=True)
class ConcatDenoiser:
    """A network that knows what is known, in training and in sampling alike.

    The sampler's x_t keeps its own noise level everywhere. The network is shown it with the known part clean where the
    task says so (Eq. 2.21-2.22), and the x_0 it returns carries the known part, so the end of every sampler is exact.
    """

    denoiser: NetworkDenoiser
    observation: Observation

    @property
    def schedule(self) -> Schedule:
        """The network's schedule."""
        return self.denoiser.schedule

    @property
    def parametrisation(self) -> Parametrisation:
        """What the network predicts."""
        return self.denoiser.parametrisation

    def output(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The network's raw output, shape (B, C, H, W), and the variance fraction or None."""
        return self.denoiser.output(self._input(x_t), t)

    def belief(self, x_t: Tensor, t: Tensor, output: Tensor, variance_fraction: Tensor | None) -> Prediction:
        """What such an output says of x_t, its x_0 with the known part put back."""
        prediction = self.denoiser.belief(self._input(x_t), t, output, variance_fraction)
        return replace(prediction, x_t=x_t, x0=self.observation.keep(prediction.x0))

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t, its x_0 with the known part put back."""
        return self.belief(x_t, t, *self.output(x_t, t))

    def _input(self, x_t: Tensor) -> Tensor:
        return self.observation.keep(x_t) if self.observation.known_in_input else x_t


def bound(denoiser: NetworkDenoiser, observation: Observation) -> NetworkDenoiser | ConcatDenoiser:
    """The network with the observation it was trained to be given; itself where there is none."""
    if observation.condition is None:
        return denoiser
    return ConcatDenoiser(denoiser.given(observation.condition), observation)


@component
class Concat:
    """Binds an observation to a model trained on its task."""

    kind: Literal["concat"] = "concat"

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser that knows the observation, and the sampler as it is.

        Raises:
            UnfitPairError: If the denoiser is not a network or the observation has no condition for it.
        """
        if not isinstance(denoiser, NetworkDenoiser) or observation.condition is None:
            raise UnfitPairError("concat needs a network that was trained with the observation's extra input channels")
        return bound(denoiser, observation), sampler
