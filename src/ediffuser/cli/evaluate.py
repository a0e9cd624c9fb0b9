"""`ediffuser evaluate MODEL --data D --task T`: what a model is worth, in a table and a picture."""

import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from tqdm import tqdm
from tyro.conf import Positional, UseAppendAction, arg

from ediffuser.cli.bias import GroupChoice
from ediffuser.cli.common import UNCHOSEN, SamplerChoice, chosen_conditioning
from ediffuser.cli.options import first_fault
from ediffuser.data import data_set_at
from ediffuser.evaluation.plan import BASELINES, COMPARED, Plan, TaskName, usual_way
from ediffuser.evaluation.report import GRID, TABLE
from ediffuser.evaluation.run import Progress
from ediffuser.evaluation.run import evaluate as measure
from ediffuser.model import ModelConfig, load_config
from ediffuser.runtime.device import PrecisionName
from ediffuser.runtime.distributed import LONG_PATIENCE, processes
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.signals import stop_on_signals
from ediffuser.zoo import find

EVALUATIONS = Path("runs/evaluations")
LINE_EVERY_S = 10


def evaluate(
    model: Positional[str],
    data: str,
    task: TaskName,
    out: Path | None = None,
    count: int = 500,
    compared: int = COMPARED,
    split: Literal["train", "test"] | None = None,
    held_out: str | None = None,
    holes: str | None = None,
    matched: bool = True,
    baselines: str | None = None,
    variations: int = 4,
    way: SamplerChoice = UNCHOSEN,
    conditioning: str | None = None,
    features: str = "auto",
    distance: str = "auto",
    nll: Literal["vlb", "ode"] | None = None,
    speed: bool = False,
    bias: UseAppendAction[tuple[Path, ...]] = (),
    columns: Annotated[str | None, arg(name="group")] = None,
    seed: int = 0,
    batch: int = 50,
    device: str = "auto",
    precision: PrecisionName = "auto",
) -> None:
    """Measures a model: a table with all that its figures depend on, figures.json, and a picture of the data's.

    Killed or stopped at any instant, the same command goes on where it was. Under torchrun the work is shared.

    Example: ediffuser evaluate photos-128 --data faces-test.zip --task inpainting --count 200 --holes brush,box

    Args:
        model: A shipped model (`ediffuser models list`), or a checkpoint or run directory.
        data: A folder or .zip of pictures, or a folder with the files of CIFAR-10, MNIST or Fashion-MNIST. Held-out
            ones; for generation those that were trained on are usual, since they are compared as sets.
        task: What the model is asked to do; generation compares with the data as a set.
        out: Where the evaluation lies; runs/evaluations/MODEL-TASK if not given.
        count: How many pictures, the first ones; below 2000 there is no Fréchet distance, but a kernel distance.
        compared: For generation: with how many pictures of the data the model's are compared.
        split: Which part of the data, where they have parts; if not given, train for generation, else test.
        held_out: With --nll for generation, whose likelihood is measured: pictures that were not trained on. If not
            given, the test part of the data, where they have parts, else the data.
        holes: Kinds of holes, of thin,brush,box,half,mixed,smooth; all if not given.
        matched: Of inpainting: colours are moved to meet the known picture, as the editor does; --no-matched takes the
            model's picture as it is, to compare models and samplers.
        baselines: What to compare with, of telea,navier-stokes,biharmonic for inpainting and grey for colorization;
            all if not given, none if "none".
        variations: How many pictures to make of each of the first 64 observations, to see how much they differ.
        way: From noise to the picture.
        conditioning: How a model that was not trained on the task is made to respect what is known, such as repaint.
        features: Whose features compare sets of pictures: auto, inception, efficientnet-lite0, cifar10 or none.
        distance: The perceptual distance of two pictures: auto, lpips-alex, lpips-vgg, st-lpips-alex, st-lpips-vgg,
            none; auto is LPIPS where its weights are at hand.
        nll: Likelihood as well, by the variational bound or by the ODE.
        speed: Seconds as well; these alone differ from run to run.
        bias: Who belongs to which group, to see whether all are treated alike: a table of attributes (.csv), or a
            classifier of your own (.onnx, docs/bias.md); may be given twice, for both.
        columns: Which columns of the table make the groups, such as Male, or Male,Young for both together.
        seed: Other seeds give other results.
        batch: How many pictures are made at once, and lost at most when the evaluation is killed.
        device: auto, cpu, cuda ...
        precision: auto, float32 or bf16.
    """
    with processes(LONG_PATIENCE) as group, stop_on_signals() as stop:
        with group.together():
            choice = GroupChoice.of(bias, columns)
            config = load_config(find(model))
            pictures = _data(data, config, split or ("train" if task == "generation" else "test"))
            with_parts = task == "generation" and nll is not None and hasattr(pictures, "split")
            plan = _plan(
                model=model,
                task=task,
                data=pictures,
                split=split or getattr(pictures, "split", "all"),
                held_out=_data(held_out or data, config, "test") if held_out or with_parts else None,
                count=count,
                compared=compared,
                seed=seed,
                batch=batch,
                sampler=way.chosen(usual_way(task)),
                conditioning=chosen_conditioning(conditioning),
                features=features,
                distance=distance,
                variations=variations,
                nll=nll,
                speed=speed,
                classifier=choice.classifier,
                precision=precision,
                matched=matched and task == "inpainting",
                baselines=_names(baselines, BASELINES[task]),
                **({} if holes is None else {"holes": _names(holes, ())}),
            )
            groups = choice.groups(plan)
        out = out or EVALUATIONS / f"{Path(model).name}-{task}"
        steps = measure(plan, out, device=device, group=group, stop=stop)
        for progress in _shown(steps) if group.first else steps:
            del progress
    if stop.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if group.first and stop:
        print(_stopped(stop))
    elif group.first:
        told = choice.report(out, groups)
        print((out / TABLE).read_text() + f"\n{out / GRID}: pictures of {plan.data.path}" + told)


def _plan(**fields: object) -> Plan:
    try:
        return Plan(**fields)  # pyright: ignore[reportArgumentType]  pydantic says what does not fit
    except pydantic.ValidationError as error:
        raise BadInputError(f"evaluate: {first_fault(error)}") from error


def _data(path: str, config: ModelConfig, split: Literal["train", "test"]):  # noqa: ANN202
    channels = config.picture_channels
    if channels not in (1, 3):
        raise BadInputError(f"the model's pictures have {channels} channels; data have 1 or 3")
    return data_set_at(path, config.network.resolution, channels=channels, split=split, flip=False)


def _names(text: str | None, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return otherwise
    return () if text == "none" else tuple(name.strip() for name in text.split(",") if name.strip())


def _shown(steps: Iterable[Progress]) -> Iterable[Progress]:
    """The steps, with a bar on a terminal, or else a line for each."""
    if not sys.stderr.isatty():
        said = time.monotonic()
        for step in steps:
            what = "begun" if step.piece is None else f"{step.piece.name}"
            if step.seen is None or time.monotonic() - said >= LINE_EVERY_S:
                within = "" if step.seen is None else f", {step.seen} pictures seen"
                print(f"{step.done}/{step.total} parts, {what}{within}", file=sys.stderr, flush=True)
                said = time.monotonic()
            yield step
        return
    with tqdm(unit="part", smoothing=0.1) as bar:
        for step in steps:
            bar.total = step.total
            bar.set_description(step.piece.name if step.piece else "", refresh=False)
            bar.set_postfix_str("" if step.seen is None else f"{step.seen} pictures seen")
            bar.update(step.done - bar.n)
            yield step


def _stopped(stop) -> str:  # noqa: ANN001
    return f"stopped by {signal.Signals(stop.signal).name}; the same command goes on"
