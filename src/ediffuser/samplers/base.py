"""What a sampler is: a frozen component whose trajectory is iterated over. No callbacks, no progress bar in here."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, runtime_checkable

from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.respacing import trailing_times as trailing_times
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.noise import Noise


@dataclass(frozen=True)
class Step:
    """Where a trajectory stands.

    Attributes:
        t: Time reached, in [0, 1], shape () or (B,).
        x: The state at t, shape (B, C, H, W).
        x0: The clean picture expected there, for previews; shape (B, C, H, W).
        calls: Calls of the denoiser so far, int64, shape (B,).
        progress: Part of the work done, monotone in [0, 1].
    """

    t: Tensor
    x: Tensor
    x0: Tensor
    calls: Tensor
    progress: float


ALMOST = 0.99
"""Progress when only a last correction is left to do; 1 is the last step's alone."""


@runtime_checkable
class Sampler(Protocol):
    """A way from noise to a picture."""

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from x = sigma(1) times noise to the picture; the last step holds it.

        Args:
            denoiser: What is believed at each x_t.
            x: The start, shape (B, C, H, W).
            noise: Randomness, one stream per row.
        """
        ...


@runtime_checkable
class StepSampler(Sampler, Protocol):
    """A sampler that is a Markov kernel on a fixed grid, and can therefore be wrapped."""

    def times(self, schedule: Schedule) -> Tensor:
        """The grid from 1 down to 0, float64, shape (S + 1,)."""
        ...

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """x_s for s < t, and the belief it came from."""
        ...


def walk(sampler: StepSampler, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
    """The trajectory of a step sampler: one step after the other down its grid."""
    counting = CountingDenoiser(denoiser)
    times = sampler.times(denoiser.schedule)
    for done, (t, s) in enumerate(pairwise(times), start=1):
        x, prediction = sampler.step(counting, x, t, s, noise)
        yield Step(s, x, prediction.x0, counting.calls(len(x)), done / (len(times) - 1))


def clipped(prediction: Prediction) -> Prediction:
    """The belief with its x_0 clipped to [-1, 1]; its eps is then another one."""
    return replace(prediction, x0=prediction.x0.clamp(-1, 1))


@dataclass(frozen=True)
class ClippingDenoiser:
    """A denoiser whose x_0 is clipped to [-1, 1]."""

    denoiser: Denoiser

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The wrapped denoiser's belief, clipped."""
        return clipped(self.denoiser(x_t, t))
