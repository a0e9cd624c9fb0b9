"""Painting the hole of a photo of any size with a model of one resolution.

Every pixel outside the hole keeps its byte; a soft edge, if asked for, lies inside. The model's picture is brought to
the photo's resolution, so a hole much larger than the model's pictures is filled with softer detail than its
surroundings, unless the photo has such texture to lend: see `detail`. Alpha is never changed, in the hole neither; the
model sees the colours of transparent pixels as they are stored.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ediffuser.conditioning import Conditioning
from ediffuser.editing.compose import grow as grow_hole
from ediffuser.editing.crop import CONTEXT, MOST_CROPS, Frame
from ediffuser.editing.decode import Source, decode_photo
from ediffuser.editing.faces import frames_for
from ediffuser.editing.mask import decode_mask
from ediffuser.editing.paint import INDICES_PER_CROP, Ask, Plan, paint
from ediffuser.editing.photo import Photo
from ediffuser.generate import inpaint
from ediffuser.model import Model
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Sampler

ROWS_AT_ONCE = 64
"""Variations that are painted together: more would cost memory and save no time."""

# images (B, 3, r, r) in [-1, 1], holes (B, 1, r, r), index of the first row's noise -> painted images (B, 3, r, r).
Fill = Callable[[Tensor, Tensor, int], Tensor]


def inpaint_photo(
    model: Model,
    image: Source,
    mask: Source,
    *,
    variations: int = 4,
    seed: int = 0,
    sampler: Sampler | None = None,
    conditioning: Conditioning | None = None,
    invert_mask: bool = False,
    grow: int = 0,
    feather: int = 0,
    context: float | None = None,
    most_crops: int = MOST_CROPS,
    detail: bool = True,
) -> list[Image.Image]:
    """Paints the white part of the mask anew, in several versions.

    Args:
        model: A model of RGB pictures trained to inpaint, or an unconditional one with a conditioning.
        image: The photo: path, bytes or Pillow image, any size from 16 x 16 to 50 megapixels, any mode.
        mask: White where to paint, the size of the upright photo; see `decode_mask`.
        variations: How many pictures to make. A picture does not depend on how many.
        seed: Variation v of crop c is drawn from (seed, 1,000,000 c + v).
        sampler: The way from noise to a picture; None is `generate.DEFAULT_SAMPLER`.
        conditioning: How an unconditional model is made to respect the known pixels; see `generate.inpaint`.
        invert_mask: Paint the black part instead.
        grow: By how many pixels the hole is made larger all around; negative to shrink it.
        feather: Width in pixels of a soft edge inside the hole; see `feather.edge_weights`.
        context: How much the model sees: side of its square over the hole's longer side; infinity gives the largest
            square in the photo. None is 2.2, but for a model of aligned faces the square around the face that the hole
            touches, where one is found: see `faces`.
        most_crops: In how many pieces a scattered or long hole may be painted, one after the other.
        detail: Whether the photo lends the hole grain and texture where it has what looks alike; see `detail`.

    Returns:
        Pictures of mode RGB, or RGBA where the photo has transparency, of the upright photo's size, without EXIF, their
        RGB profile in `info["icc_profile"]`. Every byte outside the hole is the decoded photo's.

    Raises:
        BadInputError: If photo, mask or model cannot be used, `variations` is not from 1 to 1,000,000, `feather` is
            negative, `context` is not above 0, or the mask shrinks to nothing.
    """
    if context is not None and not context > 0:
        raise BadInputError(
            f"a context of {context:g} shows the model nothing: give a number above 0, such as 3, or inf"
        )
    if model.shape[0] != 3:
        raise BadInputError(f"a photo needs a model of RGB pictures, 3 channels; this one's have {model.shape[0]}")
    photo = decode_photo(image)
    hole = grow_hole(decode_mask(mask, photo.size, invert_mask), grow)

    def fill(images: Tensor, holes: Tensor, first_index: int) -> Tensor:
        def some(rows: slice) -> Tensor:
            return inpaint(
                model,
                images[rows],
                holes[rows],
                sampler=sampler,
                conditioning=conditioning,
                seed=seed,
                first_index=first_index + rows.start,
            )

        return some_at_a_time(len(images), some)

    finished = inpaint_variations(
        photo,
        hole,
        fill,
        model.resolution,
        variations=variations,
        feather=feather,
        context=CONTEXT if context is None else context,
        most_crops=most_crops,
        frames=frames_for(model.config.framing, photo.pixels, hole) if context is None else (),
        detail=detail,
        seed=seed,
    )
    return [variation.to_image() for variation in finished]


def inpaint_variations(
    photo: Photo,
    hole: np.ndarray,
    fill: Fill,
    resolution: int,
    *,
    variations: int = 4,
    feather: int = 0,
    context: float = CONTEXT,
    most_crops: int = MOST_CROPS,
    frames: Sequence[Frame] = (),
    detail: bool = False,
    seed: int = 0,
) -> Iterator[Photo]:
    """Paints the hole crop after crop, all variations of a crop in one batch; what is painted is known to later crops.

    What lies under the hole is hidden from `fill` and never matters. The hole that `fill` sees is one cell wider on
    every side, so that colours can be matched: see `seam`.

    Args:
        photo: The picture.
        hole: bool, shape (H, W), True where to paint.
        fill: Paints a batch; called once a crop, with first index 1,000,000 times the number of the crop.
        resolution: Side of the pictures that `fill` takes.
        variations: How many pictures to make, 1 to 1,000,000.
        feather: Width in pixels of a soft edge inside the hole.
        context: See `inpaint_photo`.
        most_crops: Upper bound on the calls of `fill`.
        frames: See `plan_crops`.
        detail: See `inpaint_photo`. Off unless asked for: the result is what `fill` painted, and nothing else.
        seed: Of what is lent, for each variation together with its index.

    Yields:
        The finished pictures, after the last call of `fill`.

    Raises:
        BadInputError: If `variations` or `feather` is out of range.
    """
    check_variations(variations)
    if feather < 0:
        raise BadInputError(f"a soft edge cannot be {feather} pixels wide: give 0 or more")
    plan = Plan(
        photo.pixels,
        hole,
        resolution,
        context=context,
        most_crops=most_crops,
        feather=feather,
        frames=frames,
        detail=detail,
        seed=seed,
    )
    for patch in _in_step([paint(plan, variation) for variation in range(variations)], fill):
        pixels = photo.pixels.copy()
        pixels[plan.box.window] = patch
        yield Photo(pixels, photo.icc_profile)


def _in_step(variations: list[Generator[Ask, Tensor, np.ndarray]], fill: Fill) -> list[np.ndarray]:
    """Runs variations of one plan side by side; the patches."""
    painted: Sequence[Tensor | None] = [None] * len(variations)
    while True:
        asks, patches = _sent(variations, painted)
        if patches:
            return patches
        painted = list(
            fill(torch.stack([ask.image for ask in asks]), torch.stack([ask.hole for ask in asks]), asks[0].index)
        )


def _sent(
    variations: list[Generator[Ask, Tensor, np.ndarray]], painted: Sequence[Tensor | None]
) -> tuple[list[Ask], list[np.ndarray]]:
    """Sends each variation its square: their next asks, or their patches after the last one."""
    asks, patches = [], []
    for variation, cells in zip(variations, painted, strict=True):
        try:
            asks.append(variation.send(cast(Tensor, cells)))  # a generator's first value must be None
        except StopIteration as end:
            patches.append(end.value)
    return asks, patches


def some_at_a_time(count: int, some: Callable[[slice], Tensor]) -> Tensor:
    """What `some` makes of all rows, `ROWS_AT_ONCE` of them at a time."""
    return torch.cat([some(slice(start, start + ROWS_AT_ONCE)) for start in range(0, count, ROWS_AT_ONCE)])


def check_variations(variations: int) -> None:
    """Refuses numbers of variations that would be none, or would run into the noise of the next crop."""
    if not 1 <= variations <= INDICES_PER_CROP:
        raise BadInputError(f"{variations} variations cannot be made: ask for 1 to {INDICES_PER_CROP:,}")
