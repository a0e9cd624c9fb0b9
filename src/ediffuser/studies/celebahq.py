"""The studies of faces: pictures from nothing (Tables 4.18-4.20) and holes painted anew (4.21-4.23)."""

from dataclasses import replace

from ediffuser.conditioning import ScoreHeuristic
from ediffuser.evaluation.plan import TaskName
from ediffuser.recipes import RECIPES
from ediffuser.samplers import DpmSolver
from ediffuser.studies.cifar10 import learned_beats_ddim
from ediffuser.studies.claims import Claim
from ediffuser.studies.rows import FAST_FACES, ancestral, ddim, every_step, repurposed, row, versus
from ediffuser.studies.study import Cell, Size, Study, Table, TrainedModel


def celebahq_unconditional(size: Size) -> Study:
    """Faces from nothing: fixed and learned variances."""
    task: TaskName = "generation"
    fixed, learned = _model("DDPM256", size, "ddpm256"), _model("LVDDPM256", size, "lvddpm256")
    of_ddim, of_learned = ddim(fixed, task, size), ancestral(learned, task, size, FAST_FACES)
    return Study(
        name="celebahq-unconditional",
        size=size,
        title="Faces from nothing",
        question=(
            "Do learned variances keep their advantage on faces? Tables 4.18 to 4.20 of the dissertation, which are of "
            "CelebA-HQ at 256 pixels."
        ),
        tables=(
            Table("DDPM256, DDIM", (every_step(fixed, task, size), *of_ddim), "4.18"),
            Table("LVDDPM256", (every_step(learned, task, size), *of_learned), "4.19"),
        ),
        claims=(learned_beats_ddim(of_learned, of_ddim, "4.2.4.3"),),
        literature=("4.20",),
    )


def celebahq_inpainting(size: Size) -> Study:
    """Holes in faces: fixed and learned variances, and continuous time with and without training on the task."""
    task: TaskName = "inpainting"
    fixed, learned = (
        _model("DDPM256Inpaint", size, "ddpm256-inpaint"),
        _model("LVDDPM256Inpaint", size, "lvddpm256-inpaint"),
    )
    trained = _model("VPSDE256Inpaint, trained on the task", size, "vpsde256-inpaint-trained")
    of_ddim, of_learned = ddim(fixed, task, size), ancestral(learned, task, size, FAST_FACES)
    of_ddim = (*of_ddim[:-1], _with_baselines(of_ddim[-1]))
    dpm = tuple(
        row(trained, task, size, DpmSolver(steps=n), f"DPM-Solver, {n} calls", n, nll="ode" if n == 50 else None)
        for n in (25, 50)
    )
    heuristic = repurposed(_model("VPSDE256", size, "vpsde256"), task, size, ScoreHeuristic())
    return Study(
        name="celebahq-inpainting",
        size=size,
        title="Holes in faces",
        question=(
            "How few steps do holes take? Tables 4.21 to 4.23 of the dissertation, which are of CelebA-HQ at 256 "
            "pixels, and what it leaves out: the unconditional VPSDE, and one that is trained on the task."
        ),
        tables=(
            Table("DDPM256Inpaint, DDIM", (every_step(fixed, task, size), *of_ddim), "4.21"),
            Table("LVDDPM256Inpaint", (every_step(learned, task, size), *of_learned), "4.22"),
            Table("VPSDE256Inpaint, repurposed", heuristic),
            Table("VPSDE256Inpaint, trained on the task", dpm),
        ),
        claims=(
            *learned_beats_ddim(of_learned, of_ddim, "4.2.5.2").judged(task),
            *Claim(
                "An unconditional VPSDE that is repurposed is worse at holes than models trained on them",
                "4.2.5",
                (
                    versus("DDIM in 25 steps beside DPM-Solver", of_ddim[-1], heuristic[2]),
                    versus("learned variances in 25 steps beside DPM-Solver", of_learned[-1], heuristic[2]),
                    versus("VPSDE trained on the task, both with DPM-Solver", dpm[0], heuristic[2]),
                ),
            ).judged(task),
        ),
        literature=("4.23",),
    )


def _with_baselines(cell: Cell) -> Cell:
    """The row that is also compared with what needs no learning."""
    return replace(cell, baselines=("telea", "navier-stokes"))


def _model(label: str, size: Size, recipe: str) -> TrainedModel:
    return TrainedModel(label, RECIPES[recipe if size == "full" else SMALL[recipe]](), "faces")


SMALL = {
    "ddpm256": "faces64-small-ddpm",
    "lvddpm256": "faces64-small-lvddpm",
    "vpsde256": "faces64-small-vpsde",
    "ddpm256-inpaint": "faces64-small-inpaint-ddpm",
    "lvddpm256-inpaint": "faces64-small-inpaint-lvddpm",
    "vpsde256-inpaint-trained": "faces64-small-inpaint-vpsde",
}
"""The recipes of reduced width that stand for the dissertation's."""
