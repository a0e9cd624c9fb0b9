"""Bits per dimension of a model on held-out pictures, and of which dimensions.

A discrete model is bounded by its variational bound, a continuous one is measured exactly by the probability flow. A
model that was trained to be given a part of the picture has the likelihood of the rest, and of that alone:

- Inpainting: of the numbers in the hole, given the pixels outside it, by either way.
- Colorization by the flow: of the two numbers of each pixel that its luma leaves open, in orthonormal coordinates. By
  the chain rule -log p(picture) = -log p(luma) - log p(chroma | luma), with 7 bits for each of the 1 + 2 numbers.
- Colorization by the bound: of all three numbers of each pixel. The bound is one on 8-bit levels, and a plane through
  them has no levels of its own; its last term, the decoder, pays for the luma as if it were not known. So the two
  likelihoods of a colorizer do not compare with each other, and neither compares with an unconditional model's.

Source: the dissertation's 4.1.3; Ho et al. 2020, eq. 5; Song et al. 2021, section 4.3.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ediffuser.conditioning.concat import bound
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.reverse_variance import ReverseVariance
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.likelihood import BIN_BITS, Trace, dequantised, ode_bits_per_dim, ode_log_density, vlb_bits_per_dim
from ediffuser.likelihood.levels import require_levels
from ediffuser.model import Model
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8
from ediffuser.tasks import Inpainting, Unconditional
from ediffuser.tasks.observation import Observation

Way = Literal["vlb", "ode"]

COUNTED: Mapping[tuple[str, Way], str] = {
    ("unconditional", "vlb"): "every number of a picture",
    ("unconditional", "ode"): "every number of a picture",
    ("inpainting", "vlb"): "the numbers in the hole, given the pixels outside it",
    ("inpainting", "ode"): "the numbers in the hole, given the pixels outside it",
    ("colorization", "vlb"): "all three numbers of each pixel, given its luma",
    ("colorization", "ode"): "the two numbers of each pixel that its luma leaves open",
}
"""What is counted, by the model's task and the way."""

TOLERANCE = 1e-5
"""Of the flow's solver."""


@dataclass(frozen=True)
class BitsPerDim:
    """The negative log likelihood of each picture, lower is better.

    Attributes:
        value: Bits per counted dimension, float64, shape (B,); a bound by "vlb", exact but for the solver by "ode".
        dimensions: How many numbers of each picture are counted, int64, shape (B,).
        calls: Calls of the denoiser, int64, shape (B,).
        way: How it was found.
        counted: Which numbers are counted, in words to print next to the figure.
    """

    value: Tensor
    dimensions: Tensor
    calls: Tensor
    way: Way
    counted: str


def natural_way(model: Model) -> Way:
    """The bound for a model of discrete steps, the flow for one of continuous time."""
    return "vlb" if hasattr(model.config.schedule, "steps") else "ode"


def bits_per_dim(
    model: Model,
    levels: Tensor,
    keys: Sequence[tuple[int, int]],
    holes: Tensor | None = None,
    way: Way | None = None,
    *,
    steps: int | None = None,
    variance: ReverseVariance = "auto",
    clip: bool = True,
    trace: Trace | None = None,
    tolerance: float = TOLERANCE,
) -> BitsPerDim:
    """The likelihood of pictures under a model, or of that part of them which it is not given.

    It is computed in float32 whatever the model's precision: at low noise a bf16 error of eps is bits.

    Args:
        model: What is measured.
        levels: Whole numbers 0 ... 255, shape (B, C, H, W) of the model.
        keys: (seed, index) of each row's noise.
        holes: For a model trained to inpaint, where it paints: 0 or 1, shape (B, 1, H, W), no hole empty; else None.
        way: None is `natural_way(model)`.
        steps: Of the bound; None takes every step the model was trained on.
        variance: Of the bound's reverse steps.
        clip: Whether the bound's expected x_0 is clipped.
        trace: Of the flow; None is one Hutchinson probe.
        tolerance: Of the flow's solver.

    Raises:
        BadInputError: If levels or holes do not fit the model, holes are missing or one too many, or the bound is asked
            of a model of continuous time without `steps`.

    Source: the dissertation's 4.1.3.
    """
    _require_fit(model, levels, holes)
    way = way or natural_way(model)
    levels, noise = levels.to(model.device), Noise(keys, model.device)
    denoiser, task = model.config.denoiser(model.network), model.config.task
    counted = COUNTED[task.kind, way]
    x = from_uint8(levels) if way == "vlb" or isinstance(task, Inpainting) else dequantised(levels, noise)
    observation = task.observe(x, noise, None if holes is None else holes.to(x))
    known = bound(denoiser, observation)
    if way == "vlb":
        found = vlb_bits_per_dim(
            known, levels, noise, steps=steps, variance=variance, clip=clip, weight=observation.weight
        )
        every = torch.ones_like(x) if observation.weight is None else observation.weight.expand_as(x)
        return _answer(found.total, every.flatten(1).sum(1), found.calls, way, counted)
    if isinstance(task, Unconditional):
        fresh = Noise(keys, model.device)
        found = ode_bits_per_dim(known, levels, fresh, trace=trace, tolerance=tolerance)
        return _answer(found.value, torch.full((len(x),), x[0].numel()), found.calls, way, counted)
    x = dequantised(levels, noise) if isinstance(task, Inpainting) else x
    nats, calls = free_log_density(known, observation, x, noise, trace=trace, tolerance=tolerance)
    free = free_numbers(observation, x)
    return _answer(BIN_BITS - nats / (free * math.log(2)), free, calls, way, counted)


def free_log_density(
    denoiser: Denoiser,
    observation: Observation,
    x: Tensor,
    noise: Noise,
    *,
    trace: Trace | None = None,
    tolerance: float = 1e-5,
    t_end: float | None = None,
) -> tuple[Tensor, Tensor]:
    """log p((1 - P) x | P x) of the probability flow, P the observation's projection.

    The known part of x_t has noise of its own, P eps. A perfect denoiser does not look at it; of another this is the
    density given P eps too, and the mean of -log p over eps bounds the one without from above (Jensen).

    Args:
        denoiser: What is believed, the observation bound.
        observation: What is known.
        x: Pictures, shape (B, C, H, W); only (1 - P) x is looked at.
        noise: One stream per row: first of eps, then of the probes.
        trace: How the divergence is found; None is one Hutchinson probe.
        tolerance: Of the solver.
        t_end: Where the pictures enter the flow; None is that of `ode_log_density`.

    Returns:
        Nats over the coordinates that are free, float64, shape (B,); and the calls of the denoiser, int64, shape (B,).
    """
    free = FreeDenoiser(denoiser, observation, noise.normal(x.shape[1:]).to(x))
    start = x - observation.project(x)
    found = ode_log_density(free, start, noise, trace=trace, tolerance=tolerance, t_end=t_end)
    # The flow leaves P x = 0 there, and the prior of all coordinates counted those zeros.
    zeros = x[0].numel() - free_numbers(observation, x).to(found.value)
    sigma = float(denoiser.schedule.sigma(torch.ones((), dtype=torch.float64)))
    return found.value + zeros * (math.log(sigma) + 0.5 * math.log(2 * math.pi)), found.calls


@dataclass(frozen=True)
class FreeDenoiser:
    """A denoiser seen from the space where nothing is known, (1 - P) x_t to (1 - P) x_0.

    The wrapped one is shown the known part at its own noise level, alpha P x_0 + sigma P eps, as in sampling.
    """

    denoiser: Denoiser
    observation: Observation
    eps: Tensor

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The free part of the wrapped denoiser's belief; what x_t is in the known space plays no part."""
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        prediction = self.denoiser(self.observation.keep_noised(x_t, alpha, sigma, self.eps), t)
        return Prediction(self._free(x_t), alpha, sigma, self._free(prediction.x0))

    def _free(self, x: Tensor) -> Tensor:
        return x - self.observation.project(x)


def free_numbers(observation: Observation, like: Tensor) -> Tensor:
    """How many coordinates of a picture (B, C, H, W) are not known: the trace of 1 - P, int64, shape (B,).

    Every task's P acts on each pixel alone, so the trace is read off one channel of ones after the other.
    """
    known = torch.zeros(len(like), dtype=torch.float64, device=like.device)
    for channel in range(like.shape[1]):
        ones = torch.zeros_like(like, dtype=torch.float64)
        ones[:, channel] = 1
        known += observation.project(ones)[:, channel].flatten(1).sum(1)
    return like[0].numel() - known.round().long()


def _answer(value: Tensor, dimensions: Tensor, calls: Tensor, way: Way, counted: str) -> BitsPerDim:
    return BitsPerDim(value.double().cpu(), dimensions.round().long().cpu(), calls.cpu(), way, counted)


def _require_fit(model: Model, levels: Tensor, holes: Tensor | None) -> None:
    require_levels(levels)
    shape = (len(levels), *model.shape)
    if levels.shape != shape:
        raise BadInputError(f"levels must have the model's shape {shape}, got {tuple(levels.shape)}")
    task = model.config.task
    if holes is None and isinstance(task, Inpainting):
        raise BadInputError("the likelihood of a model trained for inpainting is that of holes: give `holes`")
    if holes is None:
        return
    if not isinstance(task, Inpainting):
        raise BadInputError(f"this model was trained for {task.kind} and has no likelihood of a hole: leave holes out")
    of_levels = (len(levels), 1, *levels.shape[2:])
    if holes.shape != of_levels or not ((holes == 0) | (holes == 1)).all():
        raise BadInputError(f"holes must be 0 or 1 with shape {of_levels}, got shape {tuple(holes.shape)}")
    if (holes.flatten(1).sum(1) == 0).any():
        raise BadInputError("a picture without a hole has no likelihood per dimension: give no empty hole")
