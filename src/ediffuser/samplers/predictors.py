"""Predictors: discretisations of the reverse-time SDE, one step from t back to s.

Each gives the mean and the standard deviation of a Gaussian kernel; drawing from it is the sampler's. The paper states
them for one process each; written with the transition kernel of the step, x_t = scale x_s + sqrt(beta) z, one formula
serves VP, sub-VP, VE and every table of betas.
"""

from typing import Annotated, Literal, Protocol, Union

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.dynamics import reverse_drift
from ediffuser.diffusion.forward import posterior, transition
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.solvers.sde import euler_maruyama


class Predictor(Protocol):
    """A step of the reverse-time SDE."""

    def kernel(self, schedule: Schedule, prediction: Prediction, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, shape of x_t, and standard deviation, broadcastable to it, of x_s; t and s of shape () or (B,)."""
        ...


@component
class EulerMaruyama:
    """The plain step of any SDE, weak order 1; asks for many steps where noise falls steeply."""

    kind: Literal["euler_maruyama"] = "euler_maruyama"

    def kernel(self, schedule: Schedule, prediction: Prediction, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """x_t + (t - s) (g^2 score - f x_t), and g sqrt(t - s)."""
        drift = reverse_drift(schedule, prediction, t)
        return euler_maruyama(prediction.x_t, drift, schedule.diffusion(t), (s - t).double())


@component
class ReverseDiffusion:
    """The forward step turned round, with the forward step's noise (Song et al. 2021, eq. 46)."""

    kind: Literal["reverse_diffusion"] = "reverse_diffusion"

    def kernel(self, schedule: Schedule, prediction: Prediction, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """(2 - scale) x_t + beta score, and sqrt(beta)."""
        scale, beta = transition(schedule, t, s, like=prediction.x_t)
        mean = (2 - scale) * prediction.x_t - beta / prediction.sigma * prediction.eps
        return mean, beta.sqrt()


@component
class AncestralStep:
    """The posterior at the expected x_0: the step of DDPM and of SMLD (Song et al. 2021, eq. 4 and 47).

    Attributes:
        variance: beta of the step ("fixed_large", the paper's for VP) or beta-tilde of the posterior ("fixed_small",
            the paper's for VE).
    """

    kind: Literal["ancestral_step"] = "ancestral_step"
    variance: Literal["fixed_large", "fixed_small"] = "fixed_small"

    def kernel(self, schedule: Schedule, prediction: Prediction, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior's mean, (x_t + beta score) / scale, and the root of the variance chosen."""
        mean, variance = posterior(schedule, prediction.x0, prediction.x_t, t, s)
        if self.variance == "fixed_large":
            _, variance = transition(schedule, t, s, like=prediction.x_t)
        return mean, variance.sqrt()


AnyPredictor = Annotated[Union[AncestralStep, EulerMaruyama, ReverseDiffusion], Field(discriminator="kind")]  # noqa: UP007
"""The union of all predictors."""
