"""Forward processes: x_t = alpha(t) x_0 + sigma(t) eps, with t from 0 (clean) to 1 (noise).

Everything is float64. A discrete schedule is a table of betas; the paper's index i = 1 ... T is t = i / T, and alpha =
sqrt(alpha-bar_i). Between its points it interpolates linearly in log-SNR, so a network trained on T steps can be asked
at any time. Tables and the VP process preserve variance, alpha^2 + sigma^2 = 1; sub-VP and VE do not.

Each is the marginal of an SDE dx = f(t) x dt + g(t) dw, with f = d log(alpha) / dt and
g^2 = d sigma^2 / dt - 2 f sigma^2 = -sigma^2 d log-SNR / dt (Song et al. 2021, appendix B; Kingma et al. 2021).
"""

import math
from functools import lru_cache
from typing import Annotated, Literal, Protocol, Self, Union, runtime_checkable

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ediffuser.runtime.component import component


@runtime_checkable
class Schedule(Protocol):
    """The forward process. Every method takes and returns tensors of one shape, float64 inside."""

    def alpha(self, t: Tensor) -> Tensor:
        """Scale of the picture at t in [0, 1]."""
        ...

    def sigma(self, t: Tensor) -> Tensor:
        """Standard deviation of the noise at t in [0, 1]."""
        ...

    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2); decreasing in t, infinite at t = 0, finite at t = 1."""
        ...

    def time(self, log_snr: Tensor) -> Tensor:
        """The inverse of `log_snr`."""
        ...

    def drift(self, t: Tensor) -> Tensor:
        """The factor f(t) of x in the drift."""
        ...

    def diffusion(self, t: Tensor) -> Tensor:
        """The diffusion coefficient g(t)."""
        ...


def end_time(schedule: Schedule) -> float:
    """Where a solver stops that cannot go on to t = 0: 1e-3, or 1e-5 where noise explodes (Song et al., appendix C).

    A network of discrete time knows nothing before its first index, so with T < 1000 steps it is 1 / T.
    """
    if isinstance(schedule, VarianceExploding):
        return 1e-5
    return max(1e-3, 1 / getattr(schedule, "steps", 1000))


def alpha_sigma(schedule: Schedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """alpha(t) and sigma(t) in the dtype of a batch and shaped to multiply it.

    Args:
        schedule: The forward process.
        t: Times in [0, 1], shape () or (B,).
        like: A batch, shape (B, ...).

    Returns:
        Two tensors of shape (1, 1, ...) or (B, 1, ...).
    """
    shape = (-1,) + (1,) * (like.ndim - 1)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    return alpha.to(like).reshape(shape), sigma.to(like).reshape(shape)


class _BetaTable:
    """What every table of betas has in common. Final classes give `betas()`; nothing here is overridden."""

    steps: int

    def betas(self) -> Tensor:
        raise NotImplementedError

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sigmoid(self.log_snr(t)).sqrt()

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sigmoid(-self.log_snr(t)).sqrt()

    def log_snr(self, t: Tensor) -> Tensor:
        table = _log_snr_table(self).to(t.device)
        position = t.double() * self.steps
        below = position.floor().clamp(1, self.steps - 1).long()
        between = torch.lerp(table[below - 1], table[below], position - below)
        # Below the first point the variance itself grows linearly from 0, as it does under a constant beta.
        near_zero = -torch.logit((position * torch.sigmoid(-table[0])).clamp(0, 1))
        return torch.where(position < 1, near_zero, between)

    def time(self, log_snr: Tensor) -> Tensor:
        table = _log_snr_table(self).to(log_snr.device)
        value = log_snr.double()
        above = torch.searchsorted(-table, -value).clamp(1, self.steps - 1)
        fraction = (value - table[above - 1]) / (table[above] - table[above - 1])
        near_zero = torch.sigmoid(-value) / torch.sigmoid(-table[0])
        return torch.where(value > table[0], near_zero, above + fraction) / self.steps

    def drift(self, t: Tensor) -> Tensor:
        return -0.5 * self._beta(t)

    def diffusion(self, t: Tensor) -> Tensor:
        return self._beta(t).sqrt()

    def _beta(self, t: Tensor) -> Tensor:
        """-sigma^2 d log-SNR / dt, left of each kink: at an index i, of the step from i to i - 1."""
        table = _log_snr_table(self).to(t.device)
        position = t.double() * self.steps
        below = (position - 1e-9).floor().clamp(1, self.steps - 1).long()
        between = (table[below - 1] - table[below]) * torch.sigmoid(-self.log_snr(t))
        first_variance = torch.sigmoid(-table[0])
        near_zero = first_variance / (1 - position.clamp(max=1) * first_variance)
        return torch.where(position <= 1, near_zero, between) * self.steps


@lru_cache(maxsize=32)
def _log_snr_table(schedule: _BetaTable) -> Tensor:
    """log(alpha-bar_i / (1 - alpha-bar_i)) for i = 1 ... T."""
    log_alpha_bar = torch.log1p(-schedule.betas()).cumsum(0)
    return log_alpha_bar - torch.log(-torch.expm1(log_alpha_bar))


@component
class LinearBetas(_BetaTable):
    """Betas that grow linearly (Ho et al. 2020, section 4); both ends are scaled by 1000 / T."""

    kind: Literal["linear"] = "linear"
    steps: int = Field(default=1000, ge=2)
    beta_first: float = Field(default=1e-4, gt=0, lt=1)
    beta_last: float = Field(default=0.02, gt=0, lt=1)

    def betas(self) -> Tensor:
        """The table beta_1 ... beta_T, float64."""
        scale = 1000 / self.steps
        betas = torch.linspace(scale * self.beta_first, scale * self.beta_last, self.steps, dtype=torch.float64)
        return betas.clamp(max=0.999)


@component
class CosineBetas(_BetaTable):
    """alpha-bar follows a squared cosine (Nichol & Dhariwal 2021, eq. 17); no beta exceeds `beta_max`."""

    kind: Literal["cosine"] = "cosine"
    steps: int = Field(default=1000, ge=2)
    offset: float = Field(default=0.008, ge=0, lt=1)
    beta_max: float = Field(default=0.999, gt=0, lt=1)

    def betas(self) -> Tensor:
        """The table beta_1 ... beta_T, float64."""
        position = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        alpha_bar = torch.cos((position + self.offset) / (1 + self.offset) * torch.pi / 2) ** 2
        return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=self.beta_max)


@component
class VariancePreserving:
    """The continuous VP SDE with beta(t) linear from `beta_min` to `beta_max` (Song et al. 2021, eq. 32-33)."""

    kind: Literal["vp"] = "vp"
    beta_min: float = Field(default=0.1, gt=0)
    beta_max: float = Field(default=20.0, gt=0)

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-1/2 integral of beta)."""
        return torch.exp(-0.5 * _integral(self, t))

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-integral of beta))."""
        return torch.sqrt(-torch.expm1(-_integral(self, t)))

    def log_snr(self, t: Tensor) -> Tensor:
        """-log(exp(integral of beta) - 1)."""
        return -torch.log(torch.expm1(_integral(self, t)))

    def time(self, log_snr: Tensor) -> Tensor:
        """Where the integral of beta is log(1 + exp(-log_snr))."""
        return _time_of_integral(self, torch.nn.functional.softplus(-log_snr.double()))

    def drift(self, t: Tensor) -> Tensor:
        """-beta(t) / 2."""
        return -0.5 * _beta(self, t)

    def diffusion(self, t: Tensor) -> Tensor:
        """sqrt(beta(t))."""
        return torch.sqrt(_beta(self, t))


@component
class SubVariancePreserving:
    """The continuous sub-VP SDE: VP's alpha, and never more noise than it (Song et al. 2021, eq. 14 and 29)."""

    kind: Literal["sub_vp"] = "sub_vp"
    beta_min: float = Field(default=0.1, gt=0)
    beta_max: float = Field(default=20.0, gt=0)

    def alpha(self, t: Tensor) -> Tensor:
        """exp(-1/2 integral of beta)."""
        return torch.exp(-0.5 * _integral(self, t))

    def sigma(self, t: Tensor) -> Tensor:
        """1 - exp(-integral of beta)."""
        return -torch.expm1(-_integral(self, t))

    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / (1 - alpha^2)^2)."""
        integral = _integral(self, t)
        return -integral - 2 * torch.log(-torch.expm1(-integral))

    def time(self, log_snr: Tensor) -> Tensor:
        """Solves SNR (1 - alpha^2)^2 = alpha^2, at either end in the form that does not cancel."""
        snr = log_snr.double().exp()
        root = torch.sqrt(4 * snr + 1)
        low = -log_snr.double() + torch.log((2 * snr + 1 + root) / 2)
        high = -torch.log1p(-2 / (1 + root))
        return _time_of_integral(self, torch.where(snr < 1, low, high))

    def drift(self, t: Tensor) -> Tensor:
        """-beta(t) / 2."""
        return -0.5 * _beta(self, t)

    def diffusion(self, t: Tensor) -> Tensor:
        """sqrt(beta(t) (1 - exp(-2 integral of beta)))."""
        return torch.sqrt(_beta(self, t) * -torch.expm1(-2 * _integral(self, t)))


@component
class VarianceExploding:
    """The continuous VE SDE, sigma geometric from `sigma_min` to `sigma_max` (Song et al. 2021, eq. 30-31).

    The picture is never scaled, and at t = 0 sigma jumps to 0, as in the paper: what is below `sigma_min` is clean. The
    defaults are the paper's, for pictures in [0, 1]; `sigma_max` should be their largest distance.
    """

    kind: Literal["ve"] = "ve"
    sigma_min: float = Field(default=0.01, gt=0)
    sigma_max: float = Field(default=50.0, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_max must be larger than sigma_min, {self.sigma_min:g}; got {self.sigma_max:g}")
        return self

    def alpha(self, t: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(t, dtype=torch.float64)

    def sigma(self, t: Tensor) -> Tensor:
        """sigma_min (sigma_max / sigma_min)^t, and 0 at t = 0."""
        return torch.exp(-0.5 * self.log_snr(t))

    def log_snr(self, t: Tensor) -> Tensor:
        """-2 log(sigma)."""
        return torch.where(t > 0, -2 * (math.log(self.sigma_min) + t.double() * self._growth), torch.inf)

    def time(self, log_snr: Tensor) -> Tensor:
        """The inverse; 0 where there is less noise than `sigma_min`."""
        return ((-0.5 * log_snr.double() - math.log(self.sigma_min)) / self._growth).clamp(min=0)

    def drift(self, t: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(t, dtype=torch.float64)

    def diffusion(self, t: Tensor) -> Tensor:
        """sigma(t) sqrt(2 log(sigma_max / sigma_min))."""
        return self.sigma(t) * math.sqrt(2 * self._growth)

    @property
    def _growth(self) -> float:
        return math.log(self.sigma_max / self.sigma_min)


def _beta(schedule: VariancePreserving | SubVariancePreserving, t: Tensor) -> Tensor:
    return schedule.beta_min + t.double() * (schedule.beta_max - schedule.beta_min)


def _integral(schedule: VariancePreserving | SubVariancePreserving, t: Tensor) -> Tensor:
    """Of beta from 0 to t."""
    return 0.5 * (schedule.beta_min + _beta(schedule, t)) * t.double()


def _time_of_integral(schedule: VariancePreserving | SubVariancePreserving, integral: Tensor) -> Tensor:
    """Solves the quadratic in the form that does not cancel."""
    slope = schedule.beta_max - schedule.beta_min
    return 2 * integral / (schedule.beta_min + torch.sqrt(schedule.beta_min**2 + 2 * slope * integral))


AnySchedule = Annotated[
    Union[CosineBetas, LinearBetas, SubVariancePreserving, VarianceExploding, VariancePreserving],  # noqa: UP007
    Field(discriminator="kind"),
]
