"""The terms of the bound are the published ones, and what is asked of them as a computation."""

import numpy as np
import pytest
import scipy.stats
import torch
from bound_by_hand import BITS, ByHand, sigma_points, space

from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.respacing import trailing_times
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving, alpha_sigma
from ediffuser.likelihood import ode_bits_per_dim, vlb_bits_per_dim, vlb_terms
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8
from oracles import GivenNoise, StreamNoise, copies

VARIANCES = ["fixed_large", "fixed_small", "learned"]


class Constant:
    """Believes in one picture, whatever it is shown."""

    def __init__(self, x0, schedule):
        self.x0, self.schedule = x0, schedule

    def __call__(self, x_t, t):
        return Prediction(x_t, *alpha_sigma(self.schedule, t, like=x_t), self.x0.to(x_t).expand_as(x_t))


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
