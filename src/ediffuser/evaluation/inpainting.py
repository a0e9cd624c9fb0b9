"""Inpainting by figures: fixed holes in held-out pictures, painted by several methods, seen as a user sees them.

Every result is rounded to 8 bits and its known pixels are put back exactly before anything is measured. Picture k has
the hole drawn from (seed, k) and is painted from the noise of index k, so no figure depends on the batch size, and
those of the first hundred pictures are part of those of the first thousand.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ediffuser.data import Pictures
from ediffuser.evaluation.perceptual import StLpips
from ediffuser.generate import inpaint
from ediffuser.model import Model
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.samplers import Sampler
from ediffuser.tasks.masks import Brush, CentreBox, Half, Holes, Mixed, ThinStrokes

# images (B, C, H, W) in [-1, 1], holes (B, 1, H, W), index of the first picture -> painted images (B, C, H, W).
Fill = Callable[[Tensor, Tensor, int], Tensor]

HOLES: Mapping[str, Holes] = {
    "thin": ThinStrokes(),
    "brush": Brush(),
    "box": CentreBox(),
    "half": Half(),
    "mixed": Mixed(),
}
"""The fixed holes of every table, by name."""

HOLE_SET, HOLE_SEED = "ediffuser-holes-1", 20240
"""Name and version of these kinds as they are drawn, and their seed: with another version no figure compares."""

PSNR_CAP_DB = 100.0
"""Stands for no difference at all; in holes of up to 220 x 220 pixels even one grey level stays below it."""


@dataclass(frozen=True)
class Scores:
    """What one method made of one batch.

    Attributes:
        method: Name of the method.
        hole: Name of the holes.
        st_lpips: Distance to the original, whole picture, shape (B,).
        psnr_db: Peak signal-to-noise ratio inside the hole, shape (B,).
    """

    method: str
    hole: str
    st_lpips: Tensor
    psnr_db: Tensor


def model_fill(model: Model, sampler: Sampler, seed: int = 0) -> Fill:
    """A trained model as a method; picture k is painted from the noise (seed, k)."""
    return lambda images, holes, first: inpaint(model, images, holes, sampler=sampler, seed=seed, first_index=first)


def draw_holes(holes: Holes, indices: range, size: tuple[int, int]) -> Tensor:
    """The fixed holes of the pictures at these indices, float32, shape (B, 1, H, W)."""
    return holes.draw(Noise.rows(HOLE_SEED, indices), size)


def compose(images: Tensor, filled: Tensor, holes: Tensor) -> Tensor:
    """The picture a user gets: `filled` in the hole, `images` outside it; uint8, shape (B, C, H, W)."""
    return torch.where(holes.cpu() > 0, to_uint8(filled.cpu()), to_uint8(images.cpu()))


@torch.no_grad()
def evaluate_inpainting(
    methods: Mapping[str, Fill],
    pictures: Pictures,
    distance: StLpips,
    holes: Mapping[str, Holes] = HOLES,
    *,
    count: int = 500,
    batch: int = 50,
) -> Iterator[Scores]:
    """Scores of every method on every kind of hole, batch after batch.

    Args:
        methods: What paints, by name.
        pictures: Held-out pictures; the first `count` are used.
        distance: The perceptual distance.
        holes: What is painted, by name.
        count: How many pictures.
        batch: How many at once; at most so many are in memory.

    Yields:
        For each batch, hole and method one `Scores`: ceil(count / batch) * len(holes) * len(methods) of them.

    Raises:
        BadInputError: If there are fewer pictures, or `count` is under 2 and leaves no standard error.
    """
    if not 2 <= count <= len(pictures):
        raise BadInputError(f"cannot evaluate on {count} pictures; give a count from 2 to {len(pictures)}")
    for start in range(0, count, batch):
        indices = range(start, min(start + batch, count))
        originals = pictures.batch(indices)
        images = from_uint8(originals)
        features = distance.features(images)
        for hole_name, kind in holes.items():
            hole = draw_holes(kind, indices, (images.shape[-2], images.shape[-1]))
            for method, fill in methods.items():
                result = compose(images, fill(images, hole, start), hole)
                st_lpips = distance.between(distance.features(from_uint8(result)), features).cpu()
                yield Scores(method, hole_name, st_lpips, psnr_inside_db(result, originals, hole))


def psnr_inside_db(result: Tensor, originals: Tensor, holes: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over the pixels of the hole, at most `PSNR_CAP_DB`; uint8 pictures, shape (B,)."""
    squares = ((result.float() - originals.float()) ** 2).mean(dim=1, keepdim=True) * holes
    error = squares.sum(dim=(1, 2, 3)) / holes.sum(dim=(1, 2, 3))
    return (10 * torch.log10(255**2 / error)).clamp(max=PSNR_CAP_DB)
