"""The bound on Gaussian data is its closed form, and on discrete data it lies just above the entropy."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from bound_by_hand import ByHand, Learned, hermite, line, sigma_points, space

from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, alpha_sigma
from ediffuser.diffusion.variational import prior_term
from ediffuser.likelihood import vlb_bits_per_dim, vlb_terms
from ediffuser.runtime.pixels import from_uint8
from oracles import GivenNoise, StreamNoise

VARIANCES = ["fixed_large", "fixed_small", "learned"]
every_schedule = pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas()], ids=lambda schedule: schedule.kind)


# ------------------------------------------------------------------------------------------------ Gaussian data


@pytest.mark.parametrize("steps", [10, 100, 1000])
@every_schedule
def test_trap_15_the_bound_on_gaussian_data_is_its_closed_form_and_least_with_a_learned_variance(schedule, steps):
    """Every term, the decoder's included (trap 7: its variance), in bits per dimension (trap 10), and the total."""
    hand = ByHand(line(schedule), steps)
    x0, eps, p = hermite(hand.gaussian)
    terms = {}
    for variance in VARIANCES:
        denoiser = Learned(hand) if variance == "learned" else hand.gaussian
        found = vlb_terms(denoiser, x0, GivenNoise(eps), steps=steps, variance=variance, clip=False)
        terms[variance] = np.array([(p @ term.value).item() for term in found])
        assert terms[variance] == pytest.approx(hand.terms(variance), rel=1e-6, abs=1e-9)
    prior = (p @ prior_term(schedule, x0)).item()
    assert prior == pytest.approx(hand.prior(), rel=1e-9)
    for fixed in ("fixed_large", "fixed_small"):
        assert (terms["learned"] <= terms[fixed] + 1e-12).all()
        assert terms["learned"].sum() < terms[fixed].sum() - 1e-4
    # On Gaussian data the best reverse steps are exact: what is left is the entropy, in bins of 1 / 127.5.
    entropy = 0.5 * math.log2(2 * math.pi * math.e * hand.gaussian.covariance.item()) + math.log2(127.5)
    assert terms["learned"].sum() + prior == pytest.approx(entropy, abs=1e-3)


@pytest.mark.parametrize("steps", [10, 100])
@pytest.mark.parametrize("variance", VARIANCES)
@every_schedule
def test_every_divergence_of_correlated_pictures_is_its_closed_form(schedule, variance, steps):
    hand = ByHand(space(schedule), steps)
    denoiser = Learned(hand) if variance == "learned" else hand.gaussian
    x0, eps = sigma_points(hand.gaussian)
    terms = vlb_terms(denoiser, x0, GivenNoise(eps), steps=steps, variance=variance, clip=False)
    found = [term.value.mean().item() for term in terms]
    assert found[:-1] == pytest.approx(hand.terms(variance)[:-1], rel=1e-8, abs=1e-12)
    assert prior_term(schedule, x0).mean().item() == pytest.approx(hand.prior(), rel=1e-9)


def test_drawn_pictures_have_the_bound_of_the_closed_form_within_its_standard_error():
    hand, rows = ByHand(space(CosineBetas()), 20), 20_000
    x0 = torch.randn(rows, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x0 = hand.gaussian.mean.flatten() + x0 @ torch.linalg.cholesky(hand.gaussian.covariance).T
    terms = vlb_terms(hand.gaussian, x0.reshape(rows, 3, 1, 1), StreamNoise(rows), steps=20, variance="fixed_large")
    total = sum(term.value for term in terms) + prior_term(hand.schedule, x0.reshape(rows, 3, 1, 1))
    wanted = sum(hand.terms("fixed_large")) + hand.prior()
    error = (total.std() / rows**0.5).item()
    assert error < 0.02
    assert abs(total.mean().item() - wanted) < 4 * error


# ------------------------------------------------------------------------------------------------ discrete data


class LevelsDenoiser:
    """The exact denoiser of single numbers drawn from a table of levels, and the best reverse variance at each x_t."""

    def __init__(self, probabilities, schedule, steps):
        self.x0, self.log_p = from_uint8(torch.arange(len(probabilities))).double(), torch.tensor(probabilities).log()
        self.schedule, self.hand = schedule, ByHand(line(schedule), steps)

    def __call__(self, x_t, t):
        x_t = x_t.double()
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        belief = (self.log_p - ((x_t - alpha * self.x0) / sigma).square() / 2).softmax(-1)
        mean = (belief * self.x0).sum(-1, keepdim=True)
        variance = (belief * (self.x0 - mean).square()).sum(-1, keepdim=True)
        return Prediction(x_t, alpha, sigma, mean, self.fraction(variance, (self.hand.times == t).nonzero().item()))

    def fraction(self, variance, step):
        small, large = self.hand.bounds(step)
        # A Gaussian that is cut into bins has 1/12 of a bin squared more variance than it had (Sheppard).
        best = (
            small + self.hand.factor(step) ** 2 * variance if step < self.hand.last else variance - (2 / 255) ** 2 / 12
        )
        return (best.clamp(min=1e-7).log() - math.log(small)) / (math.log(large) - math.log(small))


@pytest.mark.parametrize("steps", [10, 100])
@every_schedule
def test_the_bound_on_levels_is_their_entropy_where_the_reverse_steps_are_nearly_gaussian(schedule, steps):
    """8-bit data, 16% of them in the open bin of the darkest level; no 7 or 8 bits too many (traps 10, 11, 18)."""
    below = scipy.stats.norm.cdf(np.arange(90) + 0.5, 20, 20)
    probabilities = np.diff(below / below[-1], prepend=0)
    drawn = (probabilities.cumsum().searchsorted((np.arange(4000) + 0.5) / 4000)).astype(np.uint8)
    entropy = -(probabilities * np.log2(probabilities)).sum()
    denoiser = LevelsDenoiser(probabilities, schedule, steps)
    found = vlb_bits_per_dim(denoiser, torch.from_numpy(drawn).reshape(-1, 1, 1, 1), StreamNoise(4000), steps=steps)
    gap, error = found.total.mean().item() - entropy, found.total.std().item() / 4000**0.5
    assert error < 0.04
    assert -4 * error < gap < 0.1 + 4 * error
