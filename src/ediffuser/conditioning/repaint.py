"""RePaint: replacement, and jumps back into the noise so that both parts of the picture come to agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor

from ediffuser.conditioning.replacement import ReplacingSampler, single_steps
from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.forward import transition
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Sampler, Step
from ediffuser.tasks.observation import Observation


@component
class RePaint:
    """Resampling: every stretch of the way down is walked several times, noised again in between.

    A step down replaces the known part with fresh noise of its level; a step up draws from the forward kernel
    q(x_t | x_s) of the very pair. The more passes, the better hole and surroundings agree, and the more calls: with S
    steps and n passes about n S. One pass is `Replacement`. An approximation however many passes: the expected picture
    comes closer to the true one, the spread of the results need not (docs/conditioning.md has figures).

    Source: Lugmayr et al. 2022, Algorithm 1 and appendix B. As in the paper, finished pictures are not noised again;
    the result carries the known part exactly, which the published code leaves out.

    Attributes:
        jump_length: Steps of the grid that a jump goes up (the paper's j).
        passes: How often each stretch is walked down (the paper's n or r, "jump_n_sample").
        resample_finished: Whether jumps start at t = 0, as in diffusers, instead of one step before it.
    """

    kind: Literal["repaint"] = "repaint"
    jump_length: int = Field(default=10, ge=1)
    passes: int = Field(default=10, ge=1)
    resample_finished: bool = False

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        """The denoiser as it is, and a sampler that jumps; it is no step sampler any more.

        Raises:
            UnfitPairError: If the sampler has no single steps; a TypeError that says what would work.
        """
        steps = single_steps(sampler, "repaint", "null_space works with any sampler")
        return denoiser, ResamplingSampler(ReplacingSampler(steps, observation, "fresh"), self)

    def levels(self, steps: int) -> list[int]:
        """The points of a grid of `steps` steps in the order of their visit, from `steps` (noise) to 0 (clean).

        Raises:
            BadInputError: If there are not enough steps to jump.
        """
        lowest = 0 if self.resample_finished else 1
        jumps = dict.fromkeys(range(lowest, steps - self.jump_length + lowest, self.jump_length), self.passes - 1)
        if not jumps and self.passes > 1:
            raise BadInputError(
                f"repaint jumps {self.jump_length} steps at a time and the sampler has {steps} steps: "
                "give the sampler more steps, or repaint a smaller jump_length"
            )
        visited = [steps]
        while visited[-1] > 0:
            level = visited[-1] - 1
            visited.append(level)
            if jumps.get(level, 0) > 0:
                jumps[level] -= 1
                visited.extend(range(level + 1, level + self.jump_length + 1))
        return visited


@dataclass(frozen=True)
class ResamplingSampler:
    """A sampler whose trajectory goes up and down the grid of a step sampler.

    Where it goes next depends on where it has been, so it is no Markov kernel and offers no `step`.
    """

    sampler: ReplacingSampler
    jumps: RePaint

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture that carries what is known; t falls and rises, progress only grows.

        Raises:
            BadInputError: If the grid has not enough steps to jump.
        """
        counting = CountingDenoiser(denoiser)
        times = self.sampler.times(denoiser.schedule).flip(0)
        path = self.jumps.levels(len(times) - 1)
        x0 = x
        for done, (level, after) in enumerate(pairwise(path), start=1):
            here, there = times[level], times[after]
            if after < level:
                x, prediction = self.sampler.step(counting, x, here, there, noise)
                x0 = prediction.x0
            else:
                x = noised_on(denoiser.schedule, x, here, there, noise)
            yield Step(there, x, x0, counting.calls(len(x)), done / (len(path) - 1))


def noised_on(schedule: Schedule, x_s: Tensor, s: Tensor, t: Tensor, noise: Noise) -> Tensor:
    """A draw from q(x_t | x_s), s < t: a step back up; shape of x_s. Source: the dissertation's Eq. 2.1."""
    scale, variance = transition(schedule, t, s, like=x_s)
    return scale * x_s + variance.sqrt() * noise.normal(x_s.shape[1:]).to(x_s)
