"""Where the probability flow really goes, and how fast a solver gets there, on every forward process."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ediffuser.diffusion.schedules import (
    CosineBetas,
    LinearBetas,
    SubVariancePreserving,
    VarianceExploding,
    VariancePreserving,
)
from oracles import GaussianDenoiser, GaussianMixtureDenoiser

SCHEDULES = {
    "linear": LinearBetas(),
    "cosine": CosineBetas(),
    "linear4000": LinearBetas(steps=4000),
    "vp": VariancePreserving(),
    "sub_vp": SubVariancePreserving(),
    "ve": VarianceExploding(),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


def carried(denoiser: GaussianDenoiser | GaussianMixtureDenoiser, x: Tensor, t: float, s: float) -> Tensor:
    """Where the exact flow takes x from t to s > 0, in closed form; a mixture must be of pictures of one number."""
    times = torch.tensor([t, s], dtype=torch.float64)
    if isinstance(denoiser, GaussianMixtureDenoiser):
        return _of_equal_rank(denoiser, x, *times)
    # The flow of a Gaussian scales each of its axes in proportion to the spread there.
    variances, axes = torch.linalg.eigh(denoiser.covariance)
    alpha, sigma = denoiser.schedule.alpha(times), denoiser.schedule.sigma(times)
    spread_t, spread_s = (alpha[:, None] ** 2 * variances + sigma[:, None] ** 2).sqrt()
    mean = denoiser.mean.flatten()
    centred = (x.flatten(1) - alpha[0] * mean) @ axes
    return (alpha[1] * mean + (spread_s / spread_t * centred) @ axes.T).reshape(x.shape)


def _of_equal_rank(humps: GaussianMixtureDenoiser, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """The y with F_s(y) = F_t(x), by bisection: in one dimension no flow line overtakes another."""
    wanted = humps.cumulative(x, t)
    low, high = torch.full_like(wanted, -1000.0), torch.full_like(wanted, 1000.0)
    for _ in range(64):
        middle = (low + high) / 2
        below = humps.cumulative(middle, s) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return ((low + high) / 2).reshape(x.shape)


def measured_order(error: Callable[[int], float], steps: int) -> float:
    """The slope of log error against log step, from `steps` and twice as many."""
    return float(np.log2(error(steps) / error(2 * steps)))
