import math

import pytest
import torch

from ediffuser.diffusion.forward import posterior, transition
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    Schedule,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
    alpha_sigma,
    end_time,
)

TABLES = {
    "linear": LinearBetas(),
    "cosine": CosineBetas(),
    "linear4000": LinearBetas(steps=4000),
    "cosine4000": CosineBetas(steps=4000),
    "linear50": LinearBetas(steps=50),
    "cosine2": CosineBetas(steps=2),
}
PRESERVING = TABLES | {"continuous": VariancePreserving(), "steep": VariancePreserving(beta_min=1e-3, beta_max=40.0)}
ALL = PRESERVING | {"sub_vp": SubVariancePreserving(), "ve": VarianceExploding()}

every_table = pytest.mark.parametrize("schedule", TABLES.values(), ids=TABLES.keys())
every_schedule = pytest.mark.parametrize("schedule", ALL.values(), ids=ALL.keys())


def paper_indices(schedule) -> torch.Tensor:
    return torch.arange(1, schedule.steps + 1, dtype=torch.float64) / schedule.steps


@every_table
def test_the_table_is_the_papers_alpha_bar(schedule):
    alpha_bar = (1 - schedule.betas()).cumprod(0)
    t = paper_indices(schedule)
    assert torch.allclose(schedule.alpha(t) ** 2, alpha_bar, rtol=1e-11, atol=0)
    assert torch.allclose(schedule.sigma(t) ** 2, 1 - alpha_bar, rtol=1e-9, atol=0)
    assert torch.allclose(schedule.log_snr(t), torch.log(alpha_bar / (1 - alpha_bar)), rtol=1e-9, atol=1e-9)


def test_the_linear_betas_are_those_of_ho_et_al():
    betas = LinearBetas().betas()
    assert betas.dtype == torch.float64
    assert betas[[0, -1]].tolist() == [1e-4, 0.02]
    assert torch.allclose(betas.diff(), torch.full((999,), (0.02 - 1e-4) / 999, dtype=torch.float64))
    assert LinearBetas().alpha(torch.tensor(1.0)).item() ** 2 == pytest.approx(4.0358e-5, rel=1e-4)


def test_the_ends_of_the_linear_betas_are_scaled_by_1000_over_t():
    for steps in (250, 4000):
        betas = LinearBetas(steps=steps).betas()
        assert betas[[0, -1]].tolist() == pytest.approx([0.1 / steps, 20 / steps])
    assert LinearBetas(steps=10).betas().max() == 0.999
    # The process is then about the same whatever T is.
    t = torch.linspace(0.1, 1, 10, dtype=torch.float64)
    assert torch.allclose(LinearBetas(steps=4000).alpha(t), LinearBetas().alpha(t), atol=1e-3)


def test_the_cosine_betas_are_those_of_nichol_and_dhariwal():
    def alpha_bar(t):
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = CosineBetas().betas()
    assert betas.max() == betas[-1] == 0.999
    assert betas[-2] < 0.999
    assert betas[:-1].tolist() == pytest.approx(
        [1 - alpha_bar((i + 1) / 1000) / alpha_bar(i / 1000) for i in range(999)]
    )


def test_the_continuous_schedule_is_that_of_song_et_al():
    for t in (0.0, 0.3, 1.0):
        integral = 0.1 * t + 0.5 * 19.9 * t**2
        schedule, time = VariancePreserving(), torch.tensor(t)
        assert schedule.alpha(time).item() == pytest.approx(math.exp(-integral / 2), rel=1e-6)
        assert schedule.sigma(time).item() ** 2 == pytest.approx(1 - math.exp(-integral), rel=1e-6)


@every_schedule
def test_ends(schedule):
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    assert schedule.alpha(zero) == 1
    assert schedule.sigma(zero) == 0
    assert schedule.log_snr(zero) == torch.inf
    for value in (schedule.alpha(one), schedule.sigma(one), schedule.log_snr(one)):
        assert value.isfinite()
    assert schedule.alpha(one) > 0


@pytest.mark.parametrize("schedule", PRESERVING.values(), ids=PRESERVING.keys())
def test_variance_is_preserved(schedule):
    t = torch.linspace(0, 1, 3001)
    assert torch.allclose(
        schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones(3001, dtype=torch.float64), atol=1e-14
    )


@every_schedule
def test_time_inverts_log_snr(schedule):
    t = torch.cat([torch.logspace(-7, -1, 50, dtype=torch.float64), torch.linspace(0.1, 1, 1713, dtype=torch.float64)])
    # Exploding noise grows by a factor e^8.5 from sigma_min on, so that times near 0 are differences of logarithms.
    assert torch.allclose(schedule.time(schedule.log_snr(t)), t, rtol=1e-9, atol=1e-15)
    assert schedule.time(torch.tensor(torch.inf)) == 0


@every_schedule
def test_log_snr_falls_strictly_and_without_jumps(schedule):
    t = torch.linspace(1e-3, 1, 20_011, dtype=torch.float64)
    steps = schedule.log_snr(t).diff()
    assert (steps < 0).all()
    # At a last beta of 0.999 log-SNR falls by log(1000) within 1 / T, at low noise as -2 log(t); nowhere faster.
    assert steps.abs().max() < 7.5 * getattr(schedule, "steps", 0) / 20_011 + 0.15


@every_table
def test_between_two_points_log_snr_is_linear(schedule):
    t = paper_indices(schedule)
    middle = schedule.log_snr((t[:-1] + t[1:]) / 2)
    ends = schedule.log_snr(t)
    assert torch.allclose(middle, (ends[:-1] + ends[1:]) / 2, atol=1e-8)


@every_table
def test_below_the_first_point_the_variance_grows_linearly(schedule):
    part = torch.tensor([0.01, 0.25, 0.5, 1.0], dtype=torch.float64)
    variance = schedule.sigma(part / schedule.steps) ** 2
    assert torch.allclose(variance, part * schedule.betas()[0], rtol=1e-9)


@every_schedule
def test_shapes_and_precision(schedule):
    for name in ("alpha", "sigma", "log_snr"):
        for t in (torch.tensor(0.5), torch.tensor([0.25, 1.0]), torch.rand(2, 3)):
            value = getattr(schedule, name)(t)
            assert value.shape == t.shape
            assert value.dtype == torch.float64
            assert torch.equal(value, getattr(schedule, name)(t.double()))


@every_schedule
def test_drift_and_diffusion_have_the_schedule_as_their_marginals(schedule):
    """f = d log(alpha) / dt and g^2 = d sigma^2 / dt - 2 f sigma^2, by central differences, away from kinks."""
    steps, h = getattr(schedule, "steps", 97), 1e-6
    t = (torch.arange(1, steps, max(1, steps // 97), dtype=torch.float64) + 0.3) / steps
    drift = (schedule.alpha(t + h).log() - schedule.alpha(t - h).log()) / (2 * h)
    assert torch.allclose(schedule.drift(t), drift, rtol=1e-5, atol=1e-7)
    growth = (schedule.sigma(t + h) ** 2 - schedule.sigma(t - h) ** 2) / (2 * h)
    squared = growth - 2 * schedule.drift(t) * schedule.sigma(t) ** 2
    # At high noise the two terms of a table nearly cancel in the difference, not in the function.
    assert torch.allclose(schedule.diffusion(t) ** 2, squared, rtol=1e-5, atol=1e-6)


@every_table
def test_below_the_first_point_the_process_is_that_of_a_constant_beta(schedule):
    t, h = torch.tensor([0.25, 0.6], dtype=torch.float64) / schedule.steps, 1e-3 / schedule.steps
    growth = (schedule.sigma(t + h) ** 2 - schedule.sigma(t - h) ** 2) / (2 * h)
    assert torch.allclose(schedule.diffusion(t) ** 2, growth / (1 - schedule.sigma(t) ** 2), rtol=1e-8)
    zero = torch.tensor(0.0)
    assert schedule.diffusion(zero).item() ** 2 == pytest.approx(schedule.steps * schedule.betas()[0].item())


def test_sub_vp_is_that_of_song_et_al():
    schedule, vp, t = SubVariancePreserving(), VariancePreserving(), torch.linspace(0.01, 1, 50, dtype=torch.float64)
    assert torch.equal(schedule.alpha(t), vp.alpha(t))
    assert torch.allclose(schedule.sigma(t), vp.sigma(t) ** 2, rtol=1e-12)
    assert (schedule.sigma(t) < vp.sigma(t)).all()
    assert torch.allclose(schedule.diffusion(t) ** 2, vp.diffusion(t) ** 2 * (1 - vp.alpha(t) ** 4), rtol=1e-12)


def test_ve_is_that_of_song_et_al():
    schedule, t = VarianceExploding(), torch.tensor([1e-5, 0.5, 1.0], dtype=torch.float64)
    assert schedule.sigma(t).tolist() == pytest.approx([0.01 * 5000**1e-5, 0.5**0.5, 50.0])
    assert schedule.alpha(t).tolist() == [1, 1, 1]
    assert torch.allclose(schedule.diffusion(t), schedule.sigma(t) * (2 * math.log(5000)) ** 0.5)


def test_noise_that_does_not_explode_is_refused():
    with pytest.raises(ValueError, match=r"sigma_max must be larger than sigma_min, 2; got 1"):
        VarianceExploding(sigma_min=2, sigma_max=1)


@every_schedule
def test_a_step_between_any_two_times_is_the_marginals_own(schedule):
    """q(x_t | x_s) takes q(x_s) to q(x_t), and q(x_s | x_t, x_0) takes it back; also where variance is not kept."""
    batch, x0 = torch.zeros(1, 1, dtype=torch.float64), torch.tensor([[0.7]], dtype=torch.float64)
    for t, s in ((1.0, 0.5), (0.6, 0.599), (0.3, 1e-3), (0.2, 0.0)):
        t, s = torch.tensor(t, dtype=torch.float64), torch.tensor(s, dtype=torch.float64)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = (alpha_sigma(schedule, u, like=batch) for u in (t, s))
        scale, variance = transition(schedule, t, s, like=batch)
        assert torch.allclose(scale * alpha_s, alpha_t, rtol=1e-12)
        assert torch.allclose(scale**2 * sigma_s**2 + variance, sigma_t**2, rtol=1e-9)
        at_mean, beta_tilde = posterior(schedule, x0, alpha_t * x0, t, s)
        a_noise_on, _ = posterior(schedule, x0, alpha_t * x0 + sigma_t, t, s)
        assert torch.allclose(at_mean, alpha_s * x0, rtol=1e-9)
        assert torch.allclose((a_noise_on - at_mean) ** 2 + beta_tilde, sigma_s**2, rtol=1e-9, atol=1e-12)


def test_trap_17_solvers_end_where_the_process_permits():
    assert end_time(VariancePreserving()) == end_time(SubVariancePreserving()) == end_time(LinearBetas()) == 1e-3
    assert end_time(VarianceExploding()) == 1e-5
    assert end_time(CosineBetas(steps=50)) == 1 / 50
    assert end_time(CosineBetas(steps=4000)) == 1e-3


def test_every_schedule_keeps_its_protocol():
    assert all(isinstance(schedule, Schedule) for schedule in ALL.values())


def test_alpha_and_sigma_take_the_shape_and_dtype_of_the_batch():
    batch = torch.zeros(2, 3, 4, 4, dtype=torch.float32)
    for t, shape in ((torch.tensor(0.5), (1, 1, 1, 1)), (torch.tensor([0.5, 1.0]), (2, 1, 1, 1))):
        alpha, sigma = alpha_sigma(CosineBetas(), t, like=batch)
        assert alpha.shape == sigma.shape == shape
        assert alpha.dtype == sigma.dtype == torch.float32
