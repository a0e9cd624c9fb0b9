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
from collections.abc import Mapping
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
from ediffuser.evaluation.classical import navier_stokes, telea
from ediffuser.evaluation.grid import picture_grid
from ediffuser.evaluation.inpainting import HOLE_SEED, HOLES, Fill, compose, draw_holes, evaluate_inpainting, model_fill
from ediffuser.evaluation.perceptual import StLpips, Trunk
from ediffuser.evaluation.table import Ratio, Row, markdown, ratios, summarise
from ediffuser.model import Model
from ediffuser.runtime.component import to_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.pixels import from_uint8
from ediffuser.samplers import Ddim
from ediffuser.tasks.masks import AnyHoles

CLASSICAL: Mapping[str, Fill] = {"Telea": telea, "Navier-Stokes": navier_stokes}
OURS = "model"
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
        out: Where quality.json and comparison.png go.
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

    @property
    def sampler(self) -> Ddim:
        """The way from noise to a picture."""
        return Ddim(steps=self.calls, eta=self.eta)


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
    model, distance = ediffuser.load(run.model), StLpips(run.trunk)
    rows = measure(run, model, distance.to(model.device))
    found = ratios(rows, OURS, list(CLASSICAL))
    print(markdown(rows))
    print(f"\n{distance.name}; first {run.count} of {run.data.name}; hole seed {HOLE_SEED}")
    print(f"{run.sampler}; seed {run.seed}\n")
    print("\n".join(verdict(ratio) for ratio in found))
    run.out.mkdir(parents=True, exist_ok=True)
    quality = record(run, model, distance, rows, found)
    write_atomically(run.out / "quality.json", json.dumps(quality, indent=2, ensure_ascii=False).encode())
    shown = ImageFolder(path=str(run.pictures), resolution=model.resolution).open() if run.pictures else None
    images = shown.batch(range(min(len(shown), len(HOLES)))) if shown else astronauts(model.resolution)
    write_atomically(run.out / "comparison.png", encoded(comparison(run, model, from_uint8(images))))


def measure(run: Run, model: Model, distance: StLpips) -> list[Row]:
    """The table, with a progress bar on stderr."""
    pictures = ImageFolder(path=str(run.data), resolution=model.resolution).open()
    methods = {**CLASSICAL, OURS: model_fill(model, run.sampler, run.seed)}
    scores = evaluate_inpainting(methods, pictures, distance, count=run.count, batch=run.batch)
    return summarise(tqdm(scores, total=-(-run.count // run.batch) * len(HOLES) * len(methods), leave=False))


def verdict(ratio: Ratio) -> str:
    """One line: the ratio, and whether the bound is met where there is one."""
    line = f"{ratio.hole}: {ratio.ratio:.3f} of {ratio.best}"
    if ratio.hole not in REQUIRED:
        return line
    return f"{line}, required {REQUIRED[ratio.hole]}: {'met' if met(ratio) else 'NOT MET'}"


def met(ratio: Ratio) -> bool | None:
    """Whether the bound is met; None where there is none."""
    return ratio.ratio <= REQUIRED[ratio.hole] if ratio.hole in REQUIRED else None


def record(run: Run, model: Model, distance: StLpips, rows: list[Row], found: list[Ratio]) -> dict[str, Any]:
    """All figures, and all that is needed to get them again."""
    return {
        "metric": {"name": "ST-LPIPS", "trunk": distance.trunk, "features": distance.name, "sha256": distance.sha256},
        "rounding": "8 bits; known pixels put back exactly",
        "data": {"file": run.data.name, "count": run.count, "indices": [0, run.count], "resolution": model.resolution},
        "holes": {"seed": HOLE_SEED, **{name: json.loads(to_json(holes, AnyHoles)) for name, holes in HOLES.items()}},
        "sampler": dataclasses.asdict(run.sampler),
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


def comparison(run: Run, model: Model, images: Tensor) -> Image.Image:
    """Each kind of hole in one picture, painted by every method, ours from two seeds; images in [-1, 1]."""
    size = (model.resolution, model.resolution)
    ours = {f"ours, seed {seed}": model_fill(model, run.sampler, seed) for seed in (run.seed, run.seed + 1)}
    methods = {**CLASSICAL, **ours}
    rows = []
    for index, kind in enumerate(HOLES.values()):
        image, hole = images[index % len(images)][None], draw_holes(kind, range(index, index + 1), size)
        filled = [image, torch.ones_like(image), *(fill(image, hole, index).cpu() for fill in methods.values())]
        rows.append([compose(image, picture, hole)[0] for picture in filled])
    return picture_grid(rows, ["original", "hole", *methods], list(HOLES))


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
