"""What a network is trained to make small."""

from typing import Annotated, Literal, Protocol, Union

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import TrainableDenoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.prediction import target, x0_error_factor
from ediffuser.diffusion.schedules import alpha_sigma
from ediffuser.runtime.component import component


class Weighting(Protocol):
    """How much each noise level counts."""

    def on_x0(self, alpha: Tensor, sigma: Tensor, diffusion: Tensor) -> Tensor | None:
        """The weight of the squared error of x_0, from the schedule's alpha, sigma and g; None: 1 on the own output."""
        ...


@component
class OwnTarget:
    """Weight 1 on the network's own target, as in Ho et al. 2020, eq. 14."""

    kind: Literal["own"] = "own"

    def on_x0(self, alpha: Tensor, sigma: Tensor, diffusion: Tensor) -> None:
        """No weight on x_0."""
        return


@component
class MinSnr:
    """min(SNR, gamma) on the error of x_0 (Hang et al. 2023)."""

    kind: Literal["min_snr"] = "min_snr"
    gamma: float = Field(default=5.0, gt=0)

    def on_x0(self, alpha: Tensor, sigma: Tensor, diffusion: Tensor) -> Tensor:
        """min(alpha^2 / sigma^2, gamma)."""
        return ((alpha / sigma) ** 2).clamp(max=self.gamma)


@component
class InverseVariance:
    """1 / max(sigma, sigma_min)^2 on the error of x_0: the v loss of Li & He 2025, bounded at low noise."""

    kind: Literal["inverse_variance"] = "inverse_variance"
    sigma_min: float = Field(default=0.15, gt=0, le=1)

    def on_x0(self, alpha: Tensor, sigma: Tensor, diffusion: Tensor) -> Tensor:
        """1 / max(sigma, sigma_min)^2."""
        return sigma.clamp(min=self.sigma_min) ** -2


@component
class LikelihoodWeight:
    """g^2 on the error of the score, so that the loss bounds the likelihood (Song et al. 2021; Eq. 2.34).

    The error of the score is alpha / sigma^2 times that of x_0. Weight 1 on the own target eps is the paper's simple
    weighting, lambda = sigma^2, which makes the better pictures.
    """

    kind: Literal["likelihood"] = "likelihood"

    def on_x0(self, alpha: Tensor, sigma: Tensor, diffusion: Tensor) -> Tensor:
        """g^2 alpha^2 / sigma^4."""
        return (diffusion * alpha / sigma**2) ** 2


AnyWeighting = Annotated[Union[InverseVariance, LikelihoodWeight, MinSnr, OwnTarget], Field(discriminator="kind")]  # noqa: UP007


def simple_loss(
    denoiser: TrainableDenoiser,
    x0: Tensor,
    eps: Tensor,
    t: Tensor,
    weight: Tensor | None = None,
    weighting: Weighting | None = None,
) -> Tensor:
    """The squared error of the network's output, averaged over each picture or over its hole.

    Args:
        denoiser: The network with its schedule, its condition bound.
        x0: Clean images in [-1, 1], shape (B, C, H, W).
        eps: Standard normal noise, same shape.
        t: Times in (0, 1], shape (B,).
        weight: What counts of each picture, shape (B, 1, H, W), e.g. the hole; None counts everything alike.
        weighting: How much each noise level counts; None is `OwnTarget()`.

    Returns:
        One loss per picture, shape (B,): the sum over what counts divided by its area, so that ranks decompose.

    Source: Ho et al. 2020, eq. 14; Algorithm 4 of the dissertation with its erratum (squared, per hole area).
    """
    output, _ = denoiser.output(noised(denoiser.schedule, x0, eps, t), t)
    alpha, sigma = alpha_sigma(denoiser.schedule, t, like=x0)
    squared = (output - target(denoiser.parametrisation, x0, eps, alpha, sigma)) ** 2
    loss = _mean(squared, weight)
    diffusion = denoiser.schedule.diffusion(t).to(x0).reshape(alpha.shape)
    on_x0 = (weighting or OwnTarget()).on_x0(alpha, sigma, diffusion)
    if on_x0 is None:
        return loss
    return loss * (on_x0 * x0_error_factor(denoiser.parametrisation, alpha, sigma)).reshape(-1)


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.flatten(1).mean(1)
    area = weight.flatten(1).sum(1) * values.shape[1]
    return (values * weight).flatten(1).sum(1) / torch.clamp(area, min=1)
