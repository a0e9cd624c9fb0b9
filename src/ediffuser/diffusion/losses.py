"""What a network is trained to make small."""

from typing import Annotated, ClassVar, Literal, Protocol, Union

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import TrainableDenoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.prediction import Prediction, target, x0_error_factor
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.diffusion.variational import picture_mean, vlb_term
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

    That error is alpha / sigma^2 times x_0's. Weight 1 on eps is the paper's simple weighting, for better pictures.
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
    return _output_loss(denoiser, output, x0, eps, t, weight, weighting)


def _output_loss(
    denoiser: TrainableDenoiser,
    output: Tensor,
    x0: Tensor,
    eps: Tensor,
    t: Tensor,
    weight: Tensor | None,
    weighting: Weighting | None,
) -> Tensor:
    """The simple loss of what the network put out."""
    alpha, sigma = alpha_sigma(denoiser.schedule, t, like=x0)
    squared = (output - target(denoiser.parametrisation, x0, eps, alpha, sigma)) ** 2
    loss = picture_mean(squared, weight)
    diffusion = denoiser.schedule.diffusion(t).to(x0).reshape(alpha.shape)
    on_x0 = (weighting or OwnTarget()).on_x0(alpha, sigma, diffusion)
    if on_x0 is None:
        return loss
    return loss * (on_x0 * x0_error_factor(denoiser.parametrisation, alpha, sigma)).reshape(-1)


class Objective(Protocol):
    """What a network is trained to make small."""

    learns_variance: ClassVar[bool]
    """Whether it trains the reverse variance; only a network that puts one out can be given to it."""

    def losses(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> Tensor:
        """One loss per picture, shape (B,); the arguments are those of `simple_loss`."""
        ...

    def parts(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> dict[str, Tensor]:
        """What the loss is made of, by name, each of shape (B,): "simple", and "vlb" in bits per dimension."""
        ...

    def total(self, parts: dict[str, Tensor]) -> Tensor:
        """The loss, shape (B,), that these parts make."""
        ...


@component
class Simple:
    """The squared error of the network's output (Ho et al. 2020, eq. 14); the variance is left out of account."""

    learns_variance: ClassVar[bool] = False
    kind: Literal["simple"] = "simple"

    def losses(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> Tensor:
        """`simple_loss`."""
        return simple_loss(denoiser, x0, eps, t, weight, weighting)

    def parts(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> dict[str, Tensor]:
        """The simple loss alone."""
        return {"simple": self.losses(denoiser, x0, eps, t, weight, weighting)}

    def total(self, parts: dict[str, Tensor]) -> Tensor:
        """The simple loss."""
        return parts["simple"]


@component
class Hybrid:
    """The simple loss, which trains the mean, plus a small variational term, which trains the variance alone.

    In the variational term the mean is a constant, so the simple loss stays its only teacher. `weighting` is the
    simple loss's.

    Attributes:
        vlb_weight: Of the whole variational bound, which is T times the mean term, in bits per dimension.

    Source: Nichol & Dhariwal 2021, eq. 16; Eq. 2.31 and Algorithm 6 of the dissertation.
    """

    learns_variance: ClassVar[bool] = True
    kind: Literal["hybrid"] = "hybrid"
    vlb_weight: float = Field(default=0.001, gt=0)

    def losses(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> Tensor:
        """The simple loss plus `vlb_weight` T times the term of t; one call of the network."""
        return self.total(self.parts(denoiser, x0, eps, t, weight, weighting))

    def parts(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> dict[str, Tensor]:
        """The simple loss, and T times the term of t."""
        x_t = noised(denoiser.schedule, x0, eps, t)
        output, fraction = denoiser.output(x_t, t)
        simple = _output_loss(denoiser, output, x0, eps, t, weight, weighting)
        belief = denoiser.belief(x_t, t, output.detach(), fraction)
        return {"simple": simple, "vlb": _bound(denoiser.schedule, belief, x0, t, weight)}

    def total(self, parts: dict[str, Tensor]) -> Tensor:
        """The simple part plus `vlb_weight` times the other."""
        return parts["simple"] + self.vlb_weight * parts["vlb"]


@component
class Vlb:
    """The variational bound itself, mean and variance alike: T times the term of t, in bits per dimension.

    Its terms differ by orders of magnitude, so it wants `LossAwareTimes`. There is no weighting: the bound has its own.

    Source: Eq. 2.9 of the dissertation; Nichol & Dhariwal 2021, section 3.3.
    """

    learns_variance: ClassVar[bool] = True
    kind: Literal["vlb"] = "vlb"

    def losses(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> Tensor:
        """T times the term of t; over uniform t its mean is the bound without its prior term."""
        x_t = noised(denoiser.schedule, x0, eps, t)
        return _bound(denoiser.schedule, denoiser(x_t, t), x0, t, weight)

    def parts(
        self,
        denoiser: TrainableDenoiser,
        x0: Tensor,
        eps: Tensor,
        t: Tensor,
        weight: Tensor | None = None,
        weighting: Weighting | None = None,
    ) -> dict[str, Tensor]:
        """The bound alone."""
        return {"vlb": self.losses(denoiser, x0, eps, t, weight, weighting)}

    def total(self, parts: dict[str, Tensor]) -> Tensor:
        """The bound."""
        return parts["vlb"]


AnyObjective = Annotated[Union[Hybrid, Simple, Vlb], Field(discriminator="kind")]  # noqa: UP007


def _bound(schedule: Schedule, belief: Prediction, x0: Tensor, t: Tensor, weight: Tensor | None) -> Tensor:
    """T times the term of the variational bound on the schedule's own grid; x_0 is not clipped, for the gradient."""
    steps, fraction = getattr(schedule, "steps", None), belief.variance_fraction
    if steps is None or fraction is None:
        raise ValueError(
            "the variational bound is trained on a discrete schedule, by a network that learns its variance"
        )
    index = (t * steps).round()
    s, before = (index - 1) / steps, (index + 1) / steps
    return steps * vlb_term(
        belief, schedule, x0, index / steps, s, before, fraction=fraction, clip=False, weight=weight
    )
