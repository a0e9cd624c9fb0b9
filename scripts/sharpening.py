"""How much a model's pictures should be sharpened: the perceptual distance and the finest detail by amounts.

    python scripts/sharpening.py photos-128 --data celeba128-val.zip --count 48

Holes of held-out pictures are painted once, as the editor does, and sharpened by each amount. Prints the mean
distance with the 95 % interval of its paired difference from no sharpening, and the detail, the root mean square of
what a blur of 0.7 pixels takes from the hole, over that of the true pictures: 1 is as much as there is in them.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import tyro
from torch import Tensor
from tyro.conf import Positional

import ediffuser
from ediffuser.cli.options import override
from ediffuser.data import ImageFolder
from ediffuser.editing.seam import match, with_ring
from ediffuser.evaluation.figures import bootstrap
from ediffuser.evaluation.holes import KINDS, compose, holes_of
from ediffuser.evaluation.perceptual import StLpips
from ediffuser.evaluation.spread import classes_in_turn
from ediffuser.model import Model
from ediffuser.runtime.errors import BadInputError, unknown_name
from ediffuser.runtime.pixels import from_uint8
from ediffuser.tasks.sharpening import Sharpening

BATCH = 16
FINEST = Sharpening(amount=1, sigma_px=0.7)


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        model: A name in the zoo, or a checkpoint or run directory, of a model that inpaints.
        data: Held-out pictures, in a folder or a zip.
        count: How many of them, the first ones.
        holes: Kinds of holes.
        amounts: Of sharpening.
        sigmas_px: Of the blur, with each of the amounts.
    """

    model: Positional[str]
    data: str
    count: int = 48
    holes: tuple[str, ...] = ("brush", "box", "half")
    amounts: tuple[float, ...] = (0.4, 0.6, 0.8, 0.9, 1.0, 1.2)
    sigmas_px: tuple[float, ...] = (0.7,)


@dataclass(frozen=True)
class Painted:
    """What was painted in one kind of holes.

    Attributes:
        images: The true pictures, in [-1, 1], shape (B, 3, r, r).
        holes: 1 where painted, shape (B, 1, r, r).
        fills: The model's pictures with their ring, not sharpened, shape (B, 3, r, r).
    """

    images: Tensor
    holes: Tensor
    fills: Tensor

    def sharpened(self, by: Sharpening | None) -> Tensor:
        """The pictures a user gets, in [-1, 1]."""
        fills = self.fills if by is None else by.within(self.fills, with_ring(self.holes))
        return from_uint8(compose(self.images, match(fills, self.images, self.holes), self.holes))

    def detail(self, pictures: Tensor) -> float:
        """The root mean square of the finest detail in the holes."""
        fine = (FINEST(pictures) - pictures) * self.holes
        return (fine.square().sum() / self.holes.sum() / 3).sqrt().item()


def main() -> None:
    """Paints, measures, prints; exit code 2 with one line where the input cannot be used."""
    options = tyro.cli(Options, description=__doc__)
    try:
        for line in table(options):
            print(line, flush=True)
    except BadInputError as error:
        print(f"sharpening: {error}", file=sys.stderr)
        sys.exit(2)


@torch.no_grad()
def table(options: Options) -> Iterator[str]:
    """Markdown: kinds of holes down, amounts across.

    Raises:
        BadInputError: If the model, the data, a kind of holes or an amount cannot be used.
    """
    for kind in options.holes:
        if kind not in KINDS:
            raise unknown_name("kind of holes", kind, KINDS)
    if options.count < 1:
        raise BadInputError(f"count {options.count} must be at least 1")
    loaded, distance = ediffuser.load(options.model), StLpips()
    model = replace(loaded, config=replace(loaded.config, sharpening=None))
    pictures = classes_in_turn(ImageFolder(path=options.data, resolution=model.resolution).open())
    tried = [
        override(Sharpening(), [f"amount={amount}", f"sigma_px={sigma}"], "unsharp mask")
        for sigma in options.sigmas_px
        for amount in options.amounts
    ]
    names = [f"{each.amount:g} at {each.sigma_px:g} px" for each in tried]
    yield f"| distance; detail | none | {' | '.join(names)} |\n|{'---|' * (len(tried) + 2)}"
    originals = pictures.batch(range(min(options.count, len(pictures))))
    for kind in options.holes:
        painted = paint(model, originals, holes_of(kind, originals, range(len(originals))))
        plain, first = measured(painted, None, distance)
        cells = [f"{plain.mean():.4f}; {first:.2f}"]
        for by in tried:
            found, detail = measured(painted, by, distance)
            low, high = bootstrap(found - plain)
            cells.append(f"{found.mean():.4f} ({low:+.4f}, {high:+.4f}); {detail:.2f}")
        yield f"| {kind} | {' | '.join(cells)} |"


def measured(painted: Painted, by: Sharpening | None, distance: StLpips) -> tuple[Tensor, float]:
    """The distance of each picture, shape (B,), and the detail over that of the true ones."""
    result = painted.sharpened(by)
    pairs = zip(result.split(BATCH), painted.images.split(BATCH), strict=True)
    detail = painted.detail(result) / painted.detail(painted.images)
    return torch.cat([distance(one, other) for one, other in pairs]), detail


def paint(model: Model, originals: Tensor, holes: Tensor) -> Painted:
    """The model's pictures, a batch at a time, row k from the noise (0, k)."""
    images = from_uint8(originals)
    fills = [
        ediffuser.inpaint(model, images[part], with_ring(holes[part]), first_index=int(part[0])).cpu()
        for part in torch.arange(len(images)).split(BATCH)
    ]
    return Painted(images, holes, torch.cat(fills))


if __name__ == "__main__":
    main()
