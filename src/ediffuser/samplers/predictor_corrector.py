"""Predictor-corrector: the reverse-time SDE in many small steps, each with moves that mend its error."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.forward import transition
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import ClippingDenoiser, Step, trailing_times, walk
from ediffuser.samplers.correctors import AnyCorrector, NoCorrector
from ediffuser.samplers.predictors import AnyPredictor, ReverseDiffusion


@component
class PredictorCorrector:
    """The samplers of Song et al. 2021, algorithm 1 (the dissertation's Algorithm 7), any pair of the two.

    At each time the corrector moves first, then the predictor steps back, as in the published code; with `steps` N and
    n corrector steps a picture costs N (n + 1) calls. For N = 1000 the times are the published ones.

    Attributes:
        predictor: How to step back in time.
        corrector: How to move at a fixed time.
        steps: Number of predictor steps, N.
        denoise: Whether the last step returns its mean; its noise would stay in the picture.
        clip: Whether the expected x_0 is clipped to [-1, 1]; the paper does not.
    """

    kind: Literal["predictor_corrector"] = "predictor_corrector"
    predictor: AnyPredictor = ReverseDiffusion()
    corrector: AnyCorrector = NoCorrector()
    steps: int = Field(default=1000, ge=1)
    denoise: bool = True
    clip: bool = True

    def times(self, schedule: Schedule) -> Tensor:
        """The grid, float64, from 1 to 0."""
        return trailing_times(schedule, self.steps)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """A draw of x_s, and the belief that the predictor started from."""
        denoiser = ClippingDenoiser(denoiser) if self.clip else denoiser
        scale, _ = transition(denoiser.schedule, t, s, like=x_t)
        x_t, _ = self.corrector.correct(denoiser, x_t, t, scale, noise)
        prediction = denoiser(x_t, t)
        mean, deviation = self.predictor.kernel(denoiser.schedule, prediction, t, s)
        if s == 0 and self.denoise:
            return mean, prediction
        return mean + deviation * noise.normal(x_t.shape[1:]).to(x_t), prediction

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture."""
        return walk(self, denoiser, x, noise)
