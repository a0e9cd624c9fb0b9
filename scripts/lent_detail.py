"""What the photo's own detail is worth in an edit: fills without and with it, beside the truth, at the photo's size.

    python scripts/lent_detail.py photos-128 --out out/lent-detail

The photos are those that scikit-image ships and two of examples/, with fixed holes, painted as the editor does. Prints
ST-LPIPS of each fill in a window of the photo's own pixels, and writes comparison.png. "smooth" for the model paints no
more than the surrounding colours, spread: a fill without any detail, and the seconds are then what lending takes.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
import torch
import tyro
from PIL import Image
from scipy import stats
from torch import Tensor
from tyro.conf import Positional

import ediffuser
from ediffuser.editing.crop import CONTEXT
from ediffuser.editing.inpaint import inpaint_variations
from ediffuser.editing.photo import Photo
from ediffuser.evaluation.grid import picture_grid
from ediffuser.evaluation.perceptual import StLpips
from ediffuser.tasks.smooth_fill import smooth_fill

EXAMPLES = Path(__file__).parents[1] / "examples"
SHIPPED = Path(skimage.data.__file__).parent
PHOTOS = {
    "grass": SHIPPED / "grass.png",
    "gravel": SHIPPED / "gravel.png",
    "brick": SHIPPED / "brick.png",
    "meadow": EXAMPLES / "meadow.jpg",
    "bridge": EXAMPLES / "bridge.jpg",
    "cat": SHIPPED / "chelsea.png",
    "coffee": SHIPPED / "coffee.png",
    "rocket": SHIPPED / "rocket.jpg",
    "moon": SHIPPED / "moon.png",
    "camera": SHIPPED / "camera.png",
    "tissue": SHIPPED / "ihc.png",
    "astronaut": EXAMPLES / "astronaut.png",
}
PLACES = ((0.5, 0.45, 0.13), (0.35, 0.3, 0.09), (0.68, 0.62, 0.09))
"""Holes: row, column and radius of discs, in sides of the photo; one after the other, each alone."""
SHOWN_PX = 192
SMOOTH = "smooth"


@dataclass(frozen=True)
class Options:
    """What is painted.

    Attributes:
        model: A name in the zoo, a checkpoint or run directory, or "smooth".
        context: Side of what the model sees over the hole's longer side.
        seed: Of the noise.
        out: Where comparison.png goes.
    """

    model: Positional[str]
    context: float = CONTEXT
    seed: int = 0
    out: Path = Path("out/lent-detail")


@dataclass(frozen=True)
class Found:
    """One hole: distances without and with detail, how much longer it took, and the pictures, shape (3, s, s)."""

    name: str
    without: float
    with_detail: float
    seconds: float
    pictures: list[Tensor]


def main(options: Options) -> None:
    """Paints, measures, prints, writes."""
    resolution, fill = painter(options)
    distance = StLpips()
    found = [
        each for name, path in PHOTOS.items() for each in compared(name, path, resolution, fill, distance, options)
    ]
    print("| photo | without | with the photo's detail | seconds |\n|---|---|---|---|")
    for name in PHOTOS:
        of_photo = [each for each in found if each.name == name]
        print(row(name, of_photo))
    print(row("mean", found))
    changes = [np.mean([each.with_detail - each.without for each in found if each.name == name]) for name in PHOTOS]
    half = stats.t.ppf(0.975, len(changes) - 1) * np.std(changes, ddof=1) / len(changes) ** 0.5
    print(f"mean change {np.mean(changes):.4f} ± {half:.4f} (95 %, over photos)")
    options.out.mkdir(parents=True, exist_ok=True)
    shown = [next(each for each in found if each.name == name) for name in PHOTOS]
    sheet = picture_grid([each.pictures for each in shown], ["photo", "without", "with"], list(PHOTOS))
    sheet.save(options.out / "comparison.png", optimize=True)


def row(name: str, found: list[Found]) -> str:
    """A line of the table: means."""
    figures = np.mean([(each.without, each.with_detail, each.seconds) for each in found], axis=0)
    return f"| {name} | {figures[0]:.4f} | {figures[1]:.4f} | {figures[2]:.2f} |"


def painter(options: Options) -> tuple[int, Callable[[Tensor, Tensor, int], Tensor]]:
    """The side of the pictures that are painted, and what paints them."""
    if options.model == SMOOTH:
        return 128, lambda images, holes, index: smooth_fill(images, holes)
    model = ediffuser.load(options.model)
    return model.resolution, lambda images, holes, index: ediffuser.inpaint(
        model, images, holes, seed=options.seed, first_index=index
    )


def compared(
    name: str,
    path: Path,
    resolution: int,
    fill: Callable[[Tensor, Tensor, int], Tensor],
    distance: StLpips,
    options: Options,
) -> Iterator[Found]:
    """Each hole of a photo."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    for row_, column, radius in PLACES:
        hole = disc(pixels.shape[:2], row_, column, radius)
        fills, taken = [], []
        for detail in (False, True):
            started = time.perf_counter()
            fills.append(one(pixels, hole, fill, resolution, options.context, detail))
            taken.append(time.perf_counter() - started)
        window = around(hole)
        views = [torch.from_numpy(each[window].copy()).permute(2, 0, 1) for each in (pixels, *fills)]
        true, without, with_detail = (view[None] / 127.5 - 1 for view in views)
        yield Found(
            name,
            distance(without, true).item(),
            distance(with_detail, true).item(),
            taken[1] - taken[0],
            [shown(view) for view in views],
        )


def one(
    pixels: np.ndarray,
    hole: np.ndarray,
    fill: Callable[[Tensor, Tensor, int], Tensor],
    resolution: int,
    context: float,
    detail: bool,
) -> np.ndarray:
    """The photo with its hole painted."""
    photo = Photo(pixels, None)
    painted = inpaint_variations(photo, hole, fill, resolution, variations=1, context=context, detail=detail)
    return next(iter(painted)).pixels


def disc(shape: tuple[int, ...], row_: float, column: float, radius: float) -> np.ndarray:
    """A round hole."""
    side = min(shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - row_ * shape[0]) ** 2 + (columns - column * shape[1]) ** 2 < (radius * side) ** 2


def around(hole: np.ndarray) -> tuple[slice, slice]:
    """The window twice as large as the hole."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    half = (rows[-1] - rows[0] + 1) // 2
    return slice(max(0, rows[0] - half), rows[-1] + half + 1), slice(max(0, columns[0] - half), columns[-1] + half + 1)


def shown(view: Tensor) -> Tensor:
    """The window at one size."""
    picture = Image.fromarray(view.permute(1, 2, 0).numpy()).resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
