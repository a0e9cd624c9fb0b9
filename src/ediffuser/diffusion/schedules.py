"""Forward processes: x_t = alpha(t) x_0 + sigma(t) eps, with t from 0 (clean) to 1 (noise).

All schedules here preserve variance, alpha^2 + sigma^2 = 1, and are computed in float64. A discrete schedule is a table
of betas; the paper's index i = 1 ... T is t = i / T, and alpha = sqrt(alpha-bar_i). Between its points it interpolates
linearly in log-SNR, so a network trained on T steps can be asked at any time.
"""

from functools import lru_cache
from typing import Annotated, Literal, Protocol, Union, runtime_checkable

import torch
from pydantic import Field
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


@runtime_checkable
class ContinuousSchedule(Schedule, Protocol):
    """Adds the SDE dx = f(t) x dt + g(t) dw whose marginals the schedule gives."""

    def drift(self, t: Tensor) -> Tensor:
        """The factor f(t) of x in the drift."""
        ...

    def diffusion(self, t: Tensor) -> Tensor:
        """The diffusion coefficient g(t)."""
        ...


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
        first_variance = torch.sigmoid(-table[0])
        near_zero = -torch.logit((position * first_variance).clamp(0, 1))
        return torch.where(position < 1, near_zero, between)

    def time(self, log_snr: Tensor) -> Tensor:
        table = _log_snr_table(self).to(log_snr.device)
        value = log_snr.double()
        above = torch.searchsorted(-table, -value).clamp(1, self.steps - 1)
        fraction = (value - table[above - 1]) / (table[above] - table[above - 1])
        first_variance = torch.sigmoid(-table[0])
        near_zero = torch.sigmoid(-value) / first_variance
        return torch.where(value > table[0], near_zero, above + fraction) / self.steps


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
        return torch.exp(-0.5 * self._integral(t))

    def sigma(self, t: Tensor) -> Tensor:
        """sqrt(1 - exp(-integral of beta))."""
        return torch.sqrt(-torch.expm1(-self._integral(t)))

    def log_snr(self, t: Tensor) -> Tensor:
        """-log(exp(integral of beta) - 1)."""
        return -torch.log(torch.expm1(self._integral(t)))

    def time(self, log_snr: Tensor) -> Tensor:
        """Solves the quadratic integral of beta = log(1 + exp(-log_snr)), in the form that does not cancel."""
        integral = torch.nn.functional.softplus(-log_snr.double())
        slope = self.beta_max - self.beta_min
        return 2 * integral / (self.beta_min + torch.sqrt(self.beta_min**2 + 2 * slope * integral))

    def drift(self, t: Tensor) -> Tensor:
        """-beta(t) / 2."""
        return -0.5 * self._beta(t)

    def diffusion(self, t: Tensor) -> Tensor:
        """sqrt(beta(t))."""
        return torch.sqrt(self._beta(t))

    def _beta(self, t: Tensor) -> Tensor:
        return self.beta_min + t.double() * (self.beta_max - self.beta_min)

    def _integral(self, t: Tensor) -> Tensor:
        t = t.double()
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2


AnySchedule = Annotated[Union[CosineBetas, LinearBetas, VariancePreserving], Field(discriminator="kind")]  # noqa: UP007
