"""The figures and the picture of a model card: an inpainter against classical methods on fixed holes.

    python scripts/model_card.py photos-128 --data celeba128-test.zip --shows aligned_faces --out out/model-card

Prints tables and whether what was aimed at is reached, and writes `quality-celeba128-test.json`, of which a model has
one for each data set, and `comparison.png`. The figures are those of `ediffuser evaluate` on the held-out pictures of
`--data`, kept in OUT/evaluation: killed, it goes on. The picture shows freely licensed ones, since most data sets may
not be shown.
"""

import dataclasses
import io
import json
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm
from tyro.conf import Positional

import ediffuser
from ediffuser.cli.options import parse_component
from ediffuser.data import ImageFolder
from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.grid import picture_grid
from ediffuser.evaluation.holes import HOLE_SEED, HOLES, KINDS, SMOOTH, draw_holes
from ediffuser.evaluation.making import method
from ediffuser.evaluation.plan import MODEL, Plan
from ediffuser.evaluation.record import Record
from ediffuser.evaluation.report import cell, notes
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.seam import SEAM
from ediffuser.evaluation.summary import figures
from ediffuser.model import Framing, Model
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.samplers import AnySampler

AIMS: Mapping[Framing, Mapping[str, float]] = {
    "aligned_faces": {"brush": 0.5, "box": 0.5, "half": 0.5, "mixed": 1.0},
    "free": {"brush": 1.0, "box": 1.0, "half": 1.0},
}
"""By what the pictures show: the largest ratio to the best classical method on each kind of hole."""

SEAM_AIM = 1.25
"""The largest step across the border of a smooth hole, over that of the untouched picture."""

DISTANCE = "ST-LPIPS"
COMPARED = (DISTANCE, "FD", "KD")
SHOWN = (*COMPARED, "PSNR in the hole", SEAM, f"diversity, {DISTANCE}")

ASTRONAUT = Path(__file__).parents[1] / "examples" / "astronaut.png"
EYES_PX = (224.75, 102)
CROPS = ((200, False), (200, True), (180, False), (180, True), (220, False))
"""Side in pixels, and whether mirrored; 200 has the eyes where aligned CelebA faces have them."""


@dataclass(frozen=True)
class Run:
    """What is measured, and on what.

    Attributes:
        model: A name in the zoo, or a checkpoint or run directory.
        data: Folder or zip of held-out pictures.
        shows: What they show, which says what is aimed at; None is what the model's training pictures show.
        count: How many of them, by name from the first.
        diverse: Of how many of them several pictures are made, to see how they differ.
        holes: Kinds of holes.
        sampler: As `ediffuser inpaint --sampler` takes it; the default one if not given.
        seed: Of the noise; picture k is painted from (seed, k).
        batch: Pictures at once.
        out: Where quality-*.json, comparison.png and the evaluation that they come from go.
        pictures: Folder of pictures to show instead of the bundled one; mind their licence.
    """

    model: Positional[str]
    data: Path
    shows: Framing | None = None
    count: int = 500
    diverse: int = 64
    holes: tuple[str, ...] = KINDS
    sampler: str = ""
    seed: int = 0
    batch: int = 50
    out: Path = Path("out/model-card")
    pictures: Path | None = None

    def plan(self, resolution: int) -> Plan:
        """What is measured of pictures of a size."""
        return Plan(
            model=str(self.model),
            task="inpainting",
            data=ImageFolder(path=str(self.data), resolution=resolution),
            count=self.count,
            diverse=self.diverse,
            holes=self.holes,
            seed=self.seed,
            matched=True,
            batch=self.batch,
            sampler=parse_component(self.sampler, AnySampler, "sampler") if self.sampler else None,
            features="efficientnet-lite0",
            distance="st-lpips-alex",
        )


@dataclass(frozen=True)
class Verdict:
    """What is compared on one kind of hole, and whether what was aimed at is reached.

    Attributes:
        figure: Its name.
        hole: The kind of hole.
        beside: The best classical method, or the untouched picture.
        ratio: The model's figure over that; None where that is not above 0, or is missing.
        aim: The largest ratio that was aimed at, if any.
    """

    figure: str
    hole: str
    beside: str
    ratio: float | None
    aim: float | None

    @property
    def met(self) -> bool | None:
        """Whether what was aimed at is reached; None where nothing was, or where it cannot be said."""
        return None if self.aim is None or self.ratio is None else self.ratio <= self.aim

    def __str__(self) -> str:
        ratio = "no ratio" if self.ratio is None else f"{self.ratio:.3f}"
        said = {True: "met", False: "NOT MET", None: "cannot be said"}[self.met]
        line = f"{self.figure}, {self.hole}: {ratio} of {self.beside}"
        return line if self.aim is None else f"{line}, at most {self.aim}: {said}"


def main() -> None:
    """Measures, prints, writes; exit code 2 with one line where the input cannot be used."""
    run = tyro.cli(Run, description=__doc__)
    try:
        model_card(run)
    except BadInputError as error:
        print(f"model_card: {error}", file=sys.stderr)
        sys.exit(2)


def model_card(run: Run) -> None:
    """The whole card of one run.

    Raises:
        BadInputError: If the model or the data cannot be used, or a package is missing.
    """
    model = ediffuser.load(run.model)
    plan, folder = run.plan(model.resolution), run.out / "evaluation"
    for _ in tqdm(evaluate(plan, folder), total=sum(1 for _ in plan.pieces()), leave=False):
        pass
    (context, found), known = figures(folder), Record.read(folder)
    verdicts = list(judged(found, run.shows or model.config.framing))
    print("\n\n".join(table(found, name) for name in names(found)))
    print(f"\n{notes(known, context, found)}\n")
    print("\n".join(map(str, verdicts)))
    quality = {
        "context": dataclasses.asdict(context),
        "resolution": model.resolution,
        "precision": str(model.precision).removeprefix("torch."),
        "holes": {"seed": HOLE_SEED, "set": known.hole_set},
        "figures": [dataclasses.asdict(figure) for figure in found],
        "verdicts": [{**dataclasses.asdict(verdict), "met": verdict.met} for verdict in verdicts],
        "made": made(model),
    }
    written = json.dumps(quality, indent=2, ensure_ascii=False)
    write_atomically(run.out / f"quality-{run.data.stem}.json", written.encode())
    shown = ImageFolder(path=str(run.pictures), resolution=model.resolution).open() if run.pictures else None
    images = shown.batch(range(min(len(shown), len(HOLES)))) if shown else astronauts(model.resolution)
    write_atomically(run.out / "comparison.png", encoded(comparison(plan, model, images)))


def names(found: Sequence[Figure]) -> list[str]:
    """The figures of a card, in the order in which it shows them."""
    there = dict.fromkeys(figure.name for figure in found)
    return [name for name in SHOWN if name in there]


def table(found: Sequence[Figure], name: str) -> str:
    """One figure as Markdown: methods down, holes across, each with its 95 % interval."""
    cells = {(figure.method, figure.group): figure for figure in found if figure.name == name}
    holes = list(dict.fromkeys(hole for _, hole in cells))
    unit = next(iter(cells.values())).unit
    lines = [[f"{name}{unit and f', {unit}'}", *holes], ["---"] * (len(holes) + 1)]
    for who in dict.fromkeys(who for who, _ in cells):
        lines.append([who, *(cell(cells[who, hole]) if (who, hole) in cells else "" for hole in holes)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def judged(found: Sequence[Figure], framing: Framing) -> Iterator[Verdict]:
    """The model beside the best classical method, by each figure of `COMPARED` on each kind of hole, and its seams."""
    of = {(figure.name, figure.group, figure.method): figure.value for figure in found}
    for name, hole in [(name, hole) for name, hole, who in of if who == MODEL and name in COMPARED]:
        others = {who: value for (a, b, who), value in of.items() if (a, b) == (name, hole) and who != MODEL}
        best = min(others, key=lambda who: others[who])
        ratio = of[name, hole, MODEL] / others[best] if others[best] > 0 else None
        yield Verdict(name, hole, best, ratio, AIMS[framing].get(hole))
    yield Verdict(SEAM, SMOOTH, "the untouched pictures", of.get((SEAM, SMOOTH, MODEL)), SEAM_AIM)


def made(model: Model) -> dict[str, str]:
    """How, when and where the figures were made."""
    return {
        # Names instead of paths: the card travels, the folders of the machine do not.
        "command": shlex.join(["python", "scripts/model_card.py", *(Path(word).name for word in sys.argv[1:])]),
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {model.device.type}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }


def comparison(plan: Plan, model: Model, images: Tensor) -> Image.Image:
    """Each kind of hole in one picture, uint8, painted by every method, ours from two seeds."""
    size, rows = (model.resolution, model.resolution), []
    for index, kind in enumerate(HOLES.values()):
        image, hole = images[index % len(images)][None], draw_holes(kind, range(index, index + 1), size)
        row = {"original": image, "hole": torch.where(hole > 0, 255, image)}
        row |= {name: method(name, plan, model)(image, hole, [(plan.seed, index)])[0] for name in plan.methods}
        for seed in (plan.seed, plan.seed + 1):
            row[f"ours, seed {seed}"] = method(MODEL, plan, model)(image, hole, [(seed, index)])[0]
        rows.append(row)
    return picture_grid([[picture[0] for picture in row.values()] for row in rows], list(rows[0]), list(HOLES))


def astronauts(resolution: int) -> Tensor:
    """The face of the bundled portrait (NASA, public domain) in several crops, uint8, shape (5, 3, R, R)."""
    portrait = Image.open(ASTRONAUT).convert("RGB")
    return torch.stack([_face(portrait, side, mirrored, resolution) for side, mirrored in CROPS])


def _face(portrait: Image.Image, side: int, mirrored: bool, resolution: int) -> Tensor:
    left, top = round(EYES_PX[0] - 0.5 * side), max(0, round(EYES_PX[1] - 0.51 * side))
    face = portrait.resize((resolution, resolution), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    return torch.from_numpy(np.array(ImageOps.mirror(face) if mirrored else face)).permute(2, 0, 1)


def encoded(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
