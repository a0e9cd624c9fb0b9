"""Closed forms that tests compare with: the exact denoiser of a Gaussian, and the exact output of a sampler on it.

For x_0 ~ N(mean, C) every sampler without clipping is a chain of affine maps with Gaussian noise, so the mean and the
covariance of what it returns follow without Monte Carlo: `propagated` measures the maps of the sampler's own `step`,
`by_hand` computes the same numbers from formulas of the papers, `flowed` is the limit of infinitely many DDIM steps.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.samplers import StepSampler
from ediffuser.tasks import Observation

Moments = tuple[Tensor, Tensor]
"""Mean (d,) and covariance (d, d)."""


class GaussianDenoiser:
    """The exact denoiser for x_0 ~ N(mean, covariance), pictures of d = C H W numbers."""

    def __init__(self, mean: Tensor, covariance: Tensor, schedule: Schedule) -> None:
        """Takes the mean (C, H, W) and the covariance (d, d), both float64."""
        self.mean, self.covariance, self.schedule = mean, covariance, schedule
        self._variances, self._axes = torch.linalg.eigh(covariance)

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """E[x_0 | x_t] = mean + alpha C (alpha^2 C + sigma^2 I)^-1 (x_t - alpha mean)."""
        alpha, sigma = (value.reshape(-1, 1) for value in alpha_sigma(self.schedule, t, like=x_t.double()))
        gain = alpha * self._variances / (alpha**2 * self._variances + sigma**2)  # (1 or B, d)
        mean = self.mean.flatten()
        centred = x_t.double().flatten(1) - alpha * mean
        x0 = mean + (gain * (centred @ self._axes)) @ self._axes.T
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), x0.reshape(x_t.shape).to(x_t.dtype))

    def log_density(self, x_t: Tensor, t: Tensor) -> Tensor:
        """log q(x_t) in nats, shape (B,)."""
        alpha, sigma = (value.reshape(-1, 1) for value in alpha_sigma(self.schedule, t, like=x_t.double()))
        variances = alpha**2 * self._variances + sigma**2
        centred = (x_t.double().flatten(1) - alpha * self.mean.flatten()) @ self._axes
        return -0.5 * (centred**2 / variances + torch.log(2 * torch.pi * variances)).sum(1)

    def marginal(self, t: Tensor) -> Moments:
        """Mean and covariance of q(x_t)."""
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        mean = self.mean.flatten()
        return alpha * mean, alpha**2 * self.covariance + sigma**2 * torch.eye(len(mean), dtype=torch.float64)

    def prior(self) -> Moments:
        """Where a sampler starts, N(0, sigma(1)^2 I): the marginal of t = 1 but for what is left of the picture."""
        size, sigma = self.mean.numel(), self.schedule.sigma(torch.tensor(1.0))
        return torch.zeros(size, dtype=torch.float64), sigma**2 * torch.eye(size, dtype=torch.float64)


def correlated_gaussian(schedule: Schedule) -> GaussianDenoiser:
    """Pictures of three numbers, shape (3, 1, 1), correlated, with standard deviations from about 0.1 to 0.8."""
    factor = torch.tensor([[0.6, 0.0, 0.0], [-0.4, 0.3, 0.0], [0.1, 0.2, 0.15]], dtype=torch.float64)
    mean = torch.tensor([0.3, -0.5, 0.1], dtype=torch.float64).reshape(3, 1, 1)
    return GaussianDenoiser(mean, factor @ factor.T, schedule)


class ConditionalDenoiser:
    """The exact denoiser for x_0 ~ N(mean, C) of which P x_0 is known: E[x_0 | x_t, P x_0].

    Attributes:
        mean: Of x_0 given P x_0, one row for each row of the observation, shape (B, d).
        covariance: Of x_0 given P x_0, shape (d, d).
    """

    def __init__(self, gaussian: GaussianDenoiser, observation: Observation) -> None:
        """Takes the Gaussian, and what is known of each row by one projection."""
        size, shape = gaussian.mean.numel(), gaussian.mean.shape
        unit = torch.eye(size, dtype=torch.float64)
        projection = observation.project(unit.reshape(-1, *shape)).flatten(1)
        gain = gaussian.covariance @ torch.linalg.pinv(projection @ gaussian.covariance @ projection, hermitian=True)
        mean = gaussian.mean.flatten()
        self.mean = mean + (observation.known.flatten(1) - projection @ mean) @ gain.T
        self.covariance = gaussian.covariance - gain @ projection @ gaussian.covariance
        self.schedule = gaussian.schedule
        self._centred = GaussianDenoiser(torch.zeros_like(gaussian.mean), self.covariance, gaussian.schedule)

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief of the Gaussian that is left."""
        mean = self.mean.reshape(-1, *x_t.shape[1:])
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        return Prediction(x_t, alpha, sigma, mean + self._centred(x_t - alpha * mean, t).x0)


class GaussianMixtureDenoiser:
    """The exact denoiser for x_0 that is drawn from one of several Gaussians."""

    def __init__(self, weights: Sequence[float], parts: Sequence[GaussianDenoiser]) -> None:
        """Takes the probability of each part; all parts have one schedule."""
        self.weights, self.parts = torch.tensor(weights, dtype=torch.float64), tuple(parts)
        self.schedule = self.parts[0].schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """E[x_0 | x_t], the parts' beliefs weighted by how likely x_t is under each."""
        shares = self._log_densities(x_t, t).softmax(0)
        x0 = sum(
            share.reshape(-1, 1, 1, 1) * part(x_t.double(), t).x0
            for share, part in zip(shares, self.parts, strict=True)
        )
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), torch.as_tensor(x0).to(x_t.dtype))

    def log_density(self, x_t: Tensor, t: Tensor) -> Tensor:
        """log q(x_t) in nats, shape (B,)."""
        return self._log_densities(x_t, t).logsumexp(0)

    def moments(self) -> Moments:
        """Mean and covariance of x_0."""
        means = torch.stack([part.mean.flatten() for part in self.parts])
        mean = self.weights @ means
        spread = (self.weights[:, None] * (means - mean)).T @ (means - mean)
        within = sum(weight * part.covariance for weight, part in zip(self.weights, self.parts, strict=True))
        return mean, spread + within

    def cumulative(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The probability of less than x_t, for pictures of one number; shape (B,)."""
        total = torch.zeros(len(x_t), dtype=torch.float64)
        for weight, part in zip(self.weights, self.parts, strict=True):
            mean, variance = part.marginal(t)
            total += weight * torch.special.ndtr((x_t.double().flatten() - mean) / variance.flatten().sqrt())
        return total

    def _log_densities(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Of x_t together with each part, shape (parts, B)."""
        densities = torch.stack([part.log_density(x_t, t) for part in self.parts])
        return densities + self.weights.log()[:, None]


def mixture(schedule: Schedule) -> GaussianMixtureDenoiser:
    """Two kinds of pictures of three numbers, shape (3, 1, 1), apart and of different shape."""
    first = correlated_gaussian(schedule)
    second = GaussianDenoiser(-first.mean, 0.04 * torch.eye(3, dtype=torch.float64), schedule)
    return GaussianMixtureDenoiser([0.3, 0.7], [first, second])


def line_mixture(schedule: Schedule) -> GaussianMixtureDenoiser:
    """Two humps of pictures of one number, shape (1, 1, 1)."""

    def hump(mean: float, deviation: float) -> GaussianDenoiser:
        shape = torch.tensor(mean, dtype=torch.float64).reshape(1, 1, 1)
        return GaussianDenoiser(shape, torch.tensor([[deviation**2]], dtype=torch.float64), schedule)

    return GaussianMixtureDenoiser([0.3, 0.7], [hump(-0.6, 0.1), hump(0.5, 0.2)])


def copies(gaussian: GaussianDenoiser, side: int) -> GaussianDenoiser:
    """Pictures of side x side independent pixels, each like the given picture of one."""
    covariance = torch.kron(gaussian.covariance, torch.eye(side**2, dtype=torch.float64))
    return GaussianDenoiser(gaussian.mean.expand(-1, side, side).contiguous(), covariance, gaussian.schedule)


class StreamNoise:
    """Many rows from one fast stream, float64; for tests in which no row need be the same in another batch."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        self._rows, self._generator = rows, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._rows

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.randn(self._rows, *shape, dtype=torch.float64, generator=self._generator)


class GivenNoise:
    """A noise source that hands out what it was given, again and again, and counts how often."""

    def __init__(self, rows: Tensor) -> None:
        self.rows, self.draws = rows, 0

    def __len__(self) -> int:
        return len(self.rows)

    def normal(self, shape: Sequence[int]) -> Tensor:
        self.draws += 1
        return self.rows.reshape(len(self.rows), *shape)


def propagated(sampler: StepSampler, denoiser: Denoiser, start: Moments, shape: tuple[int, int, int]) -> Moments:
    """Mean and covariance of what the sampler returns when it starts at N(*start): exact, no Monte Carlo.

    Every step x_s = A x_t + b + N z is measured with 2d + 1 rows: nothing, unit vectors of x_t, unit vectors of z.
    """
    mean, covariance = start
    size = len(mean)
    unit, none = torch.eye(size, dtype=torch.float64), torch.zeros(size, size, dtype=torch.float64)
    x = torch.cat([none[:1], unit, none]).reshape(-1, *shape)
    noise = GivenNoise(torch.cat([none[:1], none, unit]))
    for t, s in pairwise(sampler.times(denoiser.schedule)):
        out = sampler.step(denoiser, x, t, s, noise)[0].flatten(1)
        offset, step, gain = out[0], (out[1 : size + 1] - out[0]).T, (out[size + 1 :] - out[0]).T
        mean, covariance = step @ mean + offset, step @ covariance @ step.T + gain @ gain.T
    return mean, covariance


def by_hand(gaussian: GaussianDenoiser, times: Tensor, start: Moments, kind: str, eta: float = 0.0) -> Moments:
    """What `propagated` finds, from the papers' formulas along each principal axis of the Gaussian.

    `kind` is "fixed_small" or "fixed_large" (Ho et al. 2020, eq. 6-7 with abar_{t-1} read as abar_s and beta_t as
    1 - abar_t / abar_s) or "ddim" (Song et al. 2021, eq. 12 and 16).
    """
    variances, axes = torch.linalg.eigh(gaussian.covariance)
    centre = axes.T @ gaussian.mean.flatten()
    mean, variance = axes.T @ start[0], torch.diag(axes.T @ start[1] @ axes)
    abar = gaussian.schedule.alpha(times) ** 2
    for abar_t, abar_s in pairwise(abar):
        beta = 1 - abar_t / abar_s
        beta_tilde = (1 - abar_s) / (1 - abar_t) * beta
        gain = abar_t.sqrt() * variances / (abar_t * variances + 1 - abar_t)  # x_0 = centre + gain (x_t - ...)
        rest = centre - gain * abar_t.sqrt() * centre
        if kind == "ddim":
            added = eta**2 * beta_tilde
            along = (1 - abar_s - added).clamp(min=0).sqrt() / (1 - abar_t).sqrt()
            of_x0, of_x = abar_s.sqrt() - along * abar_t.sqrt(), along
        else:
            added = (beta if kind == "fixed_large" else beta_tilde) * (abar_s < 1)
            of_x0 = abar_s.sqrt() * beta / (1 - abar_t)
            of_x = (1 - beta).sqrt() * (1 - abar_s) / (1 - abar_t)
        mean = (of_x0 * gain + of_x) * mean + of_x0 * rest
        variance = (of_x0 * gain + of_x) ** 2 * variance + added
    return axes @ mean, axes @ torch.diag(variance) @ axes.T


def flowed(gaussian: GaussianDenoiser, start: Moments) -> Moments:
    """The limit of infinitely many deterministic steps: the probability flow from t = 1 to 0, an affine map."""
    variances, axes = torch.linalg.eigh(gaussian.covariance)
    one = torch.tensor(1.0)
    alpha, sigma = gaussian.schedule.alpha(one), gaussian.schedule.sigma(one)
    scale = axes @ torch.diag((variances / (alpha**2 * variances + sigma**2)).sqrt()) @ axes.T
    mean = gaussian.mean.flatten()
    return mean + scale @ (start[0] - alpha * mean), scale @ start[1] @ scale.T


def distance(found: Moments, wanted: Moments) -> float:
    """The largest difference of any entry of mean or covariance."""
    return max((a - b).abs().max().item() for a, b in zip(found, wanted, strict=True))
