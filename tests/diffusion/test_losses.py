import pytest
import torch
from torch import nn

from ediffuser.conditioning import bound
from ediffuser.diffusion.denoiser import NetworkDenoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.losses import (
    Hybrid,
    InverseVariance,
    LikelihoodWeight,
    MinSnr,
    OwnTarget,
    Simple,
    Vlb,
    simple_loss,
)
from ediffuser.diffusion.prediction import Prediction, target
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VariancePreserving,
    alpha_sigma,
)
from ediffuser.diffusion.variational import vlb_term
from ediffuser.runtime.noise import Noise
from ediffuser.tasks import Colorization, Inpainting
from ediffuser.tasks.masks import CentreBox

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


# ------------------------------------------------------------------------------------------ objectives


class OffWithVariance(nn.Module):
    """Puts out the target plus a given error, and a given v; times are indices."""

    def __init__(self, right, error, v):
        super().__init__()
        self.right, self.error, self.v = right, nn.Parameter(error), nn.Parameter(v)

    def forward(self, x, time):
        return torch.cat([self.right + self.error, self.v], dim=1)


def learned_case(schedule, index, parametrisation="eps", size=0.3):
    """A denoiser that learns its variance, one picture per index, its times among them."""
    t, shape = index.double() / schedule.steps, (len(index), 3, 4, 4)
    draws = torch.randn(4, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x0, eps, error, v = draws.unbind(0)
    x0 = ((x0.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    right = target(parametrisation, x0, eps, *alpha_sigma(schedule, t, like=x0))
    network = OffWithVariance(right, size * error, v)
    return NetworkDenoiser(network, schedule, parametrisation, learned_variance=True), x0, eps, t


def term_by_term(denoiser, x0, eps, t, weight=None):
    """The terms of the bound, each asked for by itself."""
    steps, terms = denoiser.schedule.steps, []
    prediction = denoiser(noised(denoiser.schedule, x0, eps, t), t)
    for row in range(len(t)):
        one = slice(row, row + 1)
        alpha, sigma = prediction.alpha[one], prediction.sigma[one]
        single = Prediction(prediction.x_t[one], alpha, sigma, prediction.x0[one])
        times = (t[one], t[one] - 1 / steps if t[row] * steps > 1.5 else torch.zeros(1), t[one] + 1 / steps)
        fraction, part = prediction.variance_fraction[one], None if weight is None else weight[one]
        terms.append(vlb_term(single, denoiser.schedule, x0[one], *times, fraction=fraction, clip=False, weight=part))
    return torch.cat(terms)


@every_parametrisation
def test_the_mean_of_vlb_over_all_indices_is_the_sum_of_the_terms(parametrisation):
    """So that over uniform times its expectation is the bound (without its prior)."""
    schedule = CosineBetas(steps=20)
    denoiser, x0, eps, t = learned_case(schedule, torch.arange(1, 21), parametrisation)
    losses = Vlb().losses(denoiser, x0, eps, t)
    terms = term_by_term(denoiser, x0, eps, t)
    assert torch.allclose(losses, 20 * terms, rtol=1e-9)
    assert losses.mean().item() == pytest.approx(terms.sum().item())


@pytest.mark.parametrize("schedule", [LinearBetas(), CosineBetas(steps=4000)], ids=["T=1000", "T=4000"])
def test_the_hybrid_loss_adds_the_vb_term_times_steps_over_1000(schedule):
    """Trap 13; the weighting is the simple loss's alone."""
    denoiser, x0, eps, t = learned_case(schedule, torch.tensor([1, 2, 500, schedule.steps]))
    hole = torch.zeros(4, 1, 4, 4, dtype=torch.float64)
    hole[:, :, 1:, :2] = 1
    for weight in (None, hole):
        for weighting in (None, MinSnr()):
            simple = Simple().losses(denoiser, x0, eps, t, weight, weighting)
            assert torch.equal(simple, simple_loss(denoiser, x0, eps, t, weight, weighting))
            hybrid = Hybrid().losses(denoiser, x0, eps, t, weight, weighting)
            vb = term_by_term(denoiser, x0, eps, t, weight)
            assert torch.allclose(hybrid, simple + schedule.steps / 1000 * vb, rtol=1e-9)


@pytest.mark.parametrize("objective", [Simple(), Hybrid(), Vlb()], ids=lambda objective: objective.kind)
def test_a_loss_is_the_total_of_its_parts(objective):
    """The parts are what the single objectives give, so that a dashboard shows both of a hybrid loss."""
    denoiser, x0, eps, t = learned_case(CosineBetas(), torch.tensor([1, 2, 500, 1000]))
    parts = objective.parts(denoiser, x0, eps, t)
    alone = {"simple": Simple(), "vlb": Vlb()}
    assert parts.keys() == ({objective.kind} if objective.kind in alone else {"simple", "vlb"})
    for name, part in parts.items():
        assert torch.equal(part, alone[name].losses(denoiser, x0, eps, t))
    assert torch.equal(objective.total(parts), objective.losses(denoiser, x0, eps, t))


@every_parametrisation
def test_the_mean_is_detached_in_the_vb_term_of_the_hybrid_loss(parametrisation):
    """Trap 13: what puts out the mean gets the gradient of the simple loss, bit for bit; v gets that of the bound."""
    denoiser, x0, eps, t = learned_case(CosineBetas(), torch.tensor([1, 2, 500, 1000]), parametrisation)
    parts = [denoiser.network.error, denoiser.network.v]
    simple = torch.autograd.grad(Simple().losses(denoiser, x0, eps, t).sum(), parts[0])
    of_mean, of_v = torch.autograd.grad(Hybrid().losses(denoiser, x0, eps, t).sum(), parts)
    vlb_of_mean, vlb_of_v = torch.autograd.grad(Vlb().losses(denoiser, x0, eps, t).sum(), parts)
    assert torch.equal(of_mean, simple[0])
    assert (vlb_of_mean[1:] != 0).all()  # in the last step a mean beyond black or white is right
    assert torch.allclose(of_v, 0.001 * vlb_of_v, rtol=1e-12)
    assert (of_v[1:] != 0).all()


def test_the_variance_is_taught_to_fit_the_error():
    """Where eps is right v falls to beta-tilde, where it is far off v rises."""
    for size, sign in ((0.0, 1), (30.0, -1)):
        denoiser, x0, eps, t = learned_case(CosineBetas(), torch.tensor([2, 3, 4]), size=size)
        (of_v,) = torch.autograd.grad(Hybrid().losses(denoiser, x0, eps, t).sum(), [denoiser.network.v])
        inside = (denoiser.network.v > -1) & (denoiser.network.v < 1)
        assert (of_v[inside] * sign > 0).float().mean() > 0.95


@pytest.mark.parametrize("objective", [Hybrid(), Vlb()])
def test_no_clipping_in_training(objective):
    """Trap 12: an x_0 far outside [-1, 1] still has a gradient."""
    denoiser, x0, eps, t = learned_case(CosineBetas(), torch.tensor([900, 990]), size=30.0)
    x_0 = denoiser(noised(denoiser.schedule, x0, eps, t), t).x0
    gradient = torch.autograd.grad(objective.losses(denoiser, x0, eps, t).sum(), denoiser.network.error)[0]
    assert (x_0.abs() > 1).float().mean() > 0.9
    assert (gradient != 0).all()


@pytest.mark.parametrize("objective", [Hybrid(), Vlb()])
def test_outside_the_hole_no_objective_looks(objective):
    denoiser, x0, eps, t = learned_case(CosineBetas(), torch.tensor([1, 2, 500, 1000]))
    hole = torch.zeros(4, 1, 4, 4, dtype=torch.float64)
    hole[:, :, :2] = 1
    objective.losses(denoiser, x0, eps, t, hole).sum().backward()
    for part in (denoiser.network.error, denoiser.network.v):
        assert (part.grad[:3, :, :2] != 0).all()
        assert (part.grad[:, :, 2:] == 0).all()


@pytest.mark.parametrize("task", [Inpainting(holes=CentreBox()), Colorization()], ids=lambda task: task.kind)
def test_the_bound_of_a_task_is_that_of_the_denoiser_that_samples(task):
    """What is known is put back into the expected x_0: there mean and truth are one."""
    network, x0, eps, t = learned_case(CosineBetas(), torch.tensor([2, 300, 900]), "x0")
    denoiser = bound(network, task.observe(x0, Noise.rows(0, range(3))))
    losses = Vlb().losses(denoiser, x0, eps, t)
    assert torch.allclose(losses, 1000 * term_by_term(denoiser, x0, eps, t), rtol=1e-9)
    assert (losses < Vlb().losses(network, x0, eps, t)).all()


def test_the_bound_needs_steps_and_a_learned_variance():
    denoiser, x0, eps = case()
    for objective in (Hybrid(), Vlb()):
        with pytest.raises(ValueError, match="discrete schedule, by a network that learns its variance"):
            objective.losses(denoiser, x0, eps, T)
