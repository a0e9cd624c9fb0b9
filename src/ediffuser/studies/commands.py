"""The commands that a study stands for: each can be given by hand, and what it makes is taken."""

import shlex
from pathlib import Path

from ediffuser.studies.inputs import Inputs
from ediffuser.studies.results import FOLDER
from ediffuser.studies.study import Cell, Study, TrainedModel, text
from ediffuser.studies.training import run_directory


def study_command(study: Study, inputs: Inputs, out: Path) -> str:
    """What runs or resumes all of it."""
    words = ["ediffuser", "study", study.name, "--size", study.size]
    for name in study.data:
        words += ["--data", f"{name}={inputs.train.get(name, 'PATH')}"]
    for name in study.data:
        words += ["--held-out", f"{name}={inputs.held_out[name]}"] if name in inputs.held_out else []
    words += [] if study.limit is None else ["--count", str(study.limit)]
    return shlex.join([*words, "--out", str(out)])


def training_command(model: TrainedModel, inputs: Inputs, out: Path) -> str:
    """What trains a model; with --resume it goes on."""
    experiment, data = model.experiment, inputs.train.get(model.data, "PATH")
    words = ["ediffuser", "train", experiment.name, "--data", data, "--out", str(run_directory(out, model))]
    return shlex.join([*words, *(["--set", f"seed={experiment.seed}"] if experiment.seed else [])])


def evaluation_command(cell: Cell, inputs: Inputs, out: Path) -> str:
    """What measures a cell, or goes on measuring it."""
    free = cell.task == "generation"
    paths = inputs.train if free else inputs.held_out
    plan = cell.plan("", cell.model.experiment.data)
    words = ["ediffuser", "evaluate", str(run_directory(out, cell.model)), "--task", cell.task]
    words += ["--data", paths.get(cell.model.data, "PATH"), "--split", plan.split]
    words += ["--count", str(cell.count), "--sampler", text(cell.sampler)]
    words += ["--compared", str(plan.compared)] if free else []
    words += ["--conditioning", text(cell.conditioning)] if cell.conditioning else []
    words += ["--holes", ",".join(plan.holes), "--no-matched"] if cell.task == "inpainting" else []
    words += ["--baselines", ",".join(cell.baselines) or "none", "--variations", str(plan.variations)]
    words += ["--features", plan.features]
    words += ["--nll", plan.nll] if plan.nll else []
    words += ["--held-out", inputs.held_out.get(cell.model.data, "PATH")] if plan.nll and free else []
    words += ["--speed"] if plan.speed else []
    return shlex.join([*words, "--out", str(out / FOLDER / cell.name)])
