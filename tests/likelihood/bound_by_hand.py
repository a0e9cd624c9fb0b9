"""The expected terms of the bound on Gaussian data, from the papers' formulas and alpha-bar alone.

Every divergence of an exact Gaussian denoiser is a square of what is linear in (x_0, eps), so its expectation is the
mean over a few points; the decoder's depends on one linear combination of the two, so Gauss-Hermite nodes give it.
"""

import math
from dataclasses import replace

import numpy as np
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
import torch

from ediffuser.diffusion.respacing import trailing_times
from oracles import GaussianDenoiser

BITS = 1 / math.log(2)


def line(schedule):
    """Pictures of one number, so narrow that no level is at the edge."""
    return GaussianDenoiser(
        torch.full((1, 1, 1), 0.1, dtype=torch.float64), torch.full((1, 1), 0.15**2, dtype=torch.float64), schedule
    )


def space(schedule):
    """Pictures of three correlated numbers, shape (3, 1, 1), as narrow."""
    factor = 0.25 * torch.tensor([[0.6, 0.0, 0.0], [-0.4, 0.3, 0.0], [0.1, 0.2, 0.15]], dtype=torch.float64)
    mean = torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64).reshape(3, 1, 1)
    return GaussianDenoiser(mean, factor @ factor.T, schedule)


class ByHand:
    """The expected terms of the bound for an exact Gaussian denoiser, from the papers' formulas and alpha-bar alone."""

    def __init__(self, gaussian, steps):
        self.gaussian, self.schedule = gaussian, gaussian.schedule
        self.times = trailing_times(gaussian.schedule, steps)
        self.abar = gaussian.schedule.alpha(self.times).numpy() ** 2
        self.last = steps - 1

    def bounds(self, step):
        """beta-tilde and beta of a step; in the last one that of the step before, as published."""
        abar_t, abar_s = self.abar[step : step + 2]
        if step == self.last:
            return (self.bounds(step - 1)[0] if step else 1 - abar_t), 1 - abar_t
        return (1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s), 1 - abar_t / abar_s

    def belief_variance(self, step):
        """Of each number of x_0 given x_t, shape (d,)."""
        abar_t = self.abar[step]
        variances, axes = np.linalg.eigh(self.gaussian.covariance.numpy())
        return (axes**2) @ (variances * (1 - abar_t) / (abar_t * variances + 1 - abar_t))

    def factor(self, step):
        """Of x_0 in the mean of q(x_s | x_t, x_0)."""
        abar_t, abar_s = self.abar[step : step + 2]
        return abar_s**0.5 * (1 - abar_t / abar_s) / (1 - abar_t)

    def error(self, step):
        """The expected squared distance of the two means, shape (d,)."""
        return self.factor(step) ** 2 * self.belief_variance(step)

    def best(self, step):
        """The log of the reverse variance that makes a term the smallest, shape (d,)."""
        if step < self.last:
            return np.log(self.bounds(step)[0] + self.error(step))
        return np.array([minimised(lambda log, v=v: decoder(v, math.exp(log)), v) for v in self.belief_variance(step)])

    def best_fraction(self, step):
        """Where it lies between the bounds, shape (d,)."""
        small, large = np.log(self.bounds(step))
        return (self.best(step) - small) / (large - small)

    def terms(self, variance):
        """Of each step, in bits per dimension."""
        return np.array([self.term(step, variance) for step in range(self.last + 1)])

    def term(self, step, variance):
        small, large = self.bounds(step)
        large = small if step == self.last else large  # as published, for a better decoder
        v = {"fixed_small": small, "fixed_large": large}.get(variance) or np.exp(self.best(step))
        if step < self.last:
            return 0.5 * BITS * np.mean(np.log(v / small) + (small + self.error(step)) / v - 1)
        beliefs = self.belief_variance(step)
        return np.mean([decoder(belief, each) for belief, each in zip(beliefs, v + 0 * beliefs, strict=True)])

    def prior(self):
        second_moment = self.gaussian.mean.flatten() ** 2 + self.gaussian.covariance.diagonal()
        return 0.5 * BITS * self.abar[0] / (1 - self.abar[0]) * second_moment.mean().item()


def decoder(belief_variance, variance):
    """The expectation of -log2 P(level) over the distance of the level from the mean."""
    half, deviation = 1 / 255, variance**0.5

    def integrand(z):
        distance = abs(z) * belief_variance**0.5
        upper, lower = (scipy.special.log_ndtr((half * sign - distance) / deviation) for sign in (1, -1))
        return -(upper + np.log(-np.expm1(lower - upper))) * scipy.stats.norm.pdf(z)

    return 2 * BITS * scipy.integrate.quad(integrand, 0, 12, epsabs=1e-12)[0]


def minimised(function, variance):
    return scipy.optimize.minimize_scalar(function, (math.log(variance) - 1, math.log(variance))).x


class Learned:
    """The exact denoiser with the best fraction at each time of a grid."""

    def __init__(self, hand):
        self.gaussian, self.schedule = hand.gaussian, hand.schedule
        self.fractions = {t.item(): torch.from_numpy(hand.best_fraction(i)) for i, t in enumerate(hand.times[:-1])}

    def __call__(self, x_t, t):
        fraction = self.fractions[t.item()].reshape(self.gaussian.mean.shape)
        return replace(self.gaussian(x_t, t), variance_fraction=fraction.expand_as(x_t))


def sigma_points(gaussian):
    """x_0 and eps of 4 d rows over which a quadratic in both has its mean."""
    size = gaussian.covariance.shape[0]
    unit = (2 * size) ** 0.5 * torch.cat([torch.eye(2 * size), -torch.eye(2 * size)]).double()
    x0 = gaussian.mean.flatten() + unit[:, :size] @ torch.linalg.cholesky(gaussian.covariance).T
    return x0.reshape(-1, *gaussian.mean.shape), unit[:, size:]


def hermite(gaussian, nodes=16):
    """x_0 and eps of a grid of rows for pictures of one number, and the probability of each row."""
    z, p = np.polynomial.hermite_e.hermegauss(nodes)
    z, p = torch.from_numpy(z), torch.from_numpy(p / p.sum())
    u, eps = (each.flatten() for each in torch.meshgrid(z, z, indexing="ij"))
    x0 = gaussian.mean.flatten() + gaussian.covariance[0, 0].sqrt() * u
    return x0.reshape(-1, 1, 1, 1), eps.reshape(-1, 1), torch.outer(p, p).flatten()
