import pytest
import torch
from torch import nn

from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.losses import InverseVariance, LikelihoodWeight, MinSnr, OwnTarget, simple_loss
from ediffuser.diffusion.prediction import target
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VariancePreserving,
    alpha_sigma,
)

T = torch.tensor([0.05, 0.3, 0.6, 0.95], dtype=torch.float64)
ROWS, SHAPE = len(T), (len(T), 3, 4, 4)
every_parametrisation = pytest.mark.parametrize("parametrisation", ["eps", "x0", "v"])


class Off(nn.Module):
    """Puts out the target plus a given error."""

    def __init__(self, schedule, parametrisation, x0, eps, error):
        super().__init__()
        self.right = target(parametrisation, x0, eps, *alpha_sigma(schedule, T, like=x0))
        self.error = nn.Parameter(error)

    def forward(self, x, time):
        return self.right + self.error


def case(parametrisation="eps", error=None, schedule=CosineBetas()):  # noqa: B008
    x0, eps = torch.randn(2, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)
    error = torch.full(SHAPE, 0.3, dtype=torch.float64) if error is None else error
    return NetworkDenoiser(Off(schedule, parametrisation, x0, eps, error), schedule, parametrisation), x0, eps


def varied_error():
    return torch.randn(*SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@every_parametrisation
def test_the_simple_loss_is_the_mean_squared_error_of_the_networks_own_target(parametrisation):
    denoiser, x0, eps = case(parametrisation, varied_error())
    for weighting in (None, OwnTarget()):
        loss = simple_loss(denoiser, x0, eps, T, weighting=weighting)
        assert loss.shape == (ROWS,)
        assert torch.allclose(loss, (varied_error() ** 2).mean((1, 2, 3)), rtol=1e-12)


def test_the_network_is_shown_the_noisy_picture():
    denoiser, x0, eps = case()
    shown = []
    denoiser.network.register_forward_hook(lambda module, inputs, output: shown.append(inputs[0]))
    simple_loss(denoiser, x0, eps, T)
    assert torch.allclose(shown[0], noised(denoiser.schedule, x0, eps, T))


def test_over_a_hole_it_is_the_sum_divided_by_area_times_channels():
    denoiser, x0, eps = case(error=varied_error())
    hole = (torch.rand(ROWS, 1, 4, 4, generator=torch.Generator().manual_seed(2)) < 0.4).double()
    loss = simple_loss(denoiser, x0, eps, T, hole)
    for row in range(ROWS):
        inside = varied_error()[row][:, hole[row, 0] == 1]
        assert loss[row].item() == pytest.approx(((inside**2).sum() / (hole[row].sum() * 3)).item(), rel=1e-12)


def test_a_constant_error_costs_the_same_whatever_the_size_of_the_hole():
    denoiser, x0, eps = case()
    hole = torch.zeros(ROWS, 1, 4, 4, dtype=torch.float64)
    for row, side in enumerate((1, 2, 3, 4)):
        hole[row, :, :side, :side] = 1
    assert torch.allclose(simple_loss(denoiser, x0, eps, T, hole), torch.full((ROWS,), 0.09, dtype=torch.float64))


def test_outside_the_hole_nothing_counts_and_an_empty_hole_costs_nothing():
    hole = torch.zeros(ROWS, 1, 4, 4, dtype=torch.float64)
    hole[1:, :, 0, 0] = 1
    denoiser, x0, eps = case(error=varied_error() * (1 - hole))
    assert simple_loss(denoiser, x0, eps, T, hole).abs().max() < 1e-20


@every_parametrisation
@pytest.mark.parametrize("schedule", [CosineBetas(), LinearBetas(), VariancePreserving()])
def test_min_snr_is_the_formula_of_hang_et_al(schedule, parametrisation):
    """Section 3.4: min(SNR, gamma) for x0, min(SNR, gamma) / SNR for eps, min(SNR, gamma) / (SNR + 1) for v."""
    denoiser, x0, eps = case(parametrisation, schedule=schedule)
    snr = (schedule.alpha(T) / schedule.sigma(T)) ** 2
    capped = snr.clamp(max=3.0)
    weight = {"x0": capped, "eps": capped / snr, "v": capped / (snr + 1)}[parametrisation]
    loss = simple_loss(denoiser, x0, eps, T, weighting=MinSnr(gamma=3.0))
    assert torch.allclose(loss, 0.09 * weight, rtol=1e-9)
    assert (snr.min() < 3) & (snr.max() > 3)


@every_parametrisation
def test_the_inverse_variance_weight_is_the_v_loss_down_to_its_bound(parametrisation):
    denoiser, x0, eps = case(parametrisation)
    sigma = denoiser.schedule.sigma(T)
    alpha = denoiser.schedule.alpha(T)
    on_x0 = 1 / sigma.clamp(min=0.5) ** 2
    factor = {"x0": torch.ones_like(sigma), "eps": (sigma / alpha) ** 2, "v": sigma**2}[parametrisation]
    loss = simple_loss(denoiser, x0, eps, T, weighting=InverseVariance(sigma_min=0.5))
    assert torch.allclose(loss, 0.09 * on_x0 * factor, rtol=1e-9)
    assert (sigma.min() < 0.5) & (sigma.max() > 0.5)


@every_parametrisation
@pytest.mark.parametrize("schedule", [LinearBetas(), VariancePreserving(), SubVariancePreserving()])
def test_the_likelihood_weight_is_g_squared_on_the_error_of_the_score(schedule, parametrisation):
    denoiser, x0, eps = case(parametrisation, schedule=schedule)
    alpha, sigma, g = schedule.alpha(T), schedule.sigma(T), schedule.diffusion(T)
    of_eps = {"x0": (alpha / sigma) ** 2, "eps": torch.ones_like(sigma), "v": (alpha / (alpha**2 + sigma**2)) ** 2}
    loss = simple_loss(denoiser, x0, eps, T, weighting=LikelihoodWeight())
    assert torch.allclose(loss, 0.09 * of_eps[parametrisation] * g**2 / sigma**2, rtol=1e-9)


@pytest.mark.parametrize("weighting", [OwnTarget(), MinSnr(), InverseVariance(), LikelihoodWeight()])
def test_gradient_flows_into_the_hole_and_nowhere_else(weighting):
    denoiser, x0, eps = case()
    hole = torch.zeros(ROWS, 1, 4, 4, dtype=torch.float64)
    hole[:, :, :2] = 1
    simple_loss(denoiser, x0, eps, T, hole, weighting).sum().backward()
    gradient = denoiser.network.error.grad
    assert (gradient[:, :, :2] != 0).all()
    assert (gradient[:, :, 2:] == 0).all()
