"""The studies of CIFAR-10: pictures from nothing (Tables 4.1-4.12, Fig. 4.4), and colours (4.13-4.17, 5.1-5.2)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ediffuser.conditioning import ScoreHeuristic
from ediffuser.evaluation.plan import TaskName
from ediffuser.recipes import RECIPES
from ediffuser.samplers import DpmSolver
from ediffuser.studies.claims import Claim, Comparison
from ediffuser.studies.rows import (
    ancestral,
    black_box,
    ddim,
    dpm_adaptive,
    euler_maruyama,
    every_step,
    repurposed,
    row,
    versus,
)
from ediffuser.studies.study import Cell, Size, Study, Table, TrainedModel, names

SOLVER_NFE = 50
"""Where solvers that choose their own steps are compared."""


def cifar10_unconditional(size: Size) -> Study:
    """Pictures of CIFAR-10 from nothing, by all three kinds of models and all their samplers."""
    task: TaskName = "generation"
    fixed, continuous = _model("DDPM32", size, "ddpm32"), _model("VPSDE32", size, "vpsde32")
    of_ddim = ddim(fixed, task, size)
    simple = _simple(size, task, "")
    learned = _learned(size, task, "")
    euler = Table("VPSDE32, Euler-Maruyama", (euler_maruyama(continuous, task, size, "1000"),), "4.8")
    rk45, rk23, dop853 = (black_box(continuous, size, solver) for solver in ("rk45", "rk23", "dop853"))
    dpm = dpm_adaptive(continuous, size)
    solvers = {"RK23": names(rk23), "RK45": names(rk45), "DOP853": names(dop853), "DPM-Solver": names(dpm)}
    return Study(
        name="cifar10-unconditional",
        size=size,
        title="Pictures of CIFAR-10 from nothing",
        question=(
            "How many calls of the network does a good picture take, with fixed variances, with learned ones and in "
            "continuous time? Tables 4.1 to 4.12 and Figure 4.4 of the dissertation."
        ),
        tables=(
            Table("DDPM32, DDIM", (every_step(fixed, task, size), *of_ddim), "4.2"),
            *simple,
            *learned,
            euler,
            Table("VPSDE32, RK45", rk45, "4.9"),
            Table("VPSDE32, RK23", rk23, "4.10"),
            Table("VPSDE32, DOP853", dop853, "4.11"),
            Table("VPSDE32, DPM-Solver", dpm, "4.12"),
        ),
        claims=(
            learned_beats_ddim(learned[-1].cells[1:], of_ddim, "4.2.2.5"),
            simple_fails(simple[-1].cells[1:], learned[-1].cells[1:], "4.2.2.3"),
            *_order_of_solvers(solvers),
            Claim(
                "VPSDE with DPM-Solver and few calls is better than DDIM and than learned variances",
                "4.2.2.5",
                (
                    Comparison("than DDIM", ((solvers["DPM-Solver"], (of_ddim[1].name,)),), nfe=SOLVER_NFE),
                    Comparison(
                        "than learned variances",
                        ((solvers["DPM-Solver"], (learned[-1].cells[2].name,)),),
                        nfe=SOLVER_NFE,
                    ),
                ),
            ),
        ),
        literature=("4.1",),
    )


def cifar10_color(size: Size) -> Study:
    """Colours for the luma of CIFAR-10, by models trained on it and by one that was not."""
    task: TaskName = "colorization"
    fixed = _model("DDPM32Colour", size, "ddpm32-color")
    of_ddim = ddim(fixed, task, size)
    of_ddim = (*of_ddim[:-1], replace(of_ddim[-1], baselines=("grey",)))
    simple, learned = _simple(size, task, "Colour"), _learned(size, task, "Colour")
    trained = _model("VPSDE32Colour, trained on the task", size, "vpsde32-color-trained")
    dpm = tuple(
        row(trained, task, size, DpmSolver(steps=n), f"DPM-Solver, {n} calls", n, nll="ode" if n == 50 else None)
        for n in (25, 50)
    )
    heuristic = repurposed(_model("VPSDE32", size, "vpsde32"), task, size, ScoreHeuristic())
    return Study(
        name="cifar10-color",
        size=size,
        title="Colours for CIFAR-10",
        question=(
            "What of the unconditional models' order remains when the luma is given, and what does a model that was "
            "never trained on the task come to? Tables 4.13 to 4.17, 5.1 and 5.2 of the dissertation."
        ),
        tables=(
            Table("DDPM32Colour, DDIM", (every_step(fixed, task, size), *of_ddim), "4.13"),
            *simple,
            *learned,
            Table("VPSDE32Colour, repurposed", heuristic, "4.17"),
            Table("VPSDE32Colour, trained on the task", dpm),
        ),
        claims=(
            *learned_beats_ddim(learned[-1].cells[1:], of_ddim, "4.2.3.2").judged(task),
            *simple_fails(simple[-1].cells[1:], learned[-1].cells[1:], "4.2.3.2").judged(task),
            *Claim(
                "An unconditional VPSDE that is repurposed is worse at colours than models trained on them",
                "4.2.3.3",
                (
                    versus("DDIM in 25 steps beside DPM-Solver", of_ddim[2], heuristic[2]),
                    versus("learned variances in 25 steps beside DPM-Solver", learned[-1].cells[3], heuristic[2]),
                    versus("learned variances in 25 steps beside Euler-Maruyama", learned[-1].cells[3], heuristic[0]),
                    versus("VPSDE trained on the task, both with DPM-Solver", dpm[0], heuristic[2]),
                ),
            ).judged(task),
        ),
    )


def learned_beats_ddim(learned: Sequence[Cell], of_ddim: Sequence[Cell], source: str) -> Claim:
    """That learned variances are better than DDIM with as few steps, row by row."""
    return Claim(
        "Learned variances are better than DDIM with the same few steps",
        source,
        tuple(versus(f"{a.nfe} steps", a, b) for a, b in _by_steps(learned, of_ddim)),
    )


def simple_fails(simple: Sequence[Cell], learned: Sequence[Cell], source: str) -> Claim:
    """That what was trained on the simple loss alone fails with few steps, row by row."""
    return Claim(
        "Without the hybrid loss, which learns variances, few steps of ancestral sampling fail",
        source,
        tuple(versus(f"{a.nfe} steps", a, b) for a, b in _by_steps(learned, simple)),
    )


def _by_steps(some: Sequence[Cell], others: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Cells with the same number of steps, side by side."""
    return [(a, b) for a in some for b in others if a.nfe == b.nfe]


def _order_of_solvers(solvers: dict[str, tuple[str, ...]]) -> tuple[Claim, ...]:
    order = ("DPM-Solver", "RK23", "RK45", "DOP853")
    few = [
        Comparison(f"{better} before {worse}", ((solvers[better], solvers[worse]),), nfe=SOLVER_NFE)
        for better, worse in pairwise(order)
    ]
    first = {name: (cells[0],) for name, cells in solvers.items()}
    high = [Comparison("DOP853 before RK45", ((first["DOP853"], first["RK45"]),))]
    high += [Comparison("RK45 before RK23", ((first["RK45"], first["RK23"]),))]
    return (
        Claim(
            f"With the calls nearest to {SOLVER_NFE} DPM-Solver is best, then RK23, RK45 and DOP853",
            "4.2.2.4",
            tuple(few),
        ),
        Claim("At the tolerance 1e-3 the higher order is the better one", "4.2.2.4-5", tuple(high)),
    )


def _simple(size: Size, task: TaskName, suffix: str) -> tuple[Table, ...]:
    """The models of the better network and the simple loss; the small study has one of them."""
    end, numbers = ("-color", ("5.1", "5.2")) if suffix else ("", ("4.4", "4.5"))
    cosine = _model(f"LVDDPM32Sim{suffix}", size, f"lvddpm32-simple{end}")
    models = [(cosine, numbers[1])]
    if size == "full":
        linear = _model(f"LVDDPM32LinSim{suffix}", size, f"lvddpm32-linear-simple{end}")
        models.insert(0, (linear, numbers[0]))
    return tuple(_ancestral_table(model, task, size, number) for model, number in models)


def _learned(size: Size, task: TaskName, suffix: str) -> tuple[Table, ...]:
    """Those that learn their variance: with T = 1000, and in the full study with T = 4000."""
    end, numbers = ("-color", ("4.15", "4.16")) if suffix else ("", ("4.6", "4.7"))
    models = [(_model(f"LVDDPM321k{suffix}", size, f"lvddpm32-1k{end}"), numbers[0])]
    if size == "full":
        models.append((_model(f"LVDDPM32{suffix}", size, f"lvddpm32{end}"), numbers[1]))
    return tuple(_ancestral_table(model, task, size, number) for model, number in models)


def _ancestral_table(model: TrainedModel, task: TaskName, size: Size, number: str) -> Table:
    return Table(model.label, (every_step(model, task, size), *ancestral(model, task, size)), number)


def _model(label: str, size: Size, recipe: str) -> TrainedModel:
    return TrainedModel(label, RECIPES[recipe if size == "full" else SMALL[recipe]](), "cifar10")


SMALL = {
    "ddpm32": "cifar32-small-ddpm",
    "lvddpm32-1k": "cifar32-small-lvddpm",
    "lvddpm32-simple": "cifar32-small-lvddpm-simple",
    "vpsde32": "cifar32-small-vpsde",
    "ddpm32-color": "cifar32-small-color-ddpm",
    "lvddpm32-1k-color": "cifar32-small-color-lvddpm",
    "lvddpm32-simple-color": "cifar32-small-color-lvddpm-simple",
    "vpsde32-color-trained": "cifar32-small-color-vpsde",
}
"""The recipes of reduced width that stand for the dissertation's."""
