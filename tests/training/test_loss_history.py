"""Trap 14: importance-sampled times are uniform until they know enough, unbiased, and part of the run's state."""

import pytest
import torch

from ediffuser.diffusion.schedules import CosineBetas, LinearBetas, VariancePreserving
from ediffuser.training.history import LossHistory
from ediffuser.training.times import LossAwareTimes, UniformTimes


def filled(steps=8, kept=3, share=0.001, size=lambda i: float(i)):
    """A history whose losses at index i are all size(i)."""
    history = LossHistory(LossAwareTimes(kept=kept, uniform_share=share), LinearBetas(steps=steps))
    i = torch.arange(1, steps + 1).double()
    for _ in range(kept):
        history.remember(i / steps, torch.tensor([size(index) for index in range(1, steps + 1)]))
    return history


def test_times_are_uniform_until_every_history_is_full():
    """Trap 14, first part."""
    steps, kept = 7, 10
    history = LossHistory(LossAwareTimes(), CosineBetas(steps=steps))
    uniform = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    i = torch.arange(1, steps + 1).double()
    for _ in range(kept):
        history.remember(i[1:] / steps, i[1:] ** 3)
    for _ in range(kept - 1):
        history.remember(i[:1] / steps, i[:1])
        # 1 / T, but for the grid of the uniform numbers.
        assert torch.allclose(history.probabilities(), torch.full((steps,), 1 / steps).double(), rtol=1e-6)
        assert torch.equal(history.times(uniform), UniformTimes().times(uniform, CosineBetas(steps=steps)))
        assert torch.allclose(history.weights(i / steps), torch.ones(steps).double(), rtol=1e-6)
    history.remember(i[:1] / steps, i[:1])
    assert history.probabilities()[0] < 1 / steps < history.probabilities()[-1]


def test_then_they_follow_the_root_mean_square_of_the_last_losses():
    """Eq. 18, with a uniform share of 0.001."""
    history = LossHistory(LossAwareTimes(kept=2), LinearBetas(steps=2))
    half, one = torch.tensor([0.5]), torch.tensor([1.0])
    for loss in (900.0, 3.0, 4.0):  # the first is forgotten
        history.remember(half, torch.tensor([loss]))
    for loss in (-900.0, 700.0, 0.0, 1.0):
        history.remember(one, torch.tensor([loss]))
    rms = torch.tensor([12.5**0.5, 0.5**0.5], dtype=torch.float64)
    wanted = 0.999 * rms / rms.sum() + 0.001 / 2
    assert torch.allclose(history.probabilities(), wanted, atol=1e-7)
    assert history.counts.tolist() == [3, 4]


def test_an_index_without_loss_keeps_its_uniform_share():
    history = filled(steps=4, size=lambda i: 0.0 if i == 2 else 1.0)
    assert history.probabilities()[1].item() == pytest.approx(0.001 / 4, rel=1e-3)


def test_the_probabilities_are_exactly_those_of_the_draws():
    """Over every uniform number that float32 has: so the weights are right to the last digit."""
    history = filled(steps=5, size=lambda i: 10.0 ** (2 * i))
    counts = torch.zeros(6, dtype=torch.int64)
    for part in torch.arange(2**24).split(2**22):
        counts += torch.bincount((history.times(part / 2**24) * 5).round().long(), minlength=6)
    assert torch.equal(counts[1:].double() / 2**24, history.probabilities())
    assert counts[1] > 0.0001 * 2**24


@pytest.mark.parametrize("steps", [5, 1000, 4000])
def test_the_weights_keep_the_mean_loss_unbiased(steps):
    """Trap 14: sum of p(t) L(t) / (T p(t)) is the plain mean over t, whatever L is."""
    history = filled(steps=steps, kept=1, size=lambda i: 1 / i**2)
    t = torch.arange(1, steps + 1).double() / steps
    losses = torch.randn(steps, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p, weights = history.probabilities(), history.weights(t)
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert (p > 0).all()
    assert p.max() / p.min() > 20
    assert (p * weights * losses).sum().item() == pytest.approx(losses.mean().item(), rel=1e-9)


def test_the_weighted_loss_varies_less_than_with_uniform_times():
    """What it is for: losses that differ by orders of magnitude."""
    history = filled(steps=100, size=lambda i: 1000 / i**2)
    losses, t = 1000 / torch.arange(1, 101).double() ** 2, torch.arange(1, 101).double() / 100
    second = (history.probabilities() * (history.weights(t) * losses) ** 2).sum()
    assert second - losses.mean() ** 2 < 0.01 * losses.var()


def test_a_batch_that_comes_in_parts_is_remembered_as_a_whole_one():
    t = torch.randint(1, 5, (60,), generator=torch.Generator().manual_seed(0)) / 4
    losses = torch.rand(60, generator=torch.Generator().manual_seed(1))
    whole, parts = (LossHistory(LossAwareTimes(kept=4), LinearBetas(steps=4)) for _ in range(2))
    whole.remember(t, losses)
    for times, found in zip(t.split(7), losses.split(7), strict=True):
        parts.remember(times, found)
    assert torch.equal(whole.losses, parts.losses)
    assert torch.equal(whole.probabilities(), parts.probabilities())


def test_a_history_can_be_taken_up_where_it_was_left():
    first, second = filled(), LossHistory(LossAwareTimes(kept=3), LinearBetas(steps=8))
    second.load({name: tensor.clone() for name, tensor in first.tensors().items()})
    for history in (first, second):
        history.remember(torch.tensor([0.25, 0.25]), torch.tensor([7.0, 8.0]))
    assert torch.equal(first.losses, second.losses)
    with pytest.raises(RuntimeError, match="losses"):
        second.load(LossHistory(LossAwareTimes(kept=4), LinearBetas(steps=8)).tensors())
    with pytest.raises(KeyError, match="counts"):
        second.load({"losses": first.losses})


def test_there_is_no_history_of_continuous_time():
    with pytest.raises(ValueError, match="continuous"):
        LossHistory(LossAwareTimes(), VariancePreserving())
