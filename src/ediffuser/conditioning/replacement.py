"""Replacement: after every step the known part of the state is put back, noised to the very level the state is at."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ediffuser.conditioning.null_space import NullSpaceDenoiser
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import UnfitPairError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Sampler, Step, StepSampler, walk
from ediffuser.tasks.observation import Observation

KnownNoise = Literal["fresh", "kept"]


@dataclass(frozen=True)
class ReplacingSampler:
    """A step sampler whose known part follows the forward process from what is known, whatever the denoiser believes.

    It is a Markov kernel on the same grid, so it may be wrapped in its turn.

    Attributes:
        sampler: What moves the rest.
        observation: What is known.
        known_noise: See `Replacement`.
    """

    sampler: StepSampler
    observation: Observation
    known_noise: KnownNoise

    def times(self, schedule: Schedule) -> Tensor:
        """The wrapped sampler's grid."""
        return self.sampler.times(schedule)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """x_s with P x_s = alpha_s P x_0 + sigma_s P eps, exactly P x_0 at s = 0, and the wrapped step's belief."""
        x_s, prediction = self.sampler.step(denoiser, x_t, t, s, noise)
        if s == 0:
            return self.observation.keep(x_s), prediction
        alpha_s, sigma_s = alpha_sigma(denoiser.schedule, s, like=x_s)
        if self.known_noise == "fresh":
            eps = noise.normal(x_s.shape[1:]).to(x_s)
        else:
            alpha_t, sigma_t = alpha_sigma(denoiser.schedule, t, like=x_t)
            eps = (x_t - alpha_t * self.observation.known) / sigma_t
        return self.observation.keep_noised(x_s, alpha_s, sigma_s, eps), prediction

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture that carries what is known."""
        return walk(self, denoiser, x, noise)


@component
class Replacement:
    """Puts the known part back after every step, at the noise level of the state that it is put into.

    An approximation: the known pixels steer the rest only through the network's next look at them, and it never learns
    that they were not its own idea. Nothing is replaced at the start, where sampler and picture are noise alike.
    `ScoreHeuristic` puts them into what the denoiser is shown at each of its calls, and leaves the state alone.

    Source: Song et al. 2021, section 5 and appendix I.2; Lugmayr et al. 2022, eq. 8, without jumps. With a
    predictor-corrector sampler the published code puts the known part back after the corrector too; here once a step.

    Attributes:
        known_noise: "fresh" noises the known part anew in every step, which takes a sampler of single steps. "kept"
            lets it keep the noise that it started with, alpha_s x_0 + sigma_s eps along one eps. None is "fresh" where
            there are single steps, else "kept". On a sampler without them (an ODE or multistep solver) "kept" puts the
            known part into the denoiser's x_0, and the solver itself then carries it along one eps: that is
            `NullSpace`, and on deterministic samplers with steps the two agree as well.
    """

    kind: Literal["replacement"] = "replacement"
    known_noise: KnownNoise | None = None

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser as it is and a sampler that replaces; without single steps the other way round.

        Raises:
            UnfitPairError: If the known noise is to be fresh, and the sampler has no single steps.
        """
        if self.known_noise != "fresh" and not isinstance(sampler, StepSampler):
            return NullSpaceDenoiser(denoiser, observation), sampler
        steps = single_steps(sampler, "replacement with fresh noise", "known_noise=kept works with any sampler")
        return denoiser, ReplacingSampler(steps, observation, self.known_noise or "fresh")


def single_steps(sampler: Sampler, what: str, otherwise: str) -> StepSampler:
    """The sampler, known to be one of single steps.

    Args:
        sampler: Any sampler.
        what: Who needs the steps, for the message.
        otherwise: What else would work, for the message.

    Raises:
        UnfitPairError: If it has none; a TypeError that says what would work.
    """
    if isinstance(sampler, StepSampler):
        return sampler
    name = getattr(sampler, "kind", type(sampler).__name__)
    raise UnfitPairError(
        f"{what} needs a sampler of single steps on a fixed grid, such as ancestral, ddim or predictor_corrector, "
        f"and {name} is none; {otherwise}"
    )
