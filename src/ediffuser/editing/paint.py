"""One variation of a painted hole as a coroutine: it asks for one square after the other and is sent what was painted.

Whoever drives it decides which variations, of which photos, share a batch. What they have in common - the squares, the
holes in them, the first square's picture - is worked out once and kept in a `Plan`; a variation itself holds no more
than the hole's bounding box, however large the photo.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ediffuser.editing.crop import CONTEXT, MOST_CROPS, Box, Crop, Frame, common_box, plan_crops, within
from ediffuser.editing.detail import Square, lent_detail
from ediffuser.editing.feather import blended, edge_weights
from ediffuser.editing.resample import enlarge, shrink
from ediffuser.editing.seam import match, with_ring

INDICES_PER_CROP = 1_000_000
"""Variation v of crop c is drawn from the noise of index 1,000,000 c + v."""


@dataclass(frozen=True, eq=False)
class Ask:
    """A square that is to be painted for one variation. What lies under the hole is hidden from the model.

    Attributes:
        image: The square, 0 where to paint; in [-1, 1], shape (3, r, r).
        hole: 1 where to paint, shape (1, r, r): one cell wider on every side than it must be, see `seam`.
        index: Of the noise to draw it from.
        crop: Where the square lies.
        known: The square as it is, shape (3, r, r).
        inside: 1 in the hole itself, shape (1, r, r).
        whole: 1 in all of the hole, what earlier squares have painted included, shape (1, r, r).
    """

    image: Tensor
    hole: Tensor
    index: int
    crop: Crop
    known: Tensor
    inside: Tensor
    whole: Tensor


class Plan:
    """How a hole is painted: what all variations share."""

    def __init__(
        self,
        pixels: np.ndarray,
        hole: np.ndarray,
        resolution: int,
        *,
        context: float = CONTEXT,
        most_crops: int = MOST_CROPS,
        feather: int = 0,
        frames: Sequence[Frame] = (),
        detail: bool = False,
        seed: int = 0,
    ) -> None:
        """Chooses the squares; see `plan_crops`.

        Args:
            pixels: uint8, shape (H, W, 3 or 4); is read, square by square, as long as variations are painted.
            hole: bool, shape (H, W), True where to paint.
            resolution: r, side of the model's pictures.
            context: Side of a square over its part's longer side.
            most_crops: Upper bound on the number of squares.
            feather: Width in pixels of the soft edge inside the hole.
            frames: Squares that show the model what it knows.
            detail: Whether the photo lends what the model did not paint: see `detail`.
            seed: Of the choice of what is lent, together with the noise's index.
        """
        self.resolution = resolution
        self.crops = plan_crops(hole, resolution, context=context, most_crops=most_crops, frames=frames)
        self.box = _around([crop.part for crop in self.crops])
        self._pixels = pixels
        self._hole = hole[self.box.window].copy()
        self._shared: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._first: Tensor | None = None
        self._detail, self._seed = detail, seed
        self._weights = edge_weights(hole, self.box, feather) if feather else None

    def patch(self) -> np.ndarray:
        """The hole's bounding box of the picture, a copy: uint8, shape (h, w, 3 or 4)."""
        return self._pixels[self.box.window].copy()

    def ask(self, number: int, variation: int, patch: np.ndarray | None) -> Ask:
        """What crop `number` looks like once the crops before it are painted into `patch`."""
        inside, hole, whole = self._holes(number)
        known = self._known(number, patch)
        index = number * INDICES_PER_CROP + variation
        return Ask(known * (1 - hole), hole, index, self.crops[number], known, inside, whole)

    def paste(self, patch: np.ndarray, ask: Ask, cells: Tensor) -> None:
        """Writes the hole's pixels of the crop's part into a patch, and no other byte; cells (3, r, r) in [-1, 1]."""
        crop, window = ask.crop, within(ask.crop.part, self.box).window
        lent = self._lent(ask, cells)
        lent *= 127.5
        for channel, levels in enumerate((cells.numpy() + 1) * 127.5):
            pixels = np.rint(enlarge(levels, crop, crop.part) + lent[..., channel]).clip(0, 255).astype(np.uint8)
            np.copyto(patch[window][..., channel], pixels, where=self._hole[window])

    def finished(self, patch: np.ndarray) -> np.ndarray:
        """The painted patch with its soft edge."""
        return patch if self._weights is None else blended(patch, self._pixels[self.box.window], self._weights)

    def _holes(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """What crops before this one have left to paint of the square, the same with its ring, and all of the hole."""
        if number not in self._shared:
            crop, region = self.crops[number], _region(self.crops[number], self._pixels)
            left = np.zeros((region.height, region.width), bool)
            _overlay(left, region, self._hole, self.box)
            whole = self._touched(left, crop, region)
            for earlier in self.crops[:number]:
                common = common_box(earlier.part, region)
                left[within(common, region).window] = False
            inside = self._touched(left, crop, region) if number else whole
            self._shared[number] = (inside, with_ring(inside[None])[0], whole)
        return self._shared[number]

    def _touched(self, hole: np.ndarray, crop: Crop, region: Box) -> Tensor:
        """1 in the cells of a square that hold a pixel of a hole, given in the region: shape (1, r, r)."""
        return torch.from_numpy(shrink(hole, _moved(crop, region), self.resolution) > 0).float()[None]

    def _lent(self, ask: Ask, cells: Tensor) -> np.ndarray:
        """What the photo lends to a painted square, in the units of cells; (1, 1, 3) if nothing."""
        if not self._detail:
            return np.zeros((1, 1, 3), np.float32)
        square = Square(self._pixels, ask.crop, ask.known, ask.whole, ask.inside, cells)
        return lent_detail(square, (self._seed, ask.index))

    def _known(self, number: int, patch: np.ndarray | None) -> Tensor:
        if number == 0 and self._first is not None:
            return self._first
        crop, region = self.crops[number], _region(self.crops[number], self._pixels)
        pixels = self._pixels[region.window][..., :3]
        if patch is not None:
            pixels = pixels.copy()
            _overlay(pixels, region, patch[..., :3], self.box)
        known = to_cells(pixels, _moved(crop, region), self.resolution)
        if number == 0:
            self._first = known
        return known


def paint(plan: Plan, variation: int) -> Generator[Ask, Tensor, np.ndarray]:
    """Paints one variation.

    Args:
        plan: What is to be painted.
        variation: Its number from 0, which chooses its noise.

    Yields:
        One square after the other; to be sent what was painted in it, float, in [-1, 1], shape (3, r, r).

    Returns:
        The painted patch: uint8, the size of `plan.box`; alpha, and all that is not in the hole, as it was.
    """
    patch = None
    for number in range(len(plan.crops)):
        ask = plan.ask(number, variation, patch)
        painted = yield ask
        patch = plan.patch() if patch is None else patch
        plan.paste(patch, ask, matched([ask], painted[None])[0])
    return plan.patch() if patch is None else plan.finished(patch)


def matched(asks: list[Ask], painted: Tensor) -> Tensor:
    """What was painted, fitted into what is known: colours moved to meet the surroundings.

    Args:
        asks: One for each row.
        painted: Shape (B, 3, r, r), on any device.

    Returns:
        float32 in [-1, 1] on the CPU, shape (B, 3, r, r).
    """
    known = torch.stack([ask.known for ask in asks])
    return match(painted.detach().float().cpu(), known, torch.stack([ask.inside for ask in asks]))


def to_cells(pixels: np.ndarray, crop: Crop, resolution: int) -> Tensor:
    """A square of a picture as the model sees it.

    Args:
        pixels: uint8, shape (H, W, 3 or 4); alpha is left out.
        crop: The square.
        resolution: Side of the model's pictures.

    Returns:
        float32 in [-1, 1], shape (3, resolution, resolution).
    """
    levels = torch.from_numpy(shrink(pixels[..., :3], crop, resolution)).permute(2, 0, 1)
    return (levels / 127.5 - 1).clamp(-1, 1)  # an average of whites may be a rounding error above white


def _around(boxes: list[Box]) -> Box:
    if not boxes:
        return Box(0, 0, 0, 0)
    return Box(
        min(box.top for box in boxes),
        min(box.left for box in boxes),
        max(box.bottom for box in boxes),
        max(box.right for box in boxes),
    )


def _region(crop: Crop, pixels: np.ndarray) -> Box:
    """The part of a square that lies in the picture: along a side over which it hangs, all of the picture."""
    height, width = pixels.shape[:2]
    return common_box(Box(crop.top, crop.left, crop.top + crop.side, crop.left + crop.side), Box(0, 0, height, width))


def _moved(crop: Crop, region: Box) -> Crop:
    """The same square, in a picture that is the region only."""
    return Crop(crop.part, crop.top - region.top, crop.left - region.left, crop.side)


def _overlay(target: np.ndarray, target_box: Box, source: np.ndarray, source_box: Box) -> None:
    """Writes the source over the target where they meet; both are pieces of one picture."""
    common = common_box(target_box, source_box)
    if common.height and common.width:
        target[within(common, target_box).window] = source[within(common, source_box).window]
