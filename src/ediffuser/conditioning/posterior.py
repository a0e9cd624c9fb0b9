"""Posterior guidance: the gradient of how well the expected x_0 agrees with what is known, through the network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.conditioning.replacement import single_steps
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Sampler, Step, StepSampler, walk
from ediffuser.tasks.observation import Observation


def pulled_back(
    denoiser: Denoiser, x_t: Tensor, t: Tensor, covector: Callable[[Tensor], Tensor]
) -> tuple[Prediction, Tensor]:
    """The belief at x_t, and J^T v for J = d x_0 / d x_t, from one call of the denoiser.

    Args:
        denoiser: One that autograd can go through; sampling may run under `no_grad`.
        x_t: Noisy images, shape (B, C, H, W).
        t: Times in (0, 1], shape () or (B,).
        covector: Gives v, shape (B, C, H, W), from the expected x_0.

    Returns:
        The belief, without its graph, and J^T v, shape of x_t; each row depends on its own row alone.
    """
    with torch.enable_grad():
        x = x_t.detach().requires_grad_()
        belief = denoiser(x, t)
        x0 = belief.x0.detach()
        (gradient,) = torch.autograd.grad(belief.x0, x, covector(x0))
    fraction = None if belief.variance_fraction is None else belief.variance_fraction.detach()
    return replace(belief, x_t=x_t, x0=x0, variance_fraction=fraction), gradient


@dataclass(frozen=True)
class PiGdmDenoiser:
    """A denoiser whose score has the guidance of `PiGdm` added; a corrected score is a corrected x_0."""

    denoiser: Denoiser
    observation: Observation

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t, x_0 + (sigma^2 / alpha) J^T P (y - x_0) / r_t^2."""
        belief, gradient = pulled_back(self.denoiser, x_t, t, lambda x0: _residual(self.observation, x0))
        alpha, sigma = belief.alpha, belief.sigma
        return replace(belief, x0=belief.x0 + (alpha**2 + sigma**2) / alpha * gradient)


@component
class PiGdm:
    """Pseudo-inverse guidance: adds grad log p(y | x_t) to the score, for x_0 given x_t from N(expected x_0, r_t^2 I).

    Then y = P x_0 gives grad log p(y | x_t) = J^T P (y - x_0) / r_t^2, J = d x_0 / d x_t: the pseudo-inverse of a
    projection is itself. r_t^2 = sigma^2 / (alpha^2 + sigma^2) is what it is for pictures from N(0, I). An
    approximation: exact for independent pixels of unit variance, and for no others. Works with every sampler; a call
    also costs the way back through the network to its input, about as much again.

    The score is corrected as in eq. 7 of the paper, so that DDIM, SDE and ODE agree in the limit of many steps; the
    paper's Algorithm 1 weights the correction of a DDIM step otherwise. The known part comes close to y; exact it is
    made at the end, by the projection with which `ediffuser.generate` finishes every observed picture.

    Source: Song, Vahdat, Mardani & Kautz 2023 (Pseudoinverse-guided diffusion models), eq. 7-8.
    """

    kind: Literal["pigdm"] = "pigdm"

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The guided denoiser, and the sampler as it is."""
        return PiGdmDenoiser(denoiser, observation), sampler


@component
class Dps:
    """Diffusion posterior sampling: after each step, a move that lessens |y - P x_0|, the gradient through the network.

    x_s becomes x_s - scale * grad |y - P x_0(x_t)|, of which the length hardly depends on how far off the picture is.
    That is no score: twice as many steps move twice as far, so there is no ODE of it, and a sampler of single steps is
    needed, of about 1000 (`PiGdm` guides any sampler). An approximation that depends on `scale`: too little does not
    reach y, too much throws about what the prior said. A step costs one call and the way back through the network, as
    for `PiGdm`, and like there it is the final projection that makes the end exact.

    Source: Chung et al. 2023, Algorithm 1. There zeta / |y - P x_0| multiplies the gradient of the square, so scale is
    2 zeta; their code does as here, with 0.5 for inpainting.

    Attributes:
        scale: Length of the move per length of the gradient, in units of a pixel's [-1, 1]; larger pictures bear more.
    """

    kind: Literal["dps"] = "dps"
    scale: float = Field(default=0.5, gt=0, le=1000)

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser as it is, and a sampler that moves after each step.

        Raises:
            UnfitPairError: If the sampler has no single steps; a TypeError that says what would work.
        """
        steps = single_steps(sampler, "dps", "pigdm guides any sampler")
        return denoiser, DpsSampler(steps, observation, self.scale)


@dataclass(frozen=True)
class DpsSampler:
    """A step sampler that moves towards what is known after each of its steps; a step sampler again."""

    sampler: StepSampler
    observation: Observation
    scale: float

    def times(self, schedule: Schedule) -> Tensor:
        """The wrapped sampler's grid."""
        return self.sampler.times(schedule)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """The wrapped sampler's step and the move; a corrector's calls do not move, the predictor's is the last."""
        watched = _Watched(denoiser, self.observation)
        x_s, prediction = self.sampler.step(watched, x_t, t, s, noise)
        return x_s + self.scale * watched.descent, prediction

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture."""
        return walk(self, denoiser, x, noise)


class _Watched:
    """A denoiser that remembers -grad |y - P x_0| at its last call."""

    def __init__(self, denoiser: Denoiser, observation: Observation) -> None:
        self.schedule, self.descent = denoiser.schedule, torch.empty(0)
        self._denoiser, self._observation = denoiser, observation

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        belief, self.descent = pulled_back(self._denoiser, x_t, t, self._direction)
        return belief

    def _direction(self, x0: Tensor) -> Tensor:
        residual = _residual(self._observation, x0)
        length = torch.linalg.vector_norm(residual, dim=(1, 2, 3), keepdim=True)
        return residual / length.clamp(min=1e-12)


def _residual(observation: Observation, x0: Tensor) -> Tensor:
    return observation.known - observation.project(x0)
