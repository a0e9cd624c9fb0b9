"""The rows that tables are made of: each of the dissertation's ways of sampling, as cells."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from ediffuser.conditioning import AnyConditioning
from ediffuser.diffusion.schedules import VariancePreserving
from ediffuser.evaluation.plan import TaskName
from ediffuser.samplers import (
    Ancestral,
    AnySampler,
    Ddim,
    DpmAdaptive,
    EulerMaruyama,
    FinalCorrector,
    PredictorCorrector,
    ProbabilityFlow,
)
from ediffuser.studies.claims import Comparison
from ediffuser.studies.study import Cell, Size, TrainedModel

Steps = tuple[int, ...]
FAST: Steps = (100, 50, 25)
FAST_FACES: Steps = (100, 75, 50, 25)
"""The numbers of steps of the dissertation's tables."""

SLOW_NFE, SLOW_COUNT = 200, 64
"""From so many calls on, a small study judges no more than so many pictures."""

FAST_NFE = 36
"""Up to so many calls, the seconds are measured too; those of more are as many times as long."""

COUNTS: dict[tuple[Size, TaskName], int] = {
    ("full", "generation"): 50_000,
    ("full", "colorization"): 10_000,  # CIFAR-10's test pictures
    ("full", "inpainting"): 10_000,
    ("small", "generation"): 500,
    ("small", "colorization"): 500,
    ("small", "inpainting"): 500,
}

TOLERANCES: dict[Literal["rk45", "rk23", "dop853"], tuple[tuple[str, int], ...]] = {
    "rk45": (("1e-3", 80), ("1e-2", 62), ("2e-2", 50)),
    "rk23": (("1e-3", 62), ("1e-2", 41), ("2e-2", 35)),
    "dop853": (("1e-3", 120), ("1e-2", 62), ("2e-2", 50)),
}
"""Of Tables 4.9 to 4.11, with the calls that the dissertation counted."""

DPM_TOLERANCES = (("1e-2", 48), ("5e-2", 36), ("1e-1", 27))
"""Of Table 4.12."""


def row(
    model: TrainedModel,
    task: TaskName,
    size: Size,
    sampler: AnySampler,
    label: str,
    nfe: int,
    published: str = "",
    *,
    conditioning: AnyConditioning | None = None,
    nll: Literal["vlb", "ode"] | None = None,
    baselines: tuple[str, ...] = (),
) -> Cell:
    """A cell with as many pictures as the size has for the task.

    Small studies of CIFAR-10 go by the classifier that is shipped, which knows its classes: EfficientNet was trained on
    pictures seven times as wide, and at 10,000 pictures it would take longer than the models that it judges.
    """
    count, features = COUNTS[size, task], "cifar10" if size == "small" and model.data == "cifar10" else "auto"
    if size == "small" and nfe >= SLOW_NFE:
        count = min(count, SLOW_COUNT)
    speed = nfe <= FAST_NFE
    return Cell(model, task, sampler, label, nfe, count, conditioning, published, nll, baselines, speed, features)


def every_step(model: TrainedModel, task: TaskName, size: Size) -> Cell:
    """Ancestral sampling with every step of the training, and the variational bound."""
    steps = steps_of(model)
    return row(model, task, size, Ancestral(), f"T = {steps:,}", steps, str(_dissertations(model)), nll="vlb")


def ancestral(model: TrainedModel, task: TaskName, size: Size, steps: Iterable[int] = FAST) -> tuple[Cell, ...]:
    """Ancestral sampling with few steps and with the variance the model has, and the bound over these steps."""
    return tuple(row(model, task, size, Ancestral(steps=n), f"{n} steps", n, str(n), nll="vlb") for n in steps)


def ddim(model: TrainedModel, task: TaskName, size: Size, steps: Iterable[int] = FAST) -> tuple[Cell, ...]:
    """DDIM without noise."""
    return tuple(row(model, task, size, Ddim(steps=n), f"{n} steps", n, str(n)) for n in steps)


def euler_maruyama(
    model: TrainedModel, task: TaskName, size: Size, published: str, conditioning: AnyConditioning | None = None
) -> Cell:
    """The reverse-time SDE in 1000 steps, corrected once at the end."""
    sampler = FinalCorrector(sampler=PredictorCorrector(predictor=EulerMaruyama(), denoise=False))
    return row(model, task, size, sampler, "Euler-Maruyama", 1001, published, conditioning=conditioning)


def black_box(model: TrainedModel, size: Size, solver: Literal["rk45", "rk23", "dop853"]) -> tuple[Cell, ...]:
    """The probability-flow ODE by a solver of general purpose, corrected once at the end."""
    return tuple(
        row(
            model,
            "generation",
            size,
            FinalCorrector(sampler=ProbabilityFlow(solver=solver, tolerance=float(tolerance), denoise=False)),
            f"tolerance {tolerance}",
            nfe,
            tolerance,
            nll="ode" if (solver, tolerance) == ("rk45", "1e-3") else None,
        )
        for tolerance, nfe in TOLERANCES[solver]
    )


def dpm_adaptive(model: TrainedModel, size: Size) -> tuple[Cell, ...]:
    """DPM-Solver at each picture's own pace, corrected once at the end."""
    return tuple(
        row(model, "generation", size, _dpm(float(tolerance)), f"tolerance {tolerance}", nfe, tolerance)
        for tolerance, nfe in DPM_TOLERANCES
    )


def repurposed(model: TrainedModel, task: TaskName, size: Size, conditioning: AnyConditioning) -> tuple[Cell, ...]:
    """The three rows of Table 4.17: an unconditional model of continuous time that is made to respect what is known."""
    flow = ProbabilityFlow(solver="euler", steps=999)
    cells = (
        euler_maruyama(model, task, size, "Euler-Maruyama", conditioning),
        row(model, task, size, flow, "probability flow", 1000, "Probability Flow", conditioning=conditioning),
        row(model, task, size, _dpm(0.1), "DPM-Solver, adaptive", 27, "DPMsolver", conditioning=conditioning),
    )
    return tuple(replace(cell, series=f"{model.label} repurposed, {cell.label}") for cell in cells)


def steps_of(model: TrainedModel) -> int:
    """T of a model of discrete time, 1000 of one of continuous time."""
    schedule = model.experiment.model.schedule
    return 1000 if isinstance(schedule, VariancePreserving) else getattr(schedule, "steps", 1000)


def _dpm(tolerance: float) -> AnySampler:
    return FinalCorrector(sampler=DpmAdaptive(tolerance=tolerance, denoise=False))


def _dissertations(model: TrainedModel) -> int:
    """T of the dissertation's model of that label."""
    return 4000 if model.label in FOUR_THOUSAND else 1000


FOUR_THOUSAND = {
    "LVDDPM32LinSim",
    "LVDDPM32Sim",
    "LVDDPM32",
    "LVDDPM32LinSimColour",
    "LVDDPM32SimColour",
    "LVDDPM32Colour",
}
"""What the dissertation trains with T = 4000."""


def versus(label: str, better: Cell, worse: Cell) -> Comparison:
    """That one cell is better than another one, of a single model each."""
    return Comparison(label, (((better.name,), (worse.name,)),))
