"""At how many calls of the network an inpainter is as good as at a thousand, with which sampler.

    python scripts/few_calls.py photos-128 --data celeba128-val.zip --count 100 --out out/few-calls

Every sampler fills the same holes of the same held-out pictures with several numbers of calls, and 1,000 ancestral
steps fill the first ones. Prints a table of the perceptual distance over theirs, on the pictures that both have, with
the interval of the paired difference, and writes few-calls.json and few-calls.svg. Killed, it goes on; started on each
core (`taskset`), several of these share the work.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from torch import Tensor
from tyro.conf import Positional

from ediffuser.cli.options import parse_component
from ediffuser.data import ImageFolder
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.plan import MODEL, Plan
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.report import FIGURES
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.summary import scores
from ediffuser.model import load_config
from ediffuser.runtime.errors import BadInputError, InUseError
from ediffuser.runtime.files import write_atomically
from ediffuser.samplers import AnySampler
from ediffuser.studies.plots import Point, curves
from ediffuser.zoo import find

SAMPLERS = {
    "DDIM": "ddim steps={}",
    "DDIM, eta 1": "ddim steps={} eta=1",
    "DDIM, eta 1, quadratic": "ddim steps={} eta=1 spacing=quadratic",
    "DPM-Solver++": "dpm_solver++ steps={}",
    "UniPC": "unipc steps={}",
}
REFERENCE = "ancestral steps=1000"
AIMS = {5: 1.10, 10: 1.02}
"""The largest distance over that of `REFERENCE` that a default should have at so many calls."""


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        model: A name in the zoo, or a checkpoint or run directory.
        data: Held-out pictures.
        count: How many of them.
        compared: How many of those the thousand steps fill; they take their time.
        calls: Calls of the network for a picture.
        holes: Kinds of holes.
        out: Where the evaluations and the result go.
        report: Only make the table and the plot of what is finished.
    """

    model: Positional[str]
    data: str
    count: int = 100
    compared: int = 32
    calls: tuple[int, ...] = (5, 8, 10, 16, 25)
    holes: tuple[str, ...] = ("brush", "box")
    out: Path = Path("out/few-calls")
    report: bool = False


@dataclass(frozen=True)
class Row:
    """A sampler at a number of calls: the mean distance, and that of the compared ones over the reference's."""

    sampler: str
    calls: int
    distance: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float


def main() -> None:
    """Measures, prints, writes; exit code 2 with one line where the input cannot be used."""
    options = tyro.cli(Options, description=__doc__)
    try:
        waited = False
        for text in () if options.report else asked(options):
            try:
                for _ in evaluate(plan(text, options), folder(text, options)):
                    pass
                print(f"{text}: measured", flush=True)
            except InUseError:
                print(f"{text}: another process is at it", flush=True)
                waited = True
        if waited:
            print("not all is measured yet; the same command with --report makes the table once it is")
            return
        rows = list(compared(options))
        print(table(rows))
        write(rows, options)
    except BadInputError as error:
        print(f"few_calls: {error}", file=sys.stderr)
        sys.exit(2)


def asked(options: Options) -> list[str]:
    """All samplers at all numbers of calls, the few ones first, the reference last."""
    return [text.format(calls) for calls in options.calls for text in SAMPLERS.values()] + [REFERENCE]


def plan(text: str, options: Options) -> Plan:
    """What is measured of a sampler."""
    side = load_config(find(options.model)).network.resolution
    return Plan(
        model=options.model,
        task="inpainting",
        data=ImageFolder(path=options.data, resolution=side),
        count=min(options.compared, options.count) if text == REFERENCE else options.count,
        batch=16,
        sampler=parse_component(text, AnySampler, "sampler"),
        holes=options.holes,
        matched=True,
        baselines=(),
        features="none",
        variations=1,
    )


def folder(text: str, options: Options) -> Path:
    """Where a sampler's evaluation lies."""
    return options.out / "evaluations" / text.replace(" ", "-").replace("=", "-")


def measured(options: Options) -> str:
    """The first sampler that is measured to its end."""
    return next(text for text in asked(options) if (folder(text, options) / FIGURES).exists())


def distances(text: str, options: Options) -> Tensor | None:
    """The perceptual distance of each picture, the mean over kinds of holes; None if it is not measured to the end."""
    out = folder(text, options)
    if not (out / FIGURES).exists():
        return None
    kinds = [each.values["distance"] for each in scores(out) if each.method == MODEL]
    return sum(kinds[1:], kinds[0]) / len(kinds)


def compared(options: Options) -> Iterator[Row]:
    """All that is measured, beside the reference.

    Raises:
        BadInputError: If the reference is not measured yet.
    """
    reference = distances(REFERENCE, options)
    if reference is None:
        raise BadInputError(f"'{REFERENCE}', which the others are compared with, is not measured to its end yet")
    mean = reference.mean().item()
    for name, text in SAMPLERS.items():
        for calls in options.calls:
            values = distances(text.format(calls), options)
            if values is not None:
                both = min(len(values), len(reference))
                own, change = reference[:both].mean().item(), values[:both] - reference[:both]
                ratio, *ends = (1 + end / own for end in (change.mean().item(), *bootstrap(change)))
                yield Row(name, calls, values.mean().item(), *bootstrap(values), ratio, *ends)
    yield Row("ancestral", 1000, mean, *bootstrap(reference), 1.0, 1.0, 1.0)


def table(rows: list[Row]) -> str:
    """Markdown: samplers down, calls across; the ratio with its interval."""
    names, calls = dict.fromkeys(row.sampler for row in rows), sorted({row.calls for row in rows})
    cells = {(row.sampler, row.calls): f"{row.ratio:.3f} [{row.ratio_low:.3f}, {row.ratio_high:.3f}]" for row in rows}
    lines = [["distance over that of 1,000 ancestral steps", *map(str, calls)], ["---"] * (len(calls) + 1)]
    lines += [[name, *(cells.get((name, count), "") for count in calls)] for name in names]
    for count, most in AIMS.items():
        of_count = [row for row in rows if row.calls == count]
        best = min(of_count, key=lambda row: row.ratio, default=None)
        if best:
            met = "met" if best.ratio_high <= most else "not met" if best.ratio_low > most else "not certain"
            lines.append([f"at most {most} at {count} calls: {met}, {best.sampler}", *[""] * len(calls)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(rows: list[Row], options: Options) -> None:
    """few-calls.json and few-calls.svg."""
    reference, other = (Record.read(folder(text, options)) for text in (REFERENCE, measured(options)))
    lines = {
        name: [Point(row.calls, row.ratio, row.ratio_low, row.ratio_high) for row in rows if row.sampler == name]
        for name in dict.fromkeys(row.sampler for row in rows)
    }
    looker = reference.distance
    figures = {
        "model_sha256": reference.model_sha256,
        "data": reference.plan.data.path,
        "count": other.plan.count,
        "compared": min(reference.plan.count, other.plan.count),
        "holes": [reference.hole_set, *reference.plan.holes],
        "distance": looker.name if looker else "",
        "rows": [row.__dict__ for row in rows],
    }
    write_atomically(options.out / "few-calls.json", json.dumps(figures, indent=2).encode() + b"\n")
    label = "ST-LPIPS over that of 1,000 ancestral steps"
    svg = curves({name: points for name, points in lines.items() if points}, label, "few-calls")
    write_atomically(options.out / "few-calls.svg", svg.encode())


if __name__ == "__main__":
    main()
