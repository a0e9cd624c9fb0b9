"""The terms of the variational bound, against formulas of the papers that are written out here once more."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VarianceExploding, VariancePreserving, alpha_sigma
from ediffuser.diffusion.variational import (
    gaussian_kl,
    level_log_likelihood,
    picture_mean,
    prior_term,
    reverse_log_variance,
    vlb_term,
)

LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1
TABLES = [LinearBetas(), CosineBetas(), LinearBetas(steps=4000), CosineBetas(steps=20)]
every_table = pytest.mark.parametrize("schedule", TABLES, ids=lambda schedule: f"{schedule.kind}{schedule.steps}")
LIKE = torch.zeros(1, 1, 1, 1, dtype=torch.float64)


def column(values):
    return values.reshape(-1, 1, 1, 1)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def level_pictures(rows, seed=5):
    levels = torch.randint(0, 256, (rows, 3, 2, 2), generator=torch.Generator().manual_seed(seed))
    return levels.double() / 127.5 - 1


# ------------------------------------------------------------------------------------------ the decoder


@pytest.mark.parametrize("deviation", [1e-4, 0.004, 0.05, 1.0, 20.0])
@pytest.mark.parametrize("mean", [0.0, 0.3017, -1.0, 1.2, -7.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 5e-6)], ids=["64", "32"])
def test_decoder_bin_probabilities_over_the_256_levels_sum_to_1(mean, deviation, dtype, tolerance):
    """Trap 11: bins of half width 1/255, the first and the last open."""
    log_deviation = torch.tensor(math.log(deviation), dtype=dtype)
    log_p = level_log_likelihood(LEVELS.to(dtype), torch.full((256,), mean, dtype=dtype), log_deviation)
    assert log_p.dtype == dtype
    assert log_p.double().exp().sum().item() == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize("deviation", [0.001, 0.03, 0.7])
def test_the_decoder_is_the_gaussians_integral_over_the_bin_also_in_the_tails(deviation):
    """Midpoint sums of the density over each bin, in the log, where the density itself underflows too."""
    mean = 0.1234
    points = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000 * 2 - 1
    x = LEVELS[1:-1, None] + points / 255
    log_density = -0.5 * ((x - mean) / deviation) ** 2 - math.log(deviation * math.sqrt(2 * math.pi))
    wanted = log_density.logsumexp(1) + math.log(2 / 255 / 4000)
    found = level_log_likelihood(LEVELS[1:-1], torch.tensor(mean), torch.tensor(math.log(deviation)).double())
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert (wanted.min() < -1e5) == (deviation == 0.001)


def test_the_edges_of_the_decoder_are_open():
    """Trap 11: a mean beyond black is as good as black."""
    sure = level_log_likelihood(torch.tensor([-1.0, 1.0]), torch.tensor([-3.0, 3.0]), torch.tensor(math.log(0.1)))
    assert sure.tolist() == [0, 0]
    # Half of the Gaussian lies below the upper edge of black's bin.
    half = level_log_likelihood(LEVELS[:1], LEVELS[:1] + 1 / 255, torch.zeros(1, dtype=torch.float64))
    assert half.item() == pytest.approx(math.log(0.5))


def test_the_decoder_is_finite_and_teaches_however_far_away_the_mean_is():
    for dtype in (torch.float32, torch.float64):
        mean = torch.tensor([-60.0, -1.0, 0.0, 0.5, 60.0], dtype=dtype, requires_grad=True)
        log_deviation = torch.full((5,), math.log(1e-3), dtype=dtype, requires_grad=True)
        for x0 in (-1.0, 0.0, LEVELS[200].item(), 1.0):
            log_p = level_log_likelihood(torch.full((5,), x0, dtype=dtype), mean, log_deviation)
            assert log_p.isfinite().all()
            assert (log_p <= 0).all()
            gradients = torch.autograd.grad(log_p.sum(), [mean, log_deviation])
            assert all(gradient.isfinite().all() for gradient in gradients)
            # Below the level the mean should rise, above it fall, unless it is beyond an open edge.
            assert gradients[0][0] > 0 or x0 == -1
            assert gradients[0][-1] < 0 or x0 == 1


def test_the_gradient_of_the_decoder_is_that_of_its_values():
    x0 = LEVELS[[0, 0, 3, 100, 128, 200, 255]]
    for deviation in (0.01, 0.5):
        mean = (x0 + deviation * normal(7)).requires_grad_()
        log_deviation = torch.full((7,), math.log(deviation), dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda *given: level_log_likelihood(x0, *given), [mean, log_deviation])
    # Where a bin's edge lies exactly on the mean.
    for level, mean in ((0, LEVELS[0] + 1 / 255), (128, LEVELS[128])):
        given = [mean.reshape(1).requires_grad_(), torch.zeros(1, dtype=torch.float64, requires_grad=True)]
        assert torch.autograd.gradcheck(
            lambda *given, level=level: level_log_likelihood(LEVELS[[level]], *given), given
        )


# ------------------------------------------------------------------------------------------ divergence


def test_the_divergence_is_the_full_one_of_two_gaussians_q_before_p():
    mean_q, mean_p, log_q, log_p = normal(4, 50)
    wanted = kl_divergence(Normal(mean_q, (log_q / 2).exp()), Normal(mean_p, (log_p / 2).exp()))
    assert torch.allclose(gaussian_kl(mean_q, log_q, mean_p, log_p), wanted, rtol=1e-12)
    assert not torch.allclose(gaussian_kl(mean_p, log_p, mean_q, log_q), wanted, rtol=0.1)


def test_the_divergence_of_nearly_equal_variances_does_not_cancel_in_float32():
    zero = torch.zeros(())
    assert gaussian_kl(zero, torch.tensor(1e-4), zero, zero).item() == pytest.approx(1e-8 / 4, rel=1e-3)


# ------------------------------------------------------------------------------------------ variances


def published_tables(schedule):
    """beta, and log beta-tilde with its first entry replaced by the second, from the betas alone."""
    betas = schedule.betas()
    alpha_bar = (1 - betas).cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    beta_tilde = betas * (1 - before) / (1 - alpha_bar)
    return betas, torch.cat([beta_tilde[1:2], beta_tilde[1:]]).log()


@every_table
@pytest.mark.parametrize("fraction", [-0.2, 0.0, 0.3, 1.0, 1.4])
def test_a_learned_variance_lies_between_beta_tilde_and_beta_in_the_log_unclamped(schedule, fraction):
    """Nichol & Dhariwal 2021, eq. 15; log beta-tilde of the last step takes the value of the step before it."""
    steps = schedule.steps
    i = torch.arange(1, steps + 1, dtype=torch.float64)
    betas, log_beta_tilde = published_tables(schedule)
    wanted = fraction * betas.log() + (1 - fraction) * log_beta_tilde
    learned = torch.full((steps, 1, 1, 1), fraction, dtype=torch.float64)
    found = reverse_log_variance(schedule, learned, i / steps, (i - 1) / steps, (i + 1) / steps, LIKE)
    assert torch.allclose(found.flatten(), wanted, rtol=0, atol=1e-10)


@every_table
def test_fixed_large_takes_the_small_variance_of_the_step_before_for_the_last_step(schedule):
    """Trap 7: the first entry of the published table of log betas is the posterior's second."""
    steps = schedule.steps
    i = torch.arange(1, steps + 1, dtype=torch.float64)
    grid = (i / steps, (i - 1) / steps, (i + 1) / steps, LIKE)
    betas, log_beta_tilde = published_tables(schedule)
    large, small = (reverse_log_variance(schedule, fraction, *grid).flatten() for fraction in (1.0, 0.0))
    assert torch.allclose(large, torch.cat([log_beta_tilde[:1], betas[1:].log()]), rtol=0, atol=1e-10)
    assert torch.allclose(small, log_beta_tilde, rtol=0, atol=1e-10)


@every_table
@pytest.mark.parametrize("kept", [5, 2])
def test_variances_of_a_respaced_grid_are_those_of_its_own_betas(schedule, kept):
    """Trap 8 and the erratum of Eq. 5.1: beta = 1 - alpha-bar_t / alpha-bar_s, alpha-bar unchanged where it is kept."""
    index = torch.tensor([(schedule.steps * part) // kept for part in range(1, kept + 1)])
    alpha_bar = (1 - schedule.betas()).cumprod(0)[index - 1]
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    betas = 1 - alpha_bar / before
    beta_tilde = betas * (1 - before) / (1 - alpha_bar)
    beta_tilde[0] = beta_tilde[1]
    times = torch.cat([torch.zeros(1, dtype=torch.float64), index.double() / schedule.steps])
    later = torch.cat([times[2:], torch.ones(1, dtype=torch.float64)])
    learned = torch.full((kept, 1, 1, 1), 0.4, dtype=torch.float64)
    found = reverse_log_variance(schedule, learned, times[1:], times[:-1], later, LIKE)
    assert torch.allclose(found.flatten(), 0.4 * betas.log() + 0.6 * beta_tilde.log(), rtol=0, atol=1e-8)


def test_the_variance_of_a_single_step_is_its_beta():
    one, zero = torch.ones(()), torch.zeros(())
    for fraction in (0.0, 1.0, torch.full((1, 1, 1, 1), 0.3)):
        found = reverse_log_variance(LinearBetas(), fraction, one, zero, None, LIKE)
        assert found.item() == pytest.approx(math.log(1 - 4.04e-5), rel=1e-2)


@pytest.mark.parametrize(("t", "s", "before"), [(0.5, 0.5, 0.6), (0.4, 0.5, 0.6), (0.5, 0.0, 0.4)])
def test_times_out_of_order_are_refused(t, s, before):
    with pytest.raises(ValueError, match="s < t is needed"):
        reverse_log_variance(CosineBetas(), 0.5, torch.tensor(t), torch.tensor(s), torch.tensor(before), LIKE)


# ------------------------------------------------------------------------------------------ terms


def belief(schedule, x0, eps, t, off):
    """What a denoiser believes whose eps is off by that much."""
    alpha, sigma = alpha_sigma(schedule, t, like=x0)
    x_t = noised(schedule, x0, eps, t)
    return Prediction(x_t, alpha, sigma, (x_t - sigma * (eps + off)) / alpha)


def on_grid(schedule, index):
    return index / schedule.steps, (index - 1) / schedule.steps, (index + 1) / schedule.steps


@every_table
@pytest.mark.parametrize("kind", ["learned", "fixed_large", "fixed_small"])
def test_a_term_is_the_papers_formula_in_bits_per_dimension(schedule, kind):
    """Ho et al. 2020, eq. 12, in eps and betas with the variances of both sides; trap 10: bits, and mean over dims."""
    index = torch.tensor([2, 3, schedule.steps // 2, schedule.steps - 1, schedule.steps]).double()
    x0, eps, off, learned = level_pictures(5), *normal(3, 5, 3, 2, 2)
    betas = schedule.betas()
    alpha_bar = (1 - betas).cumprod(0)
    here = index.long() - 1
    beta, abar_t, abar_s = betas[here], alpha_bar[here], alpha_bar[here - 1]
    var_q = column(beta * (1 - abar_s) / (1 - abar_t))
    fraction = {"learned": learned, "fixed_large": 1.0, "fixed_small": 0.0}[kind]
    var_p = column(beta) ** fraction * var_q ** (1 - fraction)
    squared = column(beta**2 / ((1 - beta) * (1 - abar_t))) * off**2
    nats = (0.5 * (var_p / var_q).log() + (var_q + squared) / (2 * var_p) - 0.5).mean((1, 2, 3))
    t, s, before = on_grid(schedule, index)
    found = vlb_term(belief(schedule, x0, eps, t, off), schedule, x0, t, s, before, fraction=fraction, clip=False)
    assert found.shape == (5,)
    assert torch.allclose(found, nats / math.log(2), rtol=1e-6, atol=1e-9)


@every_table
def test_the_last_term_is_the_decoder_at_the_expected_picture(schedule):
    """At s = 0 the mean is the expected x_0 itself; the bin's integral as a plain difference, near the mean."""
    x0, eps, off = level_pictures(4), *normal(2, 4, 3, 2, 2)
    t, s, before = on_grid(schedule, torch.ones(4, dtype=torch.float64))
    fraction = torch.full_like(x0, 0.5)
    prediction = belief(schedule, x0, eps, t, 0.3 * off)
    found = vlb_term(prediction, schedule, x0, t, s, before, fraction=fraction, clip=False)
    betas, log_beta_tilde = published_tables(schedule)
    deviation = ((0.5 * betas[0].log() + 0.5 * log_beta_tilde[0]) / 2).exp()
    upper = torch.where(x0 > 0.999, torch.inf, (x0 + 1 / 255 - prediction.x0) / deviation)
    lower = torch.where(x0 < -0.999, -torch.inf, (x0 - 1 / 255 - prediction.x0) / deviation)
    p = torch.special.ndtr(upper) - torch.special.ndtr(lower)
    assert torch.allclose(found, -p.log2().mean((1, 2, 3)), rtol=1e-7)


def test_a_batch_may_mix_last_steps_with_others():
    schedule, x0, eps, off = CosineBetas(steps=20), level_pictures(4), *normal(2, 4, 3, 2, 2)
    t, s, before = on_grid(schedule, torch.tensor([1, 20, 1, 7]).double())
    fraction = normal(4, 3, 2, 2, seed=3)

    def terms(rows):
        prediction = belief(schedule, x0[rows], eps[rows], t[rows], off[rows])
        times = (t[rows], s[rows], before[rows])
        return vlb_term(prediction, schedule, x0[rows], *times, fraction=fraction[rows], clip=True)

    assert torch.allclose(terms(range(4)), torch.cat([terms([row]) for row in range(4)]), rtol=1e-12)


def test_over_a_hole_a_term_is_the_sum_divided_by_area_times_channels():
    schedule, x0, eps, off = CosineBetas(steps=20), level_pictures(2), *normal(2, 2, 3, 2, 2)
    hole = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]]).double().reshape(2, 1, 2, 2)
    t, s, before = on_grid(schedule, torch.tensor([1, 9]).double())

    def term(error, weight):
        prediction = belief(schedule, x0, eps, t, error)
        return vlb_term(prediction, schedule, x0, t, s, before, fraction=0.0, clip=False, weight=weight)

    inside = term(off, hole)
    assert torch.allclose(inside, term(off * hole, hole), rtol=1e-12)  # outside nothing counts
    outside = term(off, 1 - hole)
    area = hole.mean((1, 2, 3))
    assert torch.allclose(area * inside + (1 - area) * outside, term(off, None), rtol=1e-12)
    assert term(off, torch.zeros_like(hole)).tolist() == [0, 0]
    assert picture_mean(x0, torch.ones_like(hole)).tolist() == pytest.approx(picture_mean(x0).tolist())


@pytest.mark.parametrize("index", [1.0, 10.0])
def test_clipping_evaluates_and_never_trains(index):
    """Trap 12: with clip a belief outside [-1, 1] costs what one on its edge does, and gets no gradient."""
    schedule, x0 = CosineBetas(steps=20), torch.ones(1, 1, 1, 1, dtype=torch.float64)
    t, s, before = (time.reshape(1) for time in on_grid(schedule, torch.tensor(index).double()))
    x_t = noised(schedule, x0, torch.zeros_like(x0), t)

    def term_and_gradient(value, clip):
        expected = torch.full_like(x0, value, requires_grad=True)
        prediction = Prediction(x_t, *alpha_sigma(schedule, t, like=x0), expected)
        term = vlb_term(prediction, schedule, x0, t, s, before, fraction=0.0, clip=clip)
        return term.item(), torch.autograd.grad(term.sum(), expected)[0].item()

    on_edge, beyond = term_and_gradient(-1.0, True), term_and_gradient(-1.5, True)
    assert beyond == (on_edge[0], 0)
    raw = term_and_gradient(-1.5, False)
    assert raw[0] > on_edge[0]
    assert raw[1] < 0


@pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas(steps=20), VariancePreserving(), VarianceExploding()])
def test_the_prior_term_is_what_is_left_of_the_picture_at_the_end(schedule):
    x0, one = level_pictures(3), torch.ones((), dtype=torch.float64)
    snr = (schedule.alpha(one) / schedule.sigma(one)) ** 2
    wanted = 0.5 * snr * (x0**2).mean((1, 2, 3)) / math.log(2)
    assert torch.allclose(prior_term(schedule, x0), wanted, rtol=1e-9)


@pytest.mark.parametrize("schedule", [LinearBetas(steps=50), CosineBetas(steps=50)], ids=["linear", "cosine"])
def test_terms_of_an_exact_gaussian_denoiser_have_a_closed_form(schedule):
    """Trap 15: x_0 ~ N(m, v) for each pixel, and the best variance, that of x_s given x_t.

    Then E[KL] = log(Var[x_s | x_t] / beta-tilde) / 2. A term is a quadratic form in x_0 and eps, so its mean over the
    four points m +- sqrt(v), +- 1 is the expectation itself.
    """
    mean, variance, steps = 0.2, 0.3, schedule.steps
    index = torch.arange(2, steps + 1, dtype=torch.float64)
    t, s, before = on_grid(schedule, index)
    abar_t, abar_s = (column(schedule.alpha(time) ** 2) for time in (t, s))
    # Jointly Gaussian: Var[x_s | x_t] = Var[x_s] - Cov[x_s, x_t]^2 / Var[x_t].
    var_t, var_s = abar_t * variance + 1 - abar_t, abar_s * variance + 1 - abar_s
    conditional = var_s - (abar_t / abar_s) * var_s**2 / var_t
    beta = 1 - abar_t / abar_s
    beta_tilde = beta * (1 - abar_s) / (1 - abar_t)
    fraction = (conditional / beta_tilde).log() / (beta / beta_tilde).log()
    total = torch.zeros(len(index), dtype=torch.float64)
    for x_sign in (-1, 1):
        for eps_sign in (-1, 1):
            x0 = torch.full((len(index), 1, 1, 1), mean + x_sign * variance**0.5, dtype=torch.float64)
            x_t = noised(schedule, x0, torch.full_like(x0, eps_sign), t)
            expected = mean + abar_t.sqrt() * variance / var_t * (x_t - abar_t.sqrt() * mean)
            prediction = Prediction(x_t, *alpha_sigma(schedule, t, like=x0), expected)
            total += vlb_term(prediction, schedule, x0, t, s, before, fraction=fraction, clip=False) / 4
    wanted = 0.5 * torch.log2(conditional / beta_tilde).flatten()
    assert torch.allclose(total, wanted, rtol=1e-6, atol=1e-10)
