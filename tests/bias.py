"""How far each conditioning is from the exact conditional distribution, on Gaussian pictures where that is known.

`tests/conditioning/test_bias.py` asserts what is measured here, `scripts/conditioning_bias.py` prints it.

Samplers that do not clip map start, noise and known part affinely to the picture. So one run with a row for each number
that goes in, a unit impulse, gives the exact mean and covariance of what comes out, for all known parts at once. A
method that is not affine is run many times instead, and its figures have a standard error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.conditioning import Conditioning, Dps, NullSpace, PiGdm, RePaint, Replacement, ScoreHeuristic
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.schedules import CosineBetas, Schedule
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import Ancestral, DpmSolver, ProbabilityFlow, Sampler
from ediffuser.tasks import Colorization, Inpainting, Observation
from oracles import ConditionalDenoiser, GaussianDenoiser, StreamNoise

TASKS = ("inpainting", "colorization")
SHAPE = (3, 1, 3)
SIZE = 9
HOLE = torch.tensor([0.0, 1.0, 1.0]).reshape(1, 1, 1, 3)


def pictures(schedule: Schedule | None = None) -> GaussianDenoiser:
    """Three pixels in a row of three channels each; neighbours and channels alike are correlated."""
    position = torch.arange(3, dtype=torch.float64)
    pixels = torch.exp(-(position[:, None] - position).abs() / 3)
    colours = torch.tensor([[0.30, 0.20, 0.10], [0.20, 0.25, 0.15], [0.10, 0.15, 0.20]], dtype=torch.float64)
    covariance = torch.kron(colours, pixels) + 0.005 * torch.eye(SIZE, dtype=torch.float64)
    mean = torch.tensor([0.2, 0.0, -0.2], dtype=torch.float64).reshape(3, 1, 1).expand(SHAPE).contiguous()
    return GaussianDenoiser(mean, covariance, schedule or CosineBetas())


def observed(x0: Tensor, task: str) -> Observation:
    """What is known of pictures: their first pixel, or their luma."""
    noise = Noise.rows(0, range(len(x0)))
    if task == "colorization":
        return Colorization().observe(x0, noise)
    return Inpainting(hole_channel=False).observe(x0, noise, HOLE)


class Exact:
    """Concatenation with the exact conditional score: what a perfectly trained model would believe."""

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        assert isinstance(denoiser, GaussianDenoiser)
        return ConditionalDenoiser(denoiser, observation), sampler


class PasteOnly:
    """No conditioning: an unconditional picture, in which what is known is put back at the very end."""

    def bind(self, denoiser: Denoiser, sampler: Sampler, observation: Observation) -> tuple[Denoiser, Sampler]:
        return denoiser, sampler


@dataclass(frozen=True)
class Bias:
    """In units of the exact conditional's total standard deviation, root mean square over what may be known.

    Attributes:
        mean: Distance of the conditional mean from the exact one.
        spread: Total standard deviation; 1 is exact.
        distance: 2-Wasserstein distance from the exact conditional distribution.
        calls: Of the denoiser, for one picture.
    """

    mean: float
    spread: float
    distance: float
    calls: int


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: How the table calls the method and its setting.
        conditioning: The method.
        sampler: What it is bound to; it does not clip.
        draws: For each known part, where the method is not affine; None measures exactly.
    """

    name: str
    conditioning: Conditioning
    sampler: Sampler
    draws: int | None = None

    def measured(self, task: str) -> Bias:
        """What the method is off by."""
        if self.draws is None:
            return affine_bias(self.conditioning, self.sampler, task)
        return sampled_bias(self.conditioning, self.sampler, task, self.draws)


class ImpulseNoise:
    """Zeros, but for one row for each number that is drawn, in which that number is 1."""

    def __init__(self, rows: int, first: int) -> None:
        self.rows, self.next = rows, first

    def __len__(self) -> int:
        return self.rows

    def normal(self, shape: Sequence[int]) -> Tensor:
        drawn = torch.zeros(self.rows, SIZE, dtype=torch.float64)
        here = drawn[self.next : self.next + SIZE]
        here.copy_(torch.eye(SIZE, dtype=torch.float64)[: len(here)])
        self.next += SIZE
        return drawn.reshape(self.rows, *shape)


def affine_bias(conditioning: Conditioning, sampler: Sampler, task: str) -> Bias:
    """Exact, for what is affine."""
    gaussian = pictures()
    basis = known_directions(task)
    count = basis.shape[1]
    counted = ImpulseNoise(1, 1)
    _ended(conditioning, sampler, gaussian, observed(gaussian.mean[None], task), torch.zeros(1, SIZE), counted)
    rows = 1 + count + SIZE + counted.next - 1
    x0 = gaussian.mean.flatten().repeat(rows, 1)
    x0[1 : 1 + count] += basis.T
    start = torch.zeros(rows, SIZE, dtype=torch.float64)
    start[1 + count : 1 + count + SIZE] = torch.eye(SIZE)
    noise = ImpulseNoise(rows, 1 + count + SIZE)
    end, calls = _ended(conditioning, sampler, gaussian, observed(x0.reshape(-1, *SHAPE), task), start, noise)
    of_known, of_noise = end[1 : 1 + count] - end[0], end[1 + count :] - end[0]
    exact = ConditionalDenoiser(gaussian, observed(x0[: 1 + count].reshape(-1, *SHAPE), task))
    off = torch.cat([end[:1] - exact.mean[:1], of_known - (exact.mean[1:] - exact.mean[0])])
    spread_of_known = basis.T @ gaussian.covariance @ basis
    weights = torch.block_diag(torch.ones(1, 1, dtype=torch.float64), spread_of_known)
    return _bias((off.T @ weights @ off).trace(), of_noise.T @ of_noise, exact.covariance, calls)


def known_directions(task: str) -> Tensor:
    """An orthonormal basis of what is known, shape (d, k)."""
    unit = torch.eye(SIZE, dtype=torch.float64).reshape(-1, *SHAPE)
    values, vectors = torch.linalg.eigh(observed(unit, task).project(unit).flatten(1))
    return vectors[:, values > 0.5]


def _ended(conditioning, sampler, gaussian, observation, start, noise) -> tuple[Tensor, int]:
    denoiser, sampler = conditioning.bind(gaussian, sampler, observation)
    sigma = gaussian.schedule.sigma(torch.tensor(1.0))
    with torch.no_grad():
        *_, last = sampler.trajectory(denoiser, sigma * start.double().reshape(-1, *SHAPE), noise)
    return observation.keep(last.x).flatten(1), int(last.calls[0])


def _bias(mean_square: Tensor, found: Tensor, exact: Tensor, calls: int) -> Bias:
    total = exact.trace()
    root = _root(exact)
    bures = found.trace() + total - 2 * _root(root @ found @ root).trace()
    values = mean_square / total, found.trace() / total, (mean_square + bures.clamp(min=0)) / total
    return Bias(*(float(value.sqrt()) for value in values), calls)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def sampled_bias(conditioning: Conditioning, sampler: Sampler, task: str, rows: int, seed: int = 0) -> Bias:
    """A Monte Carlo estimate, for what is not affine.

    What is known takes six values, which have the mean and covariance of all that may be known; `rows` draws of each.
    """
    gaussian = pictures()
    basis = known_directions(task)
    points = basis @ _root(basis.T @ gaussian.covariance @ basis) * basis.shape[1] ** 0.5
    x0 = gaussian.mean.flatten() + torch.cat([points.T, -points.T]).repeat_interleave(rows, 0)
    noise = StreamNoise(len(x0), seed)
    observation = observed(x0.reshape(-1, *SHAPE), task)
    end, calls = _ended(conditioning, sampler, gaussian, observation, noise.normal(SHAPE), noise)
    end = end.reshape(-1, rows, SIZE)
    exact = ConditionalDenoiser(gaussian, observation)
    means = end.mean(1)
    covariance = torch.einsum("grd,gre->de", end - means[:, None], end - means[:, None]) / (len(end) * (rows - 1))
    off = means - exact.mean.reshape(-1, rows, SIZE)[:, 0]
    # The mean of so many draws is itself off by covariance / rows.
    mean_square = (off**2).sum(1).mean() - covariance.trace() / rows
    return _bias(mean_square.clamp(min=0), covariance, exact.covariance, calls)


STEPS = Ancestral(steps=50, variance="fixed_large", clip=False)
MANY_STEPS = Ancestral(steps=200, variance="fixed_large", clip=False)
FLOW = ProbabilityFlow(solver="heun", steps=25, clip=False)
CASES = [
    Case("`concat`, the exact conditional score", Exact(), STEPS),
    Case("`concat`, the exact conditional score", Exact(), FLOW),
    Case("none, what is known is pasted at the end", PasteOnly(), STEPS),
    Case("`replacement`", Replacement(), STEPS),
    Case("`score_heuristic`", ScoreHeuristic(), STEPS),
    Case("`score_heuristic`", ScoreHeuristic(), FLOW),
    Case("`score_heuristic`", ScoreHeuristic(), DpmSolver(steps=24)),
    Case("`null_space`", NullSpace(), STEPS),
    Case("`null_space`", NullSpace(), FLOW),
    Case("`repaint passes=2`", RePaint(passes=2), STEPS),
    Case("`repaint passes=5`", RePaint(passes=5), STEPS),
    Case("`repaint passes=10`", RePaint(passes=10), STEPS),
    Case("`repaint passes=10 jump_length=5`", RePaint(passes=10, jump_length=5), STEPS),
    Case("`pigdm`", PiGdm(), STEPS),
    Case("`pigdm`", PiGdm(), FLOW),
    Case("`dps scale=0.01`", Dps(scale=0.01), MANY_STEPS, draws=1000),
    Case("`dps scale=0.04`", Dps(scale=0.04), MANY_STEPS, draws=1000),
    Case("`dps scale=0.16`", Dps(scale=0.16), MANY_STEPS, draws=1000),
]
"""The lines of the table in docs/conditioning.md."""


def table_line(case: Case, found: Sequence[Bias]) -> str:
    """A line of that table, from the biases of a case on each task."""
    figures = [f"{bias.mean:.3f} | {bias.spread:.3f} | {bias.distance:.3f}" for bias in found]
    return f"| {case.name} | {_sampler_name(case.sampler)} | {found[0].calls} | {' | '.join(figures)} |"


def _sampler_name(sampler: Sampler) -> str:
    if isinstance(sampler, ProbabilityFlow):
        return "flow, Heun"
    return "DPM-Solver-3" if isinstance(sampler, DpmSolver) else "ancestral"
