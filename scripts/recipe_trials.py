"""Settings of an inpainting recipe, each trained for as long, and what comes of them on held-out pictures.

    python scripts/recipe_trials.py scripts/trials_faces.toml --data celeba128-train.zip --held-out celeba128-val.zip \
        --images 4800 --out runs/trials

The file has a recipe, settings for all, and a table [trials] of names with the settings of each, as `ediffuser train
--set` takes them; the first trial is the one that the others are compared with. It sees so many images, and another one
as many as take as long, by steps of both in turn. "untrained" for settings measures the model that the others start
from. Started on each core (`taskset`), several of these share the work; killed, it goes on. Prints a table: the root
mean square error of x_0 in the holes at three noise levels, and the perceptual distance on each kind of hole by each
sampler. Its intervals are over pictures; what another seed does, a trial with another seed has to show.
"""

import dataclasses
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
import tyro
from tyro.conf import Positional

import ediffuser
from ediffuser.cli.options import parse_component
from ediffuser.cli.train import resolve
from ediffuser.conditioning import bound
from ediffuser.data import ImageFolder
from ediffuser.diffusion.forward import noised
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.holes import HOLES, draw_holes
from ediffuser.evaluation.plan import MODEL, Plan
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.spread import classes_in_turn
from ediffuser.evaluation.summary import scores
from ediffuser.model import Model
from ediffuser.runtime.checkpoint import checkpoints
from ediffuser.runtime.component import to_json
from ediffuser.runtime.errors import BadInputError, InUseError
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.lock import only_one
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8
from ediffuser.samplers import AnySampler
from ediffuser.training import Experiment, train

LOG_SNR = (2.0, -1.0, -4.0)
"""log(alpha^2 / sigma^2): little noise, much, nearly nothing else."""

WARM_STEPS, TIMED_STEPS = 1, 3

UNTRAINED = "untrained"
"""In the place of a trial's settings: the model that all start from, as it is."""


@dataclass(frozen=True)
class Options:
    """What is tried.

    Attributes:
        trials: The file of settings.
        data: Pictures to train on.
        held_out: Pictures to measure on.
        images: How many the first trial sees.
        count: Held-out pictures.
        holes: Kinds of holes to measure on.
        samplers: What to measure with.
        out: Where runs and figures go.
        report: Only print the table of what is finished.
    """

    trials: Positional[Path]
    data: str
    held_out: str
    images: int = 4800
    count: int = 64
    holes: tuple[str, ...] = ("brush", "box", "half", "thin")
    samplers: tuple[str, ...] = ("ddim steps=10 eta=1", "ddim steps=5")
    out: Path = Path("runs/trials")
    report: bool = False


@dataclass(frozen=True)
class Trial:
    """One of them: its name, recipe and settings, the model it starts from, if any, and whether it is trained."""

    name: str
    recipe: str
    settings: tuple[str, ...]
    start_from: str = ""
    trained: bool = True

    def experiment(self, options: Options) -> Experiment:
        """What is trained, but for its length."""
        return resolve(self.recipe, options.data, self.settings, None, self.start_from)


def main() -> None:
    """Trains, measures, prints; exit code 2 with one line where the input cannot be used."""
    options = tyro.cli(Options, description=__doc__)
    try:
        trials = read_trials(options.trials)
        for trial in () if options.report else trials:
            try:
                run_trial(trial, trials[0], options)
            except InUseError:
                print(f"{trial.name}: another process is at it", flush=True)
        print(table(trials, options))
    except BadInputError as error:
        print(f"recipe_trials: {error}", file=sys.stderr)
        sys.exit(2)


def read_trials(path: Path) -> list[Trial]:
    """The trials of a file.

    Raises:
        BadInputError: If it cannot be read, or has no recipe or no trials.
    """
    try:
        content = tomllib.loads(path.read_text())
        recipe, common, start = content["recipe"], tuple(content.get("set", ())), content.get("start_from", "")
        named = content["trials"].items()
        trials = [
            Trial(name, recipe, (*common, *(settings if settings != UNTRAINED else ())), start, settings != UNTRAINED)
            for name, settings in named
        ]
        if any(not trial.trained for trial in trials) and not (start and trials[0].trained):
            raise KeyError("start_from, and a first trial that is trained")
        return trials
    except (OSError, KeyError, AttributeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(
            f"{path} is no file of trials ({error}): it needs recipe = ... and a table [trials]"
        ) from error


def run_trial(trial: Trial, first: Trial, options: Options) -> None:
    """Trains a trial to its end and measures it, from wherever it stands."""
    out = options.out / trial.name
    out.mkdir(parents=True, exist_ok=True)
    with only_one(out, "being tried"):
        model = str(out / "run") if trial.trained else trial.start_from
        if trial.trained:
            train_trial(trial, first, options, out)
        for sampler in options.samplers:
            for _ in evaluate(plan(model, options, sampler), measured(out, sampler)):
                pass
        if not (out / "errors.json").exists():
            found = errors(ediffuser.load(model), options)
            write_atomically(out / "errors.json", json.dumps(found).encode())


def train_trial(trial: Trial, first: Trial, options: Options, out: Path) -> None:
    """Trains a trial to its end, from wherever it stands."""
    experiment, directory = planned(trial, first, options, out), out / "run"
    for step in train(experiment, directory, resume=bool(checkpoints(directory))):
        if step.images_seen % (experiment.batch * 20) == 0:
            parts = ", ".join(f"{name} {value:.4f}" for name, value in step.parts.items())
            print(f"{trial.name}: {step.images_seen}/{experiment.images}, loss {step.loss:.4f}; {parts}", flush=True)


def planned(trial: Trial, first: Trial, options: Options, out: Path) -> Experiment:
    """The experiment, as long as its speed allows; once found, the length stays.

    Raises:
        BadInputError: If what is there is a trial of the same name with other settings.
    """
    experiment, path = trial.experiment(options), out / "length.json"
    settings = json.loads(to_json(experiment, Experiment))
    if not path.exists():
        cost = 1.0 if trial == first else relative_cost(experiment, first.experiment(options))
        images = max(1, round(options.images / cost / experiment.batch)) * experiment.batch
        found = {"images": images, "cost": cost, "experiment": settings}
        write_atomically(path, json.dumps(found).encode())
    found = json.loads(path.read_text())
    if found["experiment"] != settings:
        raise BadInputError(f"{out} is a trial with other settings; give this one another name, or remove the folder")
    often = min(experiment.checkpoint_every, max(experiment.batch, found["images"] // 10))
    return dataclasses.replace(experiment, images=found["images"], checkpoint_every=often)


def relative_cost(experiment: Experiment, other: Experiment) -> float:
    """How many times as long an image takes as one of the other's, of a few steps that are thrown away.

    Both in turn, so that whatever else the machine does slows both alike.
    """
    with tempfile.TemporaryDirectory() as directory:
        runs = [train(each, Path(directory) / str(k)) for k, each in enumerate((experiment, other))]
        turns = [
            [step.step_seconds for step in turn] for turn in islice(zip(*runs, strict=True), WARM_STEPS + TIMED_STEPS)
        ]
        for run in runs:
            run.close()  # pyright: ignore[reportAttributeAccessIssue]  it is a generator
    mine, others = (sum(times) for times in zip(*turns[WARM_STEPS:], strict=True))
    return mine / experiment.batch / (others / other.batch)


def measured(out: Path, sampler: str) -> Path:
    """Where a trial's figures by a sampler lie."""
    return out / re.sub(r"[^a-z0-9.]+", "-", sampler)


def plan(model: str, options: Options, sampler: str) -> Plan:
    """What is measured of a trial."""
    return Plan(
        model=model,
        task="inpainting",
        data=ImageFolder(path=options.held_out, resolution=ediffuser.load(model).resolution),
        count=options.count,
        batch=16,
        sampler=parse_component(sampler, AnySampler, "sampler"),
        holes=options.holes,
        matched=True,
        baselines=(),
        features="none",
        variations=1,
    )


@torch.no_grad()
def errors(model: Model, options: Options) -> list[float]:
    """Root mean square errors of x_0 in the fixed mixed holes at `LOG_SNR`, whatever the network predicts."""
    held_out = classes_in_turn(ImageFolder(path=options.held_out, resolution=model.resolution, flip=False).open())
    totals = torch.zeros(len(LOG_SNR), dtype=torch.float64)
    pixels = 0.0
    for start in range(0, options.count, 16):
        rows = range(start, min(start + 16, options.count))
        x0 = from_uint8(held_out.batch(rows))
        holes = draw_holes(HOLES["mixed"], rows, (x0.shape[2], x0.shape[3]))
        noise = Noise.rows(0, rows)
        denoiser = bound(model.denoiser, model.config.task.observe(x0, noise, holes))
        eps = noise.normal(x0.shape[1:])
        for k, level in enumerate(LOG_SNR):
            t = model.config.schedule.time(torch.tensor(level, dtype=torch.float64))
            wrong = denoiser(noised(model.config.schedule, x0, eps, t), t).x0 - x0
            totals[k] += (wrong.square() * holes).sum().item()
        pixels += holes.sum().item() * x0.shape[1]
    return (totals / pixels).sqrt().tolist()


def table(trials: list[Trial], options: Options) -> str:
    """Markdown, a line for each finished trial; intervals are of the difference from the first, picture by picture."""
    head = ["trial", "images", "cost of an image", *(f"error, {level:+g}" for level in LOG_SNR)]
    head += [f"{kind}, {sampler}" for sampler in options.samplers for kind in options.holes]
    first: dict[tuple[str, str], torch.Tensor] = {}
    lines = [head, ["---"] * len(head)]
    for trial in trials:
        out = options.out / trial.name
        if not (out / "errors.json").exists():
            continue
        cells = [trial.name, "0", ""]
        if trial.trained:
            length = json.loads((out / "length.json").read_text())
            cells = [trial.name, f"{length['images']:,}", f"{length['cost']:.2f}"]
        cells += [f"{error:.4f}" for error in json.loads((out / "errors.json").read_text())]
        cells += distances(out, options, first, trial is trials[0])
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def distances(out: Path, options: Options, first: dict[tuple[str, str], torch.Tensor], is_first: bool) -> Iterator[str]:
    """Perceptual distances, and how sure the change against the first trial is, once that one is finished."""
    for sampler in options.samplers:
        found = {each.group: each.values for each in scores(measured(out, sampler)) if each.method == MODEL}
        for kind in options.holes:
            values = found[kind]["distance"]
            if is_first:
                first[sampler, kind] = values
            compared = first.get((sampler, kind), values)
            low, high = bootstrap(values - compared)
            change = "" if compared is values else f" ({low:+.4f} to {high:+.4f})"
            yield f"{values.mean():.4f}{change}"


if __name__ == "__main__":
    main()
