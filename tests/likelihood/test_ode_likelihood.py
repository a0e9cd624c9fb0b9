"""On Gaussian data the exact likelihood is a closed form."""

import dataclasses
import math

import pytest
import torch

from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
    end_time,
)
from ediffuser.likelihood import ExactTrace, Hutchinson, dequantised, ode_bits_per_dim, ode_log_density
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from oracles import GaussianDenoiser, correlated_gaussian, mixture

SCHEDULES = [
    VariancePreserving(),
    SubVariancePreserving(),
    VarianceExploding(sigma_min=1e-3),
    LinearBetas(),
    CosineBetas(),
]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind)
ZERO = torch.tensor(1e-12, dtype=torch.float64)


def sigma_points(gaussian):
    """2 d pictures over which a quadratic has its mean over the Gaussian."""
    factor = torch.linalg.cholesky(gaussian.covariance) * gaussian.covariance.shape[0] ** 0.5
    return (gaussian.mean.flatten() + torch.cat([factor.T, -factor.T])).reshape(-1, *gaussian.mean.shape)


@every_schedule
def test_trap_15_the_nll_of_gaussian_data_is_their_entropy(schedule):
    """Traps 15 and 18: to 1e-3 bits/dim, the offset of 7 bits included."""
    gaussian = correlated_gaussian(schedule)
    x, unit = sigma_points(gaussian), 3 * math.log(2)
    entropy = 0.5 * torch.logdet(2 * math.pi * math.e * gaussian.covariance)
    found = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=ExactTrace())
    assert abs(-found.value.mean() - entropy) / unit < 1e-3
    # Of a single picture alpha(1) x_0, up to 0.01, is left at t = 1, where the prior knows nothing of it.
    assert ((found.value - gaussian.log_density(x, ZERO)).abs() / unit < 0.01).all()
    assert (found.standard_error == 0).all()
    assert (found.calls < 300).all()


def test_the_density_of_a_mixture():
    kinds = mixture(VariancePreserving())
    x = torch.randn(6, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.4
    found = ode_log_density(kinds, x, Noise.rows(0, range(6)), trace=ExactTrace())
    assert ((found.value - kinds.log_density(x, ZERO)).abs() < 0.01).all()


@pytest.mark.parametrize("distribution", ["rademacher", "normal"])
def test_hutchinsons_estimate_is_within_its_stated_error(distribution):
    gaussian = correlated_gaussian(VariancePreserving())
    x = sigma_points(gaussian)
    exact = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=ExactTrace(), tolerance=1e-4)
    trace = Hutchinson(probes=64, distribution=distribution)
    found = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=trace, tolerance=1e-4)
    deviations = (found.value - exact.value) / found.standard_error
    assert (found.standard_error > 0).all()
    assert deviations.abs().max() < 4
    assert deviations.square().mean() < 3


def test_rademacher_probes_are_exact_where_axes_do_not_mix_and_normal_ones_are_not():
    variances = torch.tensor([0.3, 0.1, 0.02], dtype=torch.float64)
    gaussian = GaussianDenoiser(torch.zeros(3, 1, 1, dtype=torch.float64), torch.diag(variances), VariancePreserving())
    x = sigma_points(gaussian)
    exact = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=ExactTrace()).value
    signs = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=Hutchinson(probes=2))
    assert torch.allclose(signs.value, exact, atol=1e-3)
    assert (signs.standard_error < 1e-9).all()
    normal = ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=Hutchinson(probes=2, distribution="normal"))
    assert (normal.standard_error > 1e-3).any()


def test_a_single_probe_states_no_error():
    gaussian = correlated_gaussian(VariancePreserving())
    found = ode_log_density(gaussian, sigma_points(gaussian), Noise.rows(0, range(6)), tolerance=1e-2)
    assert found.standard_error.isnan().all()


def test_trap_18_bits_per_dimension_of_8_bit_pictures():
    """7 bits more than the density of the dequantised levels has."""
    gaussian = correlated_gaussian(VariancePreserving())
    levels = torch.tensor([[170, 60, 140], [128, 128, 128]], dtype=torch.uint8).reshape(2, 3, 1, 1)
    found = ode_bits_per_dim(gaussian, levels, Noise.rows(5, range(2)), trace=ExactTrace())
    x = dequantised(levels, Noise.rows(5, range(2)))
    wanted = 7 - gaussian.log_density(x, ZERO) / (3 * math.log(2))
    assert ((found.value - wanted).abs() < 0.01).all()
    assert found.value.dtype == torch.float64


def test_trap_17_pictures_enter_the_flow_at_1e_5_where_sampling_ends_at_1e_3():
    gaussian = correlated_gaussian(VariancePreserving())
    x = sigma_points(gaussian)
    likelihood, early, late = (
        ode_log_density(gaussian, x, Noise.rows(0, range(6)), trace=ExactTrace(), t_end=end).value
        for end in (None, 1e-5, end_time(gaussian.schedule))
    )
    assert end_time(gaussian.schedule) == 1e-3
    assert torch.equal(likelihood, early)
    assert (likelihood - late).abs().max() > 1e-3


def test_dequantised_levels_fill_their_bins():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    x = dequantised(levels.expand(50, -1, -1, -1), Noise.rows(0, range(50)))
    assert torch.equal(((x + 1) * 128).floor().clamp(0, 255), levels.expand(50, -1, -1, -1).float())
    assert x.min() >= -1
    assert x.max() < 1


def test_trap_19_a_pictures_likelihood_does_not_depend_on_its_batch():
    kinds = mixture(VariancePreserving())
    x = torch.randn(3, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.4
    whole = ode_log_density(kinds, x, Noise.rows(0, range(3)), tolerance=1e-3)
    alone = ode_log_density(kinds, x[1:2], Noise.rows(0, [1]), tolerance=1e-3)
    assert torch.allclose(alone.value, whole.value[1:2], atol=1e-9)
    assert torch.equal(alone.calls, whole.calls[1:2])


def test_a_frozen_network_in_single_precision_will_do(random_denoiser):
    denoiser = random_denoiser(schedule=VariancePreserving(), time_input="continuous")
    levels = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = ode_bits_per_dim(denoiser, levels, Noise.rows(0, range(2)), trace=Hutchinson(probes=2), tolerance=0.3)
    assert found.value.isfinite().all()
    assert not found.value.requires_grad


def test_a_network_without_numbers_is_refused_with_a_sentence():
    class Broken(GaussianDenoiser):
        def __call__(self, x_t, t):
            prediction = super().__call__(x_t, t)
            return dataclasses.replace(prediction, x0=prediction.x0 * torch.nan)

    gaussian = correlated_gaussian(VariancePreserving())
    broken = Broken(gaussian.mean, gaussian.covariance, gaussian.schedule)
    with pytest.raises(BadInputError, match=r"cannot be followed, row 0 at t = .*: the network's output is not finite"):
        ode_log_density(broken, torch.zeros(1, 3, 1, 1), Noise.rows(0, [0]))
