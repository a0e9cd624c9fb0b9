"""Exponential integrators of the probability flow: its linear part exactly, the belief as a polynomial in lambda.

With lambda = log(alpha / sigma), half the log-SNR, and h = lambda_s - lambda_t > 0 the flow from t back to s is

    x_s = alpha_s / alpha_t x_t - sigma_s sum_k h^(k+1) phi_(k+1)( h) eps^(k)(lambda_t)    (noise form)
    x_s = sigma_s / sigma_t x_t + alpha_s sum_k h^(k+1) phi_(k+1)(-h) x_0^(k)(lambda_t)    (data form)

with the k-th derivatives by lambda of what is believed along the way. They hold for any alpha and sigma.

Source: Lu et al. 2022a, eq. 3.4 and appendix B.2; Lu et al. 2022b, eq. 8-9 and appendix A.
"""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.samplers.grids import half_log_snr
from ediffuser.samplers.thresholding import Threshold
from ediffuser.solvers.exponential import phi


class Form(Protocol):
    """Which of the two sums is used."""

    @property
    def sign(self) -> int:
        """Of h in phi."""
        ...

    def belief(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """What is integrated, and the x_0 to show; both of the shape of x_t."""
        ...

    def factors(self, schedule: Schedule, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """The factor of x_t and the one before the sum, float64, shape of t."""
        ...


@dataclass(frozen=True)
class NoiseForm:
    """eps is integrated; x_0 is not clipped, for the eps of a clipped x_0 is no longer a smooth function of lambda."""

    sign: int = field(default=1, init=False)

    def belief(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """eps, and the x_0 it belongs to."""
        return prediction.eps, prediction.x0

    def factors(self, schedule: Schedule, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """alpha_s / alpha_t and -sigma_s."""
        return schedule.alpha(s) / schedule.alpha(t), -schedule.sigma(s)


@dataclass(frozen=True)
class DataForm:
    """x_0 is integrated, thresholded."""

    threshold: Threshold
    sign: int = field(default=-1, init=False)

    def belief(self, prediction: Prediction) -> tuple[Tensor, Tensor]:
        """x_0, twice."""
        x0 = self.threshold(prediction.x0)
        return x0, x0

    def factors(self, schedule: Schedule, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """sigma_s / sigma_t and alpha_s."""
        return schedule.sigma(s) / schedule.sigma(t), schedule.alpha(s)


@dataclass(frozen=True)
class Node:
    """A place where the denoiser was called.

    Attributes:
        t: Time, float64, shape () or (B,).
        half_log_snr: lambda there, float64, shape of t.
        x: The state, shape (B, C, H, W).
        belief: What the form integrates, eps or x_0; shape of x.
        x0: The x_0 believed there; shape of x.
    """

    t: Tensor
    half_log_snr: Tensor
    x: Tensor
    belief: Tensor
    x0: Tensor


def look(form: Form, denoiser: Denoiser, x: Tensor, t: Tensor) -> Node:
    """Calls the denoiser once."""
    belief, x0 = form.belief(denoiser(x, t))
    return Node(t, half_log_snr(denoiser.schedule, t), x, belief, x0)


def integrated(form: Form, schedule: Schedule, node: Node, s: Tensor, *terms: Tensor) -> Tensor:
    """x_s, from a node at t > s and the Taylor terms h^k d^k(belief) / dlambda^k there, k = 0, 1, ...

    Args:
        form: Which sum.
        schedule: The forward process.
        node: Where the step starts.
        s: Where it ends, s > 0, shape of the node's t.
        terms: The terms, each of the shape of x.
    """
    h = half_log_snr(schedule, s) - node.half_log_snr
    ratio, scale = form.factors(schedule, node.t, s)
    x_s = rows(ratio, node.x) * node.x
    for k, term in enumerate(terms, start=1):
        x_s = x_s + rows(scale * h * _phi(k, form.sign * h), node.x) * term
    return x_s


def rows(value: Tensor, like: Tensor) -> Tensor:
    """Factors of shape () or (B,), in the dtype of a batch and shaped to multiply it."""
    return value.to(like).reshape(-1, *(1,) * (like.ndim - 1))


def _phi(k: int, z: Tensor) -> Tensor:
    values = [phi(k, value) for value in z.flatten().tolist()]
    return torch.tensor(values, dtype=torch.float64, device=z.device).reshape(z.shape)
