"""The plot of error against calls in docs/choosing-a-sampler.md.

    PYTHONPATH=tests python scripts/sampler_errors.py --model RUNS/vpsde --out docs/assets/sampler-errors.png

Left, on pictures of one number with an exact denoiser: how far the distribution of what a sampler makes is from the
right one. Right, on a trained network: how far the pictures of the deterministic ones are from where the flow leads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import tyro
from torch import Tensor

import ediffuser
from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.schedules import VariancePreserving
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import (
    Ancestral,
    Ddim,
    DpmAdaptive,
    DpmSolver,
    DpmSolverPlusPlus,
    EulerMaruyama,
    PredictorCorrector,
    ProbabilityFlow,
    Sampler,
    UniPc,
)
from oracles import StreamNoise, line_mixture

CALLS = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
TOLERANCES = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
POINTS, PICTURES = 20_000, 4

Way = Callable[[int], Sampler]

STOCHASTIC: dict[str, Way] = {
    "ancestral, fixed small": lambda n: Ancestral(steps=n, variance="fixed_small", clip=False),
    "ancestral, fixed large": lambda n: Ancestral(steps=n, variance="fixed_large", clip=False),
    "ddim eta 0.5": lambda n: Ddim(steps=n, eta=0.5, clip=False),
    "reverse diffusion": lambda n: PredictorCorrector(steps=n, clip=False),
    "Euler-Maruyama": lambda n: PredictorCorrector(predictor=EulerMaruyama(), steps=n, clip=False),
}
DETERMINISTIC: dict[str, Way] = {
    "ddim": lambda n: Ddim(steps=n, clip=False),
    "flow, Euler": lambda n: ProbabilityFlow(solver="euler", steps=n - 1, clip=False),
    "flow, Heun": lambda n: ProbabilityFlow(solver="heun", steps=n // 2 - 1, clip=False),
    "dpm_solver (3S)": lambda n: DpmSolver(steps=n),
    "dpm_solver++ (2M)": lambda n: DpmSolverPlusPlus(steps=n, thresholding="none"),
    "dpm_solver++ (3M)": lambda n: DpmSolverPlusPlus(steps=n, order=3, thresholding="none"),
    "unipc": lambda n: UniPc(steps=n, thresholding="none"),
}
ADAPTIVE: dict[str, Callable[[float], Sampler]] = {
    "flow, RK23": lambda tolerance: ProbabilityFlow(solver="rk23", tolerance=tolerance, clip=False),
    "flow, RK45": lambda tolerance: ProbabilityFlow(solver="rk45", tolerance=tolerance, clip=False),
    "flow, DOP853": lambda tolerance: ProbabilityFlow(solver="dop853", tolerance=tolerance, clip=False),
    "dpm_adaptive": lambda tolerance: DpmAdaptive(tolerance=tolerance, absolute_tolerance=tolerance / 5),
}


@dataclass(frozen=True)
class Plot:
    """What to draw.

    Attributes:
        model: Run directory of `fashion32-vpsde`.
        out: The picture.
    """

    model: Path
    out: Path


def main(plot: Plot) -> None:
    """Measures, draws and writes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
    mixture = line_mixture(VariancePreserving())
    points, wanted = stratified(), quantiles(mixture)

    def distance(sampler: Sampler) -> tuple[float, float]:
        last_x, calls = end(sampler, mixture, points, StreamNoise(POINTS))
        return calls, (last_x.flatten().sort().values - wanted).abs().mean().item()

    ways = [(STOCHASTIC, CALLS, ":"), (DETERMINISTIC, CALLS, "-"), (ADAPTIVE, TOLERANCES, "--")]
    draw(left, ways, distance)
    left.set(title="Exact denoiser, one number, two humps", ylabel="Wasserstein distance to the right distribution")
    model = ediffuser.load(plot.model, precision="float32")
    noise = Noise.rows(0, range(PICTURES))
    start = model.config.schedule.sigma(torch.ones(())).float() * noise.normal(model.shape)
    right_end, _ = end(ProbabilityFlow(solver="heun", steps=300, clip=False), model.denoiser, start, noise)

    def deviation(sampler: Sampler) -> tuple[float, float]:
        x, calls = end(sampler, model.denoiser, start, noise)
        return calls, (x - right_end).square().mean().sqrt().item()

    # With a rough network high orders and narrow tolerances take calls by the thousand.
    rough = {name: way for name, way in ADAPTIVE.items() if "DOP853" not in name}
    draw(right, [(DETERMINISTIC, CALLS[:8], "-"), (rough, TOLERANCES[:6], "--")], deviation)
    right.set(title="A network trained on Fashion-MNIST", ylabel="root mean square deviation from the flow's end")
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="calls of the denoiser for a picture")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8)
    figure.savefig(plot.out, dpi=110)


def stratified() -> Tensor:
    """Starts that fill N(0, 1) evenly, in random order: what is left of the error is the sampler's."""
    order = torch.randperm(POINTS, generator=torch.Generator().manual_seed(0))
    evenly = (order.double() + 0.5) / POINTS
    return torch.special.ndtri(evenly).reshape(-1, 1, 1, 1)


def quantiles(mixture) -> Tensor:
    """As many quantiles of x_0, by bisection."""
    wanted, zero = (torch.arange(POINTS).double() + 0.5) / POINTS, torch.zeros((), dtype=torch.float64)
    low, high = torch.full_like(wanted, -4.0), torch.full_like(wanted, 4.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = mixture.cumulative(middle, zero) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low


@torch.no_grad()
def end(sampler: Sampler, denoiser: Denoiser, start: Tensor, noise: object) -> tuple[Tensor, float]:
    """Where a sampler ends, and its mean number of calls."""
    *_, last = sampler.trajectory(denoiser, start, noise)
    return last.x, last.calls.double().mean().item()


def draw(axes: plt.Axes, ways: list, measure: Callable[[Sampler], tuple[float, float]]) -> None:
    """A line for each way, its points measured and printed."""
    for samplers, settings, style in ways:
        for name, make in samplers.items():
            points = sorted(measure(make(setting)) for setting in settings)
            print(name, " ".join(f"{calls:.0f}:{error:.2g}" for calls, error in points), flush=True)
            axes.plot(*zip(*points, strict=True), style, marker=".", label=name)


if __name__ == "__main__":
    main(tyro.cli(Plot))
