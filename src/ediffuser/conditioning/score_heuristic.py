"""Score heuristic: the denoiser is shown what is known, noised to the level of the state, in place of the state's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ediffuser.conditioning.replacement import KnownNoise, single_steps
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Sampler, Step, StepSampler, walk
from ediffuser.tasks.observation import Observation


@dataclass(frozen=True)
class HeuristicDenoiser:
    """A denoiser whose score stands for grad log p(x_t | y).

    With y_t = alpha y + sigma P z it is the score at u = x_t - P x_t + y_t where nothing is known, and where something
    is, the exact one of q(y_t | y), (alpha y - P x_t) / sigma^2. What it adds to the score at x_t is a guess at the
    grad log p(y | x_t) of Eq. 2.37.

    Attributes:
        denoiser: The unconditional one.
        observation: What is known, y = P x_0.
        draw: Gives z, standard normal numbers in the shape of x_t.
    """

    denoiser: Denoiser
    observation: Observation
    draw: Callable[[Tensor], Tensor]

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t, its x_0 with the known part put back."""
        u = self.observation.keep_noised(x_t, *alpha_sigma(self.schedule, t, like=x_t), self.draw(x_t))
        belief = self.denoiser(u, t)
        return replace(belief, x_t=x_t, x0=self.observation.keep(belief.x0))


@component
class ScoreHeuristic:
    """Guides any sampler by the score at the state whose known part is replaced by what is known, noised.

    An approximation: y_t tells of the picture less than y does, and the noise in it is the heuristic's own. At high
    noise the known part is hardly looked at; what was then decided amiss is mended only in part.

    The dissertation leaves grad log p(y | x_t) to "heuristics and domain knowledge" (Eq. 2.37) and repurposes VPSDE32
    with it for PC sampling, RK45 and DPM-Solver (Table 4.17); the heuristic is Song et al.'s. Their code puts y_t of
    time t into the state that has moved on to s < t, and once more after each corrector step; here y_t has the very
    noise level of every call of the network, corrector's and predictor's, and the end carries what is known exactly.

    `Replacement` changes the state, this the denoiser's look at it, so that it also serves solvers whose steps cannot
    be taken apart. Where a step is one call the two have the same distribution. With "kept" noise on a deterministic
    sampler this and `NullSpace` are one method: the known part of the state runs along alpha y + sigma z by itself.

    Source: Song et al. 2021, section 5 and appendix I.2 (imputation), I.3 (colorization, by the same projection).

    Attributes:
        known_noise: "fresh" draws z anew for every call, as Song et al.; it takes a sampler of single steps, for an ODE
            solver asks for a function of x_t and t. "kept" takes the picture's own start for z. None is "fresh" where
            there are single steps, else "kept".
    """

    kind: Literal["score_heuristic"] = "score_heuristic"
    known_noise: KnownNoise | None = None

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser as it is, and a sampler that shows it what is known.

        Raises:
            UnfitPairError: If the known noise is to be fresh, and the sampler has no single steps.
        """
        if self.known_noise == "kept" or (self.known_noise is None and not isinstance(sampler, StepSampler)):
            return denoiser, KeptNoiseSampler(sampler, observation)
        steps = single_steps(sampler, "the score heuristic with fresh noise", "known_noise=kept works with any sampler")
        return denoiser, FreshNoiseSampler(steps, observation)


@dataclass(frozen=True)
class FreshNoiseSampler:
    """A step sampler whose denoiser is shown the known part with new noise in every call; a step sampler again."""

    sampler: StepSampler
    observation: Observation

    def times(self, schedule: Schedule) -> Tensor:
        """The wrapped sampler's grid."""
        return self.sampler.times(schedule)

    def step(self, denoiser: Denoiser, x_t: Tensor, t: Tensor, s: Tensor, noise: Noise) -> tuple[Tensor, Prediction]:
        """The wrapped sampler's step."""
        guided = HeuristicDenoiser(denoiser, self.observation, lambda x: noise.normal(x.shape[1:]).to(x))
        return self.sampler.step(guided, x_t, t, s, noise)

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture."""
        return walk(self, denoiser, x, noise)


@dataclass(frozen=True)
class KeptNoiseSampler:
    """Any sampler whose denoiser is shown the known part with the noise that the picture started from."""

    sampler: Sampler
    observation: Observation

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture.

        Only P z is looked at, and where nothing is known only the rest of the start: no number serves twice.
        """
        _, sigma = alpha_sigma(denoiser.schedule, torch.ones(()), like=x)
        z = x / sigma
        yield from self.sampler.trajectory(HeuristicDenoiser(denoiser, self.observation, lambda _: z), x, noise)
