"""The bound on 8-bit pictures: on Gaussian data in closed form, on discrete data above the entropy, and by tables.

Every divergence of an exact Gaussian denoiser is a square of what is linear in (x_0, eps), so its expectation is the
mean over a few points; the decoder's depends on one linear combination of the two, so Gauss-Hermite nodes give it.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
import torch

from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.respacing import trailing_times
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving, alpha_sigma
from ediffuser.diffusion.variational import prior_term
from ediffuser.likelihood import ode_bits_per_dim, vlb_bits_per_dim, vlb_terms
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8
from oracles import GaussianDenoiser, GivenNoise, StreamNoise, copies

VARIANCES = ["fixed_large", "fixed_small", "learned"]
BITS = 1 / math.log(2)
every_schedule = pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas()], ids=lambda schedule: schedule.kind)


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


# ------------------------------------------------------------------------------------------------ by hand


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


# ------------------------------------------------------------------------------------------------ the terms themselves


def published_terms(denoiser, x0, eps, variance):
    """Nichol & Dhariwal's terms from their tables of betas, in bits per dimension, shape (B, T); else scipy's."""
    betas = denoiser.schedule.betas().numpy()
    abar = np.cumprod(1 - betas)
    abar_before = np.append(1.0, abar[:-1])
    posterior_variance = betas * (1 - abar_before) / (1 - abar)
    clipped = np.append(posterior_variance[1], posterior_variance[1:])
    total = len(betas)
    terms = []
    for i in reversed(range(total)):
        t = torch.tensor((i + 1) / total, dtype=torch.float64)
        x_t = abar[i] ** 0.5 * x0 + (1 - abar[i]) ** 0.5 * eps
        prediction = denoiser(x_t, t)
        fraction = {"fixed_small": 0.0, "fixed_large": 1.0}.get(variance, prediction.variance_fraction)
        large = clipped[0] if i == 0 and variance == "fixed_large" else betas[i]
        log_variance = torch.as_tensor(fraction * np.log(large) + (1 - fraction) * np.log(clipped[i]))
        of_x0 = betas[i] * abar_before[i] ** 0.5 / (1 - abar[i])
        of_x_t = (1 - abar_before[i]) * (1 - betas[i]) ** 0.5 / (1 - abar[i])
        mean = of_x0 * prediction.x0.clamp(-1, 1) + of_x_t * x_t
        if i > 0:
            squared = (of_x0 * x0 + of_x_t * x_t - mean) ** 2
            ratio = log_variance - np.log(clipped[i])
            nats = 0.5 * (-1 + ratio + torch.exp(-ratio) + squared * torch.exp(-log_variance))
        else:
            deviation = torch.exp(0.5 * log_variance)
            upper = scipy.stats.norm.cdf((x0 + 1 / 255 - mean) / deviation)
            lower = scipy.stats.norm.cdf((x0 - 1 / 255 - mean) / deviation)
            upper, lower = np.where(x0 > 0.999, 1, upper), np.where(x0 < -0.999, 0, lower)
            nats = -torch.from_numpy(np.log(upper - lower))
        terms.append(nats.flatten(1).mean(1) * BITS)
    prior = 0.5 * abar[-1] / (1 - abar[-1]) * x0.square().flatten(1).mean(1) * BITS
    return prior, torch.stack(terms, dim=1)


class Slightly:
    """Nearly knows the picture, and says something about the variance."""

    def __init__(self, x0, schedule, learned=True):
        self.x0, self.schedule, self.learned = x0, schedule, learned

    def __call__(self, x_t, t):
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        x0 = self.x0.to(x_t) + 0.3 * sigma * torch.sin(3 * x_t)
        fraction = 0.5 + 0.7 * torch.cos(x_t) if self.learned else None
        return Prediction(x_t, alpha, sigma, x0, fraction)


def random_levels(rows, side=3):
    levels = torch.randint(0, 256, (rows, 3, side, side), generator=torch.Generator().manual_seed(0))
    levels[:, :, 0, 0], levels[:, :, 0, 1] = 0, 255
    return levels.to(torch.uint8)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("schedule", [LinearBetas(steps=40), CosineBetas(steps=40)], ids=lambda schedule: schedule.kind)
def test_the_bound_is_the_sum_of_its_terms_and_these_are_the_published_ones(schedule, variance):
    levels = random_levels(4)
    x0 = from_uint8(levels).double()
    denoiser = Slightly(x0, schedule)
    eps = torch.randn(x0.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    noise = GivenNoise(eps)
    prior, terms = published_terms(denoiser, x0, eps, variance)
    found = list(vlb_terms(denoiser, x0, noise, variance=variance))
    assert torch.allclose(torch.stack([term.value for term in found], dim=1), terms, rtol=1e-7, atol=1e-10)
    whole = vlb_bits_per_dim(denoiser, levels, noise, variance=variance)  # in float32
    assert torch.allclose(whole.kl, terms[:, :-1], rtol=1e-4, atol=1e-4)
    assert torch.allclose(whole.decoder, terms[:, -1], rtol=1e-4, atol=1e-4)
    assert torch.allclose(whole.prior, prior, rtol=1e-5)
    assert torch.allclose(whole.total, prior + terms.sum(1), rtol=1e-4)
    assert torch.equal(whole.total, whole.prior + whole.kl.sum(1) + whole.decoder)
    assert whole.total.dtype == torch.float64


def test_trap_11_the_probabilities_of_the_256_levels_sum_to_1():
    """Whatever a denoiser believes that does not look: the decoder is a distribution over the levels."""
    levels = torch.arange(256, dtype=torch.float64).reshape(-1, 1, 1, 1)
    for x0 in (-1.0, -0.7, 0.0, 0.998, 1.0):
        for schedule, steps in ((LinearBetas(steps=40), None), (LinearBetas(), 10), (CosineBetas(), 1)):
            denoiser = Constant(torch.tensor(x0), schedule)
            *_, decoder = vlb_terms(denoiser, levels / 127.5 - 1, StreamNoise(256), steps=steps)
            assert torch.exp2(-decoder.value).sum().item() == pytest.approx(1, abs=1e-9)


class Constant:
    """Believes in one picture, whatever it is shown."""

    def __init__(self, x0, schedule):
        self.x0, self.schedule = x0, schedule

    def __call__(self, x_t, t):
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), self.x0.to(x_t).expand_as(x_t))


def test_trap_12_beliefs_are_clipped_at_evaluation_unless_told_otherwise():
    levels, schedule = torch.full((2, 3, 2, 2), 128, dtype=torch.uint8), CosineBetas()

    def bound(x0, **options):
        return vlb_bits_per_dim(
            Constant(torch.tensor(x0), schedule), levels, Noise.rows(0, range(2)), steps=5, **options
        )

    assert torch.equal(bound(1.5).total, bound(1.0).total)
    assert torch.equal(bound(1.5, clip=True).total, bound(1.0, clip=False).total)
    assert (bound(1.5, clip=False).total > bound(1.5).total + 0.1).all()


def test_trap_10_bits_are_per_dimension():
    """Twice the picture has the same bits per dimension, term by term."""
    hand = ByHand(space(CosineBetas()), 10)
    x0, eps = sigma_points(hand.gaussian)
    small = vlb_terms(hand.gaussian, x0, GivenNoise(eps), steps=10)
    large = vlb_terms(
        copies(hand.gaussian, 2), x0.expand(-1, 3, 2, 2), GivenNoise(eps[:, :, None].expand(-1, 3, 4)), steps=10
    )
    for one, four in zip(small, large, strict=True):
        assert torch.allclose(one.value, four.value, rtol=1e-9, atol=1e-12)


def test_over_a_hole_the_bits_are_those_per_dimension_of_the_hole():
    levels, schedule = random_levels(2), LinearBetas()
    hole = torch.zeros(2, 1, 3, 3)
    hole[0, :, 1:], hole[1, :, :, 2] = 1, 1
    denoiser = Slightly(from_uint8(levels), schedule)
    over = vlb_bits_per_dim(denoiser, levels, Noise.rows(0, range(2)), steps=4, weight=hole)
    rest = vlb_bits_per_dim(denoiser, levels, Noise.rows(0, range(2)), steps=4, weight=1 - hole)
    whole = vlb_bits_per_dim(denoiser, levels, Noise.rows(0, range(2)), steps=4)
    share = hole.flatten(1).mean(1).double()
    assert torch.allclose(share * over.total + (1 - share) * rest.total, whole.total, rtol=1e-5)


# ------------------------------------------------------------------------------------------------ as a computation


def test_the_terms_come_one_after_the_other_and_their_calls_are_counted():
    levels, schedule = random_levels(3), LinearBetas()
    noise, denoiser = Noise.rows(0, range(3)), Slightly(from_uint8(levels), schedule)
    terms = list(vlb_terms(denoiser, from_uint8(levels), noise, steps=7))
    assert [term.calls.tolist() for term in terms] == [[done] * 3 for done in range(1, 8)]
    assert [term.progress for term in terms] == pytest.approx([done / 7 for done in range(1, 8)])
    whole = vlb_bits_per_dim(denoiser, levels, Noise.rows(0, range(3)), steps=7)
    assert whole.calls.tolist() == [7] * 3
    assert whole.kl.shape == (3, 6)
    assert torch.equal(whole.times, trailing_times(schedule, 7)[:-1])
    assert torch.equal(
        torch.stack([term.value for term in terms], dim=1), torch.cat([whole.kl, whole.decoder[:, None]], 1)
    )


def test_a_single_step_has_a_decoder_alone():
    levels = random_levels(2)
    found = vlb_bits_per_dim(Slightly(from_uint8(levels), CosineBetas()), levels, Noise.rows(0, range(2)), steps=1)
    assert found.kl.shape == (2, 0)
    assert torch.equal(found.total, found.prior + found.decoder)


@pytest.mark.parametrize("learned", [True, False])
def test_a_networks_bound_does_not_depend_on_the_batch_and_takes_the_variance_it_learns(random_denoiser, learned):
    denoiser = random_denoiser(learned_variance=learned, parametrisation="x0")
    levels = random_levels(3, side=16)
    whole = vlb_bits_per_dim(denoiser, levels, Noise.rows(0, range(3)), steps=3)
    alone = vlb_bits_per_dim(denoiser, levels[1:2], Noise.rows(0, [1]), steps=3)
    assert torch.allclose(alone.total, whole.total[1:2], rtol=1e-4)
    assert whole.total.isfinite().all()
    assert not whole.total.requires_grad
    named = vlb_bits_per_dim(
        denoiser, levels, Noise.rows(0, range(3)), steps=3, variance="learned" if learned else "fixed_large"
    )
    assert torch.equal(named.total, whole.total)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (torch.zeros(1, 3, 2, 2), r"^levels must be whole numbers 0 to 255 of shape \(B, C, H, W\), got float32 of"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), r"got uint8 of shape \(3, 2, 2\)$"),
        (torch.full((1, 3, 2, 2), 256), r"^levels must lie between 0 and 255, got 256 to 256$"),
        (torch.full((1, 3, 2, 2), -1), r"^levels must lie between 0 and 255, got -1 to -1$"),
    ],
)
@pytest.mark.parametrize("likelihood", [vlb_bits_per_dim, ode_bits_per_dim])
def test_what_are_no_levels_is_refused(likelihood, levels, message):
    with pytest.raises(BadInputError, match=message):
        likelihood(Constant(torch.tensor(0.0), LinearBetas()), levels, Noise.rows(0, [0]))


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (LinearBetas(), {"steps": 1001}, r"^1001 steps are more than the 1000 the model was trained on$"),
        (VariancePreserving(), {}, r"continuous time needs a number of steps"),
        (LinearBetas(), {"variance": "learned"}, r'^variance "learned" needs a model that predicts its variance'),
    ],
)
def test_what_a_model_cannot_do_is_refused(schedule, options, message):
    with pytest.raises(BadInputError, match=message):
        vlb_bits_per_dim(Constant(torch.tensor(0.0), schedule), random_levels(1), Noise.rows(0, [0]), **options)
