import pytest
import torch

from ediffuser.diffusion.forward import noised, posterior, transition
from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving

SCHEDULES = [LinearBetas(), CosineBetas(), LinearBetas(steps=4000), VariancePreserving()]
NAMES = ["linear", "cosine", "linear4000", "continuous"]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=NAMES)
every_table = pytest.mark.parametrize("schedule", SCHEDULES[:3], ids=NAMES[:3])


def pictures(rows, seed=0, dtype=torch.float64):
    return torch.randn(2, rows, 3, 2, 2, dtype=dtype, generator=torch.Generator().manual_seed(seed)).unbind(0)


def random_pairs(count, least=1e-3):
    low, high = torch.rand(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).sort(0).values
    return (high + least).clamp(max=1), low.clamp(min=least) - least / 2


@every_table
def test_the_posterior_is_that_of_ho_et_al_at_every_step(schedule):
    """Eq. 6-7 from the betas alone. In float64 to 1e-8 (that is the formula's own cancellation), in float32 to 1e-5."""
    steps = schedule.steps
    betas = schedule.betas()
    alphas = 1 - betas
    alpha_bar = alphas.cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
    i = torch.arange(1, steps + 1, dtype=torch.float64)
    x0, x_t = pictures(steps)
    column = (steps, 1, 1, 1)
    of_x0 = (before.sqrt() * betas / (1 - alpha_bar)).reshape(column)
    of_x_t = (alphas.sqrt() * (1 - before) / (1 - alpha_bar)).reshape(column)
    wanted_variance = (1 - before) / (1 - alpha_bar) * betas

    for dtype, tolerance in ((torch.float64, 1e-8), (torch.float32, 1e-5)):
        mean, variance = posterior(schedule, x0.to(dtype), x_t.to(dtype), i / steps, (i - 1) / steps)
        assert mean.dtype == variance.dtype == dtype
        assert ((mean - of_x0 * x0 - of_x_t * x_t).abs() <= tolerance * (of_x0 * x0.abs() + of_x_t * x_t.abs())).all()
        assert torch.allclose(variance.flatten().double(), wanted_variance, rtol=tolerance, atol=0)


@every_table
def test_between_consecutive_steps_the_variance_is_beta(schedule):
    i = torch.arange(1, schedule.steps + 1, dtype=torch.float64)
    scale, variance = transition(schedule, i / schedule.steps, (i - 1) / schedule.steps, like=torch.zeros(1).double())
    assert torch.allclose(variance, schedule.betas(), rtol=1e-9, atol=0)
    assert torch.allclose(scale**2, 1 - schedule.betas(), rtol=1e-11, atol=0)


@every_schedule
def test_between_any_two_times_the_variance_is_one_minus_the_ratio_of_alpha_bars(schedule):
    t, s = random_pairs(500)
    scale, variance = transition(schedule, t, s, like=torch.zeros(1).double())
    ratio = (schedule.alpha(t) / schedule.alpha(s)) ** 2
    assert torch.allclose(scale**2, ratio, rtol=1e-12)
    assert torch.allclose(variance, 1 - ratio, atol=1e-12)


@every_schedule
def test_the_posterior_is_gaussian_conditioning(schedule):
    """Given x_0, (x_s, x_t) has covariance [[sigma_s^2, r sigma_s^2], [., sigma_t^2]] with r = alpha_t / alpha_s."""
    t, s = random_pairs(300)
    x0, x_t = pictures(300)
    mean, variance = posterior(schedule, x0, x_t, t, s)
    alpha_t, sigma_t, alpha_s, sigma_s = (
        f(u).reshape(-1, 1, 1, 1) for u in (t, s) for f in (schedule.alpha, schedule.sigma)
    )
    covariance = alpha_t / alpha_s * sigma_s**2
    wanted_mean = alpha_s * x0 + covariance / sigma_t**2 * (x_t - alpha_t * x0)
    assert torch.allclose(mean, wanted_mean, rtol=1e-9, atol=1e-11)
    assert torch.allclose(variance, sigma_s**2 - covariance**2 / sigma_t**2, rtol=1e-8, atol=1e-13)


@every_schedule
def test_two_steps_are_one(schedule):
    """q(x_t | x_s) after q(x_s | x_0) is q(x_t | x_0)."""
    t, s = random_pairs(300)
    scale, variance = transition(schedule, t, s, like=torch.zeros(1).double())
    assert torch.allclose(scale * schedule.alpha(s), schedule.alpha(t), rtol=1e-12)
    assert torch.allclose(scale**2 * schedule.sigma(s) ** 2 + variance, schedule.sigma(t) ** 2, rtol=1e-12)


@every_schedule
def test_the_last_step_returns_the_picture_without_variance(schedule):
    x0, x_t = pictures(4, dtype=torch.float32)
    for t in (1.0, 0.37, 1e-3):
        mean, variance = posterior(schedule, x0, x_t, torch.tensor(t), torch.tensor(0.0))
        assert variance.item() == 0
        assert torch.allclose(mean, x0, rtol=1e-6)


@pytest.mark.parametrize(("t", "s"), [(0.5, 0.5), (0.25, 0.5)])
def test_a_step_that_does_not_go_back_in_time_is_refused(t, s):
    x0, x_t = pictures(1)
    with pytest.raises(ValueError, match="s < t is needed"):
        posterior(CosineBetas(), x0, x_t, torch.tensor(t), torch.tensor(s))
    with pytest.raises(ValueError, match="s < t is needed"):
        transition(CosineBetas(), torch.tensor([0.9, t]), torch.tensor([0.1, s]), like=x0)


@every_schedule
def test_noising_row_by_row_is_noising_the_batch(schedule):
    x0, eps = pictures(5)
    t = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0])
    x_t = noised(schedule, x0, eps, t)
    assert torch.equal(x_t[0], x0[0])
    for row in range(5):
        assert torch.equal(x_t[row : row + 1], noised(schedule, x0[row : row + 1], eps[row : row + 1], t[row]))
    assert torch.allclose(x_t[2], schedule.alpha(t[2]) * x0[2] + schedule.sigma(t[2]) * eps[2])
