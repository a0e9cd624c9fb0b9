"""Final corrector: any sampler, and one last move along the score that takes its remaining noise away."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.schedules import end_time
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import ALMOST, Step
from ediffuser.samplers.correctors import AnyCorrector, Langevin
from ediffuser.samplers.probability_flow import ProbabilityFlow

if TYPE_CHECKING:
    from ediffuser.samplers import AnySampler


@component
class FinalCorrector:
    """Any sampler, and a corrector at the time where it ends (section 4.2.2.4 of the dissertation).

    A sampler that ends at t = 0 is corrected at the end time of its schedule, for at 0 there is no score. The mean of
    the last move is returned, without its noise.

    Attributes:
        sampler: What makes the picture.
        corrector: What moves it at the end.
    """

    kind: Literal["final_corrector"] = "final_corrector"
    sampler: "AnySampler" = ProbabilityFlow(denoise=False)
    corrector: AnyCorrector = Langevin()

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps of the wrapped sampler, then one of the corrector."""
        step = None
        for step in self.sampler.trajectory(denoiser, x, noise):
            yield Step(step.t, step.x, step.x0, step.calls, ALMOST * step.progress)
        if step is not None:
            yield self._last(denoiser, step, noise)

    def _last(self, denoiser: Denoiser, step: Step, noise: Noise) -> Step:
        counting = CountingDenoiser(denoiser)
        t = torch.where(step.t > 0, step.t.double(), end_time(denoiser.schedule))
        _, mean = self.corrector.correct(counting, step.x, t, 1.0, noise)
        return Step(step.t, mean, mean, step.calls + counting.calls(len(mean)), 1.0)
