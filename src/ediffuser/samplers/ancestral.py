"""Ancestral sampling: one draw from p(x_s | x_t) after the other."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.forward import posterior
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.respacing import trailing_times
from ediffuser.diffusion.reverse_variance import ReverseVariance, chosen_fraction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.diffusion.variational import reverse_log_variance
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Step, clipped, walk


@component
class Ancestral:
    """The sampler of Ho et al. 2020, Algorithm 2 (the dissertation's Algorithm 2, run from T down to 1).

    With a learned variance it is that of Nichol & Dhariwal 2021; at any number of steps beta, beta-tilde and what lies
    between them are those of the pair (t, s) that the step really takes.

    Attributes:
        steps: Number of steps; None takes every step the model was trained on.
        variance: Of the reverse step: beta of the step ("fixed_large"), beta-tilde of the posterior ("fixed_small"), or
            what the model predicts between the two ("learned"); "auto" is learned where the model learns it, else
            fixed-large.
        clip: Whether the expected x_0 is clipped to [-1, 1].
    """

    kind: Literal["ancestral"] = "ancestral"
    steps: int | None = Field(default=None, ge=1)
    variance: ReverseVariance = "auto"
    clip: bool = True

    def times(self, schedule: Schedule) -> Tensor:
        """The grid, float64, from 1 to 0."""
        return trailing_times(schedule, self.steps)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """A draw of x_s, and the belief it came from; no noise in the last step.

        Raises:
            BadInputError: If the variance should be the learned one and the model learns none.
        """
        prediction = denoiser(x_t, t)
        prediction = clipped(prediction) if self.clip else prediction
        fraction = chosen_fraction(self.variance, prediction)
        mean, _ = posterior(denoiser.schedule, prediction.x0, x_t, t, s)
        if s == 0:
            return mean, prediction
        log_variance = reverse_log_variance(denoiser.schedule, fraction, t, s, None, like=x_t)
        z = noise.normal(x_t.shape[1:]).to(x_t.dtype)
        return mean + (0.5 * log_variance).exp() * z, prediction

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture."""
        return walk(self, denoiser, x, noise)
