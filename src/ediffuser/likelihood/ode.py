"""Exact likelihood of a continuous model: the probability flow from a picture to noise, and the change of volume on it.

Bits per dimension are those of 8-bit pictures with uniform dequantisation: levels k become (k + u) / 128 - 1, a density
over [-1, 1], and every bin is 1 / 128 wide, hence the 7 bits that are added to the density's.

Source: Song et al. 2021, section 4.3 and appendix D.2.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Union

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.dynamics import clock, clock_time, clock_velocity
from ediffuser.diffusion.schedules import Schedule
from ediffuser.likelihood.levels import require_levels
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.solvers.adaptive import StepTooSmallError, adaptive_steps
from ediffuser.solvers.tableaux import RK45

BIN_BITS = 7.0
"""log2(128): from a density over [-1, 1] to the probability of one of 256 levels, per dimension (trap 18)."""


class Trace(Protocol):
    """How the divergence of the flow is found from products with its Jacobian."""

    def directions(self, x: Tensor, noise: Noise) -> Tensor:
        """What the Jacobian is multiplied with from both sides, shape (P, B, C, H, W)."""
        ...

    def estimates(self, products: Tensor) -> Tensor:
        """From products (P, B) to independent estimates of the trace, shape (E, B)."""
        ...


@component
class ExactTrace:
    """The sum over every unit vector; as many passes back as a picture has numbers, so only for small ones."""

    kind: Literal["exact"] = "exact"

    def directions(self, x: Tensor, noise: Noise) -> Tensor:
        """All unit vectors, shape (C H W, 1, C, H, W)."""
        size = x[0].numel()
        return torch.eye(size, dtype=x.dtype, device=x.device).reshape(size, 1, *x.shape[1:])

    def estimates(self, products: Tensor) -> Tensor:
        """Their sum, shape (1, B)."""
        return products.sum(0, keepdim=True)


@component
class Hutchinson:
    """Random vectors of unit covariance; unbiased, one pass back each.

    Attributes:
        probes: Number of vectors; with two or more the error is estimated too.
        distribution: "rademacher" (signs, the smaller variance) or "normal".
    """

    kind: Literal["hutchinson"] = "hutchinson"
    probes: int = Field(default=1, ge=1)
    distribution: Literal["rademacher", "normal"] = "rademacher"

    def directions(self, x: Tensor, noise: Noise) -> Tensor:
        """The same vectors along the whole way, shape (probes, B, C, H, W)."""
        z = torch.stack([noise.normal(x.shape[1:]) for _ in range(self.probes)]).to(x)
        return torch.where(z < 0, -1.0, 1.0).to(x) if self.distribution == "rademacher" else z

    def estimates(self, products: Tensor) -> Tensor:
        """One per vector, shape (probes, B)."""
        return products


AnyTrace = Annotated[Union[ExactTrace, Hutchinson], Field(discriminator="kind")]  # noqa: UP007
"""The union of all ways to a trace."""


@dataclass(frozen=True)
class Likelihood:
    """What is known of each picture's likelihood.

    Attributes:
        value: Bits per dimension, or nats of log density; float64, shape (B,).
        standard_error: Of that value, from the spread of several probes; 0 where exact, NaN for a single probe.
        calls: Calls of the denoiser, int64, shape (B,).
    """

    value: Tensor
    standard_error: Tensor
    calls: Tensor


def ode_bits_per_dim(
    denoiser: Denoiser,
    levels: Tensor,
    noise: Noise,
    *,
    trace: Trace | None = None,
    tolerance: float = 1e-5,
    t_end: float | None = None,
) -> Likelihood:
    """The negative log likelihood of 8-bit pictures under the probability flow, uniformly dequantised.

    Args:
        denoiser: What is believed.
        levels: Whole numbers 0 ... 255, shape (B, C, H, W).
        noise: Randomness, one stream per row: first of the dequantisation, then of the probes.
        trace: How the divergence is found; None is `Hutchinson()`.
        tolerance: Of the solver (RK45).
        t_end: Where the pictures enter the flow; None is 1e-5, or the first index of a discrete schedule.

    Returns:
        Bits per dimension.

    Raises:
        BadInputError: If the levels are none.
    """
    require_levels(levels)
    found = ode_log_density(denoiser, dequantised(levels, noise), noise, trace=trace, tolerance=tolerance, t_end=t_end)
    unit = levels[0].numel() * math.log(2)
    return Likelihood(BIN_BITS - found.value / unit, found.standard_error / unit, found.calls)


def dequantised(levels: Tensor, noise: Noise) -> Tensor:
    """(k + u) / 128 - 1 with u uniform in [0, 1), float32, shape of the levels."""
    return (levels + noise.uniform(levels.shape[1:])) / 128 - 1


def ode_log_density(
    denoiser: Denoiser,
    x: Tensor,
    noise: Noise,
    *,
    trace: Trace | None = None,
    tolerance: float = 1e-5,
    t_end: float | None = None,
) -> Likelihood:
    """The log density of pictures, log p(x(1)) plus the integral of the flow's divergence.

    Args:
        denoiser: What is believed.
        x: Pictures, taken as x(t_end), shape (B, C, H, W).
        noise: Randomness of the probes, one stream per row.
        trace: How the divergence is found; None is `Hutchinson()`.
        tolerance: Of the solver (RK45).
        t_end: Where the pictures enter the flow; None is 1e-5, or the first index of a discrete schedule.

    Returns:
        Nats.

    Raises:
        BadInputError: If the network's output is not finite, or too rough for the tolerance.

    Source: Song et al. 2021, eq. 39-40.
    """
    counting, trace = CountingDenoiser(denoiser), trace or Hutchinson()
    directions = trace.directions(x, noise)
    parts = len(trace.estimates(directions.flatten(2).sum(2)))
    start = torch.cat([x.double().flatten(1), x.new_zeros(len(x), parts, dtype=torch.float64)], dim=1)

    def field(u: Tensor, state: Tensor) -> Tensor:
        t = clock_time(denoiser.schedule, u)
        at = state[:, :-parts].to(x.dtype).reshape(x.shape)
        velocity, products = _velocity_and_products(counting, at, t, directions)
        return torch.cat([velocity.flatten(1), trace.estimates(products).T], dim=1).double()

    entry = _entry(denoiser.schedule) if t_end is None else t_end
    first, last = clock(denoiser.schedule, torch.tensor([entry, 1.0], dtype=torch.float64)).tolist()
    state = start
    try:
        for step in adaptive_steps(RK45, field, start, first, last, tolerance):
            counting.counted, state = step.running, step.y
    except StepTooSmallError as error:
        fault = f"the flow cannot be followed, {error}: the network's output is not finite, or tolerance too small"
        raise BadInputError(fault) from error
    estimates = _log_prior(denoiser.schedule, state[:, :-parts])[:, None] + state[:, -parts:]
    return Likelihood(estimates.mean(1), _standard_error(trace, estimates), counting.calls(len(x)))


def _velocity_and_products(denoiser: Denoiser, x: Tensor, t: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity, and d^T (d velocity / dx) d of each direction d, shape (P, B)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        velocity = clock_velocity(denoiser.schedule, denoiser(x, t), t)
        products = [(pulled * direction).flatten(1).sum(1) for direction, pulled in _pulled(velocity, x, directions)]
    return velocity.detach(), torch.stack(products)


def _pulled(velocity: Tensor, x: Tensor, directions: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for left, direction in enumerate(directions, start=1 - len(directions)):
        direction = direction.expand_as(x)
        (pulled,) = torch.autograd.grad(velocity, x, direction, retain_graph=left < 0)
        yield direction, pulled


def _log_prior(schedule: Schedule, x: Tensor) -> Tensor:
    """log N(x; 0, sigma(1)^2 I) in nats, shape (B,)."""
    sigma = float(schedule.sigma(torch.ones((), dtype=torch.float64)))
    size = x.shape[1]
    return -0.5 * (x / sigma).square().sum(1) - size * (math.log(sigma) + 0.5 * math.log(2 * math.pi))


def _standard_error(trace: Trace, estimates: Tensor) -> Tensor:
    if isinstance(trace, ExactTrace):
        return torch.zeros_like(estimates[:, 0])
    if estimates.shape[1] == 1:
        return torch.full_like(estimates[:, 0], torch.nan)
    return estimates.std(1) / estimates.shape[1] ** 0.5


def _entry(schedule: Schedule) -> float:
    """Trap 17: likelihood starts closer to the picture than sampling ends."""
    steps: int | None = getattr(schedule, "steps", None)
    return 1e-5 if steps is None else 1 / steps
