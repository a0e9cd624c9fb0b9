"""The figures and the picture of a model card: an inpainter against classical methods on fixed holes.

    python scripts/model_card.py faces-128 --data celeba128-test.zip --count 500 --calls 10 --out out/model-card

Prints a table and writes `quality.json` and `comparison.png`. The figures come from the held-out pictures of `--data`;
the picture shows freely licensed ones, since most data sets may not be shown.
"""

import dataclasses
import io
import json
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm
from tyro.conf import Positional

import ediffuser
from ediffuser.data import ImageFolder
from ediffuser.evaluation.grid import picture_grid
from ediffuser.evaluation.holes import HOLE_SEED, HOLES, draw_holes
from ediffuser.evaluation.making import method
from ediffuser.evaluation.perceptual import Trunk
from ediffuser.evaluation.plan import MODEL, Plan
from ediffuser.evaluation.record import Looker, Record
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.summary import scores
from ediffuser.model import Model
from ediffuser.runtime.component import to_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.samplers import Ddim
from ediffuser.tasks.masks import AnyHoles

CLASSICAL = ("telea", "navier-stokes")
REQUIRED = {"brush": 0.85, "box": 0.65, "half": 0.65}
"""The largest ratio to the better classical method that a shipped model may have."""

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
        count: How many of them, by name from the first.
        calls: Calls of the network per picture (DDIM).
        eta: Noise of its steps, as a part of the posterior's: 0 is deterministic.
        seed: Of the noise; picture k is painted from (seed, k).
        trunk: Whose features ST-LPIPS compares.
        batch: Pictures at once.
        out: Where quality.json, comparison.png and the evaluation that they come from go.
        pictures: Folder of pictures to show instead of the bundled one; mind their licence.
    """

    model: Positional[str]
    data: Path
    count: int = 500
    calls: int = 10
    eta: float = 1.0
    seed: int = 0
    trunk: Trunk = "alex"
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
            seed=self.seed,
            batch=self.batch,
            sampler=Ddim(steps=self.calls, eta=self.eta),
            holes=tuple(HOLES),
            baselines=CLASSICAL,
            features="none",
            distance=f"st-lpips-{self.trunk}",
            variations=1,
        )


@dataclass(frozen=True)
class Row:
    """One method on one kind of hole: means over `count` pictures, and their standard errors."""

    method: str
    hole: str
    count: int
    st_lpips: float
    st_lpips_error: float
    psnr_db: float
    psnr_db_error: float


@dataclass(frozen=True)
class Ratio:
    """The distance of the model over that of the best classical method, on one kind of hole."""

    hole: str
    best: str
    ratio: float


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
    rows, distance = (
        [row(each.method, each.group, each.values) for each in scores(folder)],
        Record.read(folder).distance,
    )
    found = ratios(rows)
    print(markdown(rows))
    print(f"\n{distance.name}; first {run.count} of {run.data.name}; hole seed {HOLE_SEED}")
    print(f"{plan.way}; seed {run.seed}\n")
    print("\n".join(verdict(ratio) for ratio in found))
    quality = record(run, model, distance, rows, found)
    write_atomically(run.out / "quality.json", json.dumps(quality, indent=2, ensure_ascii=False).encode())
    shown = ImageFolder(path=str(run.pictures), resolution=model.resolution).open() if run.pictures else None
    images = shown.batch(range(min(len(shown), len(HOLES)))) if shown else astronauts(model.resolution)
    write_atomically(run.out / "comparison.png", encoded(comparison(plan, model, images)))


def row(method: str, hole: str, values: dict[str, Tensor]) -> Row:
    """Means over the pictures, and their standard errors."""
    columns = [values["distance"], values["psnr_hole"]]
    means = [part for x in columns for part in (x.mean().item(), (x.std() / len(x) ** 0.5).item())]
    return Row(method, hole, len(columns[0]), *means)


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """Mean ST-LPIPS of the model over the lowest of the classical methods, for each kind of hole."""
    found = []
    for ours in (row for row in rows if row.method == MODEL):
        best = min((r for r in rows if r.hole == ours.hole and r.method in CLASSICAL), key=lambda r: r.st_lpips)
        found.append(Ratio(ours.hole, best.method, ours.st_lpips / best.st_lpips))
    return found


def markdown(rows: Sequence[Row]) -> str:
    """Methods down, holes across; each cell is ST-LPIPS with its standard error, and the PSNR inside the hole."""
    methods, holes = dict.fromkeys(row.method for row in rows), dict.fromkeys(row.hole for row in rows)
    cells = {(row.method, row.hole): row for row in rows}
    lines = [["ST-LPIPS (PSNR in the hole)", *holes], ["---"] * (len(holes) + 1)]
    lines += [[method, *(cell(cells[method, hole]) for hole in holes)] for method in methods]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(row: Row) -> str:
    """One cell of the table."""
    return f"{row.st_lpips:.4f} ± {row.st_lpips_error:.4f} ({row.psnr_db:.1f} dB)"


def verdict(ratio: Ratio) -> str:
    """One line: the ratio, and whether the bound is met where there is one."""
    line = f"{ratio.hole}: {ratio.ratio:.3f} of {ratio.best}"
    if ratio.hole not in REQUIRED:
        return line
    return f"{line}, required {REQUIRED[ratio.hole]}: {'met' if met(ratio) else 'NOT MET'}"


def met(ratio: Ratio) -> bool | None:
    """Whether the bound is met; None where there is none."""
    return ratio.ratio <= REQUIRED[ratio.hole] if ratio.hole in REQUIRED else None


def record(run: Run, model: Model, distance: Looker, rows: list[Row], found: list[Ratio]) -> dict[str, Any]:
    """All figures, and all that is needed to get them again."""
    return {
        "metric": {"name": "ST-LPIPS", "trunk": run.trunk, "features": distance.name, "sha256": distance.sha256},
        "rounding": "8 bits; known pixels put back exactly",
        "data": {"file": run.data.name, "count": run.count, "indices": [0, run.count], "resolution": model.resolution},
        "holes": {"seed": HOLE_SEED, **{name: json.loads(to_json(holes, AnyHoles)) for name, holes in HOLES.items()}},
        "sampler": dataclasses.asdict(run.plan(model.resolution).way),
        "calls": run.calls,
        "seed": run.seed,
        "precision": str(model.precision).removeprefix("torch."),
        "table": [dataclasses.asdict(row) for row in rows],
        "ratios": [
            {**dataclasses.asdict(ratio), "required": REQUIRED.get(ratio.hole), "met": met(ratio)} for ratio in found
        ],
        "made": {
            # Names instead of paths: the card travels, the folders of the machine do not.
            "command": shlex.join(["python", "scripts/model_card.py", *(Path(word).name for word in sys.argv[1:])]),
            "date": date.today().isoformat(),
            "machine": f"{platform.machine()}, {model.device.type}, {torch.get_num_threads()} threads",
            "torch": torch.__version__,
        },
    }


def comparison(plan: Plan, model: Model, images: Tensor) -> Image.Image:
    """Each kind of hole in one picture, uint8, painted by every method, ours from two seeds."""
    size, rows = (model.resolution, model.resolution), []
    for index, kind in enumerate(HOLES.values()):
        image, hole = images[index % len(images)][None], draw_holes(kind, range(index, index + 1), size)
        row = {"original": image, "hole": torch.where(hole > 0, 255, image)}
        row |= {name: method(name, plan, model)(image, hole, [(plan.seed, index)])[0] for name in CLASSICAL}
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
