import pytest
import torch
from torch import nn

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser, NetworkDenoiser, network_time
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.prediction import Prediction, decode, target, x0_error_factor
from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
    alpha_sigma,
)

SCHEDULES = {
    "linear": LinearBetas(),
    "cosine": CosineBetas(),
    "linear4000": LinearBetas(steps=4000),
    "continuous": VariancePreserving(),
    "sub_vp": SubVariancePreserving(),
    "ve": VarianceExploding(),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
every_parametrisation = pytest.mark.parametrize("parametrisation", ["eps", "x0", "v"])


def times(schedule):
    """All indices of a table, as many times between 1e-3 and 1 where time is continuous."""
    if not hasattr(schedule, "steps"):
        return torch.linspace(1e-3, 1, 1000, dtype=torch.float64)
    return torch.arange(1, schedule.steps + 1, dtype=torch.float64) / schedule.steps


def pictures(rows):
    return torch.randn(2, rows, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)


@every_parametrisation
@every_schedule
def test_decoding_the_target_gives_the_picture(schedule, parametrisation):
    t = times(schedule)
    x0, eps = pictures(len(t))
    alpha, sigma = alpha_sigma(schedule, t, like=x0)
    x_t = noised(schedule, x0, eps, t)
    output = target(parametrisation, x0, eps, alpha, sigma)
    assert torch.allclose(decode(parametrisation, output, x_t, alpha, sigma), x0, rtol=0, atol=1e-10)


@every_schedule
def test_the_views_of_a_belief_invert_each_other(schedule):
    t = times(schedule)
    x0, eps = pictures(len(t))
    x_t = noised(schedule, x0, eps, t)
    alpha, sigma = alpha_sigma(schedule, t, like=x0)
    belief = Prediction(x_t, alpha, sigma, x0)
    assert torch.allclose(belief.eps, eps, atol=1e-11)
    assert torch.allclose(belief.v, alpha * eps - sigma * x0, atol=1e-11)
    assert torch.allclose(belief.score, -(x_t - alpha * x0) / sigma**2, rtol=1e-12)
    for view in ("eps", "v", "x0"):
        assert torch.allclose(decode(view, getattr(belief, view), x_t, alpha, sigma), x0, rtol=0, atol=1e-10)
    assert torch.allclose((x_t + sigma**2 * belief.score) / alpha, x0, rtol=0, atol=1e-10)  # Tweedie


@every_parametrisation
def test_the_error_of_the_picture_follows_from_the_error_of_the_output(parametrisation):
    schedule, t = CosineBetas(), torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    x0, eps = pictures(len(t))
    alpha, sigma = alpha_sigma(schedule, t, like=x0)
    wrong = target(parametrisation, x0, eps, alpha, sigma) + 0.1
    error = decode(parametrisation, wrong, noised(schedule, x0, eps, t), alpha, sigma) - x0
    assert torch.allclose(error**2, 0.01 * x0_error_factor(parametrisation, alpha, sigma).expand_as(x0), rtol=1e-8)


def test_published_networks_are_fed_the_index_minus_one():
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    assert torch.equal(network_time("index", LinearBetas(), t), torch.arange(1000.0))
    assert torch.equal(network_time("rescaled_index", LinearBetas(), t), torch.arange(1000.0))
    t = torch.arange(1, 4001, dtype=torch.float64) / 4000
    assert torch.equal(network_time("index", LinearBetas(steps=4000), t), torch.arange(4000.0))


def test_trap_8_a_network_of_4000_steps_is_fed_quarters_of_an_index():
    t = torch.arange(1, 4001, dtype=torch.float64) / 4000
    assert torch.equal(network_time("rescaled_index", LinearBetas(steps=4000), t), torch.arange(4000) / 4)


def test_trap_16_continuous_time_is_fed_as_999_t_and_never_truncated():
    t = torch.tensor([0.5, 0.0123456789, 1.0], dtype=torch.float64)
    fed = network_time("continuous", VariancePreserving(), t)
    assert fed.tolist() == pytest.approx([499.5, 12.3333332211, 999], rel=1e-7)
    for kind, scale in (("index", 4000), ("rescaled_index", 1000)):  # a solver asks a table between its indices too
        fed = network_time(kind, LinearBetas(steps=4000), t)
        assert fed.tolist() == pytest.approx(((t - 1 / 4000) * scale).tolist(), rel=1e-7)


class Recording(nn.Module):
    """Puts out what it is told, and remembers what it was shown."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x, time):
        self.shown, self.time = x, time
        return torch.cat([output.expand(len(x), 3, 2, 2) for output in self.outputs], dim=1)


@every_parametrisation
def test_a_network_denoiser_decodes_what_its_network_was_trained_on(parametrisation):
    schedule, t = LinearBetas(), torch.tensor([0.2, 0.7])
    x0, eps = (value.float() for value in pictures(2))
    alpha, sigma = alpha_sigma(schedule, t, like=x0)
    network = Recording(target(parametrisation, x0, eps, alpha, sigma))
    x_t = noised(schedule, x0, eps, t)
    belief = NetworkDenoiser(network, schedule, parametrisation)(x_t, t)
    assert torch.allclose(belief.x0, x0, atol=1e-5)
    assert belief.variance_fraction is None
    assert torch.equal(network.shown, x_t)
    assert network.time.tolist() == [199, 699]
    assert isinstance(NetworkDenoiser(network, schedule), Denoiser)


def test_a_learned_variance_is_a_fraction_of_the_way_from_beta_tilde_to_beta():
    network = Recording(torch.zeros(1, 3, 1, 1), torch.tensor([-1.0, 0.0, 1.2]).reshape(1, 3, 1, 1))
    belief = NetworkDenoiser(network, LinearBetas(), "x0", learned_variance=True)(
        torch.zeros(2, 3, 2, 2), torch.tensor(0.5)
    )
    assert belief.x0.shape == (2, 3, 2, 2)
    assert belief.variance_fraction[1, :, 0, 0].tolist() == pytest.approx([0, 0.5, 1.1])


def test_a_bound_condition_comes_after_the_picture():
    network, condition = Recording(torch.zeros(1, 3, 1, 1)), torch.ones(2, 4, 2, 2)
    free = NetworkDenoiser(network, LinearBetas(), "x0")
    bound = free.given(condition)
    bound(torch.zeros(2, 3, 2, 2), torch.tensor(0.5))
    assert network.shown.mean((0, 2, 3)).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert free.condition is None


def test_calls_are_counted_row_by_row():
    counting = CountingDenoiser(NetworkDenoiser(Recording(torch.zeros(1, 3, 1, 1)), LinearBetas()))
    assert counting.calls(2).tolist() == [0, 0]
    first = counting.calls(2)
    for _ in range(3):
        counting(torch.zeros(2, 3, 2, 2), torch.tensor(0.5))
    assert counting.calls(2).tolist() == [3, 3]
    assert first.tolist() == [0, 0]
    assert counting.schedule == LinearBetas()
