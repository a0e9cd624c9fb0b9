"""The question that the dissertation leaves open: variances learned, or an ODE of a model trained on the task?

Section 4.2.3.3 finds an unconditional VPSDE poor at colours and gives the task-trained ones up for it. Here both kinds
have the same network, see the same pictures of the same task as often, and differ in their method alone. Three training
seeds each, for two runs of one recipe differ too.
"""

from dataclasses import replace

from ediffuser.evaluation.plan import TaskName
from ediffuser.recipes import RECIPES
from ediffuser.samplers import Ancestral, AnySampler, DpmSolver, DpmSolverPlusPlus
from ediffuser.studies.claims import Claim, Comparison
from ediffuser.studies.rows import row
from ediffuser.studies.study import Cell, Size, Study, Table, TrainedModel

CALLS = (10, 15, 20, 25, 50)
SEEDS = (0, 1, 2)
COUNT = {"full": 10_000, "small": 500}

RECIPES_OF: dict[tuple[Size, TaskName], tuple[str, str, str]] = {
    ("full", "colorization"): ("cifar10", "lvddpm32-color", "vpsde32-color-trained"),
    ("full", "inpainting"): ("faces", "lvddpm256-inpaint", "vpsde256-inpaint-trained"),
    ("small", "colorization"): ("cifar10", "cifar32-small-color-lvddpm", "cifar32-small-color-vpsde"),
    ("small", "inpainting"): ("faces", "faces64-small-inpaint-lvddpm", "faces64-small-inpaint-vpsde"),
}
"""Of each task: the data, the model with learned variances, and the one of continuous time."""


def variance_or_ode(size: Size) -> Study:
    """Whether a task-trained VPSDE with DPM-Solver beats learned variances at 10 to 50 calls."""
    tables: list[Table] = []
    claims: list[Claim] = []
    for task in ("colorization", "inpainting"):
        data, learned, continuous = RECIPES_OF[size, task]
        ours = _tables(learned, data, task, size, "LVDDPM", ("ancestral",))
        theirs = _tables(continuous, data, task, size, "VPSDE", ("DPM-Solver", "DPM-Solver++"))
        tables += ours + theirs
        for solver in ("DPM-Solver", "DPM-Solver++"):
            text = f"A VPSDE trained on {task} with {solver} beats learned variances at 10 to 50 calls"
            compared = tuple(_comparison(calls, solver, theirs, ours) for calls in CALLS)
            claims += Claim(text, "open", compared).judged(task)
    return Study(
        name="variance-or-ode",
        size=size,
        title="Learned variances, or an ODE of a model trained on the task?",
        question=(
            "Does a task-trained VPSDE with DPM-Solver beat the learned-variance DDPM on colorization and inpainting "
            "at 10 to 50 calls of the network? The dissertation repurposes an unconditional VPSDE and leaves this "
            "open. Same network, same pictures seen, three training seeds of each; DPM-Solver is the paper's, ++ its "
            "successor, which may clip x_0 as ancestral sampling does."
        ),
        tables=tuple(tables),
        claims=tuple(claims),
    )


def _tables(recipe: str, data: str, task: TaskName, size: Size, kind: str, samplers: tuple[str, ...]) -> list[Table]:
    """A table for each seed."""
    first = TrainedModel(f"{kind}, {task}", RECIPES[recipe](), data)
    return [
        Table(f"{first.label}, seed {seed}", tuple(_cells(first.seeded(seed), task, size, samplers))) for seed in SEEDS
    ]


def _cells(model: TrainedModel, task: TaskName, size: Size, samplers: tuple[str, ...]) -> list[Cell]:
    cells = [
        (f"{model.label}, {name}", row(model, task, size, _sampler(name, calls), f"{name}, {calls} calls", calls))
        for name in samplers
        for calls in CALLS
    ]
    bound = "vlb" if samplers == ("ancestral",) else None  # as in the other studies, which have a row of these
    return [replace(cell, count=COUNT[size], series=series, speed=False, nll=bound) for series, cell in cells]


def _sampler(name: str, calls: int) -> AnySampler:
    kinds = {"ancestral": Ancestral, "DPM-Solver": DpmSolver, "DPM-Solver++": DpmSolverPlusPlus}
    return kinds[name](steps=calls)


def _comparison(calls: int, solver: str, theirs: list[Table], ours: list[Table]) -> Comparison:
    def names(tables: list[Table], sampler: str) -> list[tuple[str, ...]]:
        label = f"{sampler}, {calls} calls"
        return [tuple(cell.name for cell in table.cells if cell.label == label) for table in tables]

    pairs = zip(names(theirs, solver), names(ours, "ancestral"), strict=True)
    return Comparison(f"{calls} calls", tuple(pairs))
