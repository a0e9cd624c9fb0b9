"""DDIM: fewer steps, with as much noise as wanted."""

from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.respacing import quadratic_times, trailing_times
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Step, clipped, walk


@component
class Ddim:
    """The sampler of Song et al. 2021 (the dissertation's Algorithm 5 and Eq. 2.24-2.29, alpha read as alpha-bar).

    eta = 0 is deterministic; eta = 1 is the ancestral sampler with variance beta-tilde.

    Attributes:
        steps: Number of steps; the grid starts at pure noise and has exactly that many.
        eta: Standard deviation of the noise, as a part of the posterior's.
        clip: Whether the expected x_0 is clipped to [-1, 1].
        eps_after_clip: "derived" moves along the eps that belongs to the clipped x_0 (guided-diffusion), "raw" along
            the one before it (diffusers).
        spacing: Of the grid: uniform in time, or in its root, with shorter steps where the picture is nearly done.
    """

    kind: Literal["ddim"] = "ddim"
    steps: int = Field(default=50, ge=1)
    eta: float = Field(default=0.0, ge=0, le=1)
    clip: bool = True
    eps_after_clip: Literal["derived", "raw"] = "derived"
    spacing: Literal["time", "quadratic"] = "time"

    def times(self, schedule: Schedule) -> Tensor:
        """The grid, float64, from 1 to 0."""
        return (quadratic_times if self.spacing == "quadratic" else trailing_times)(schedule, self.steps)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """x_s, and the belief it came from."""
        raw = denoiser(x_t, t)
        prediction = clipped(raw) if self.clip else raw
        eps = raw.eps if self.eps_after_clip == "raw" else prediction.eps
        alpha_s, sigma_s = alpha_sigma(denoiser.schedule, s, like=x_t)
        fresh, kept = self._shares(denoiser.schedule, t, s, like=x_t)
        # Eq. 12 of the paper: the predicted x_0, the direction to x_t, and random noise.
        x_s = alpha_s * prediction.x0 + kept * sigma_s * eps
        if self.eta > 0 and s > 0:
            x_s = x_s + fresh * sigma_s * noise.normal(x_t.shape[1:]).to(x_t.dtype)
        return x_s, prediction

    def _shares(self, schedule: Schedule, t: Tensor, s: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Of the standard deviation sigma_s, the parts that are drawn anew and that lie along eps.

        beta-tilde / sigma_s^2 = 1 - SNR_t / SNR_s, in float64: at high noise and eta = 1 hardly anything is left.
        """
        fresh = self.eta**2 * -torch.expm1(schedule.log_snr(t) - schedule.log_snr(s))
        shape = (-1,) + (1,) * (like.ndim - 1)
        return fresh.sqrt().to(like).reshape(shape), (1 - fresh).sqrt().to(like).reshape(shape)

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture."""
        return walk(self, denoiser, x, noise)
