"""Detail that a model did not paint, lent by the photo around the hole.

A model paints at its own resolution. Brought to the photo's, grass, gravel or grain come out too smooth. Blocks of the
photo that look like what was painted lend what is finer than that: their detail is added to the painted colours, block
beside block, fitting what lies around (texture quilting: Efros & Freeman 2001), with the contrast that it has there.
Detail that the model painted and such blocks do not have, shreds in a sky, is damped. Where nothing in the photo looks
alike, little is changed or nothing: an edge is the model's alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from ediffuser.editing.crop import Box, Crop, common_box, within
from ediffuser.editing.quilt import Quilt, window
from ediffuser.editing.resample import enlarge
from ediffuser.editing.seam import with_ring
from ediffuser.tasks.smooth_fill import smooth_fill, spread

BLOCK = 12
"""Side of a block in the model's cells; a multiple of 3. Blocks lie half a side apart."""
BLUR = 2.0
"""What is finer than this standard deviation, in cells, is detail; the rest is a block's look."""
CANDIDATES, BEST, ALIKE = 1000, 4, 50
"""Blocks of the photo that are compared at random, of how many of the best one is drawn, and how many look alike."""
FAINT = 1e-3
"""Energy of detail that hardly anybody sees: two grey levels in each colour, as numbers in [-1, 1]."""


@dataclass(frozen=True, eq=False)
class Square:
    """A square of a photo as the model sees it, and what was painted in it.

    Attributes:
        pixels: The photo, uint8, shape (H, W, 3 or 4).
        crop: Where the square lies.
        known: The square's cells in [-1, 1], shape (3, r, r); what is in the hole does not matter.
        hole: 1 in cells that hold a pixel of the hole, shape (1, r, r).
        inside: 1 in the part of the hole that is painted now, shape (1, r, r).
        painted: The square with all of its hole painted, now or before, in [-1, 1], shape (3, r, r).
    """

    pixels: np.ndarray
    crop: Crop
    known: Tensor
    hole: Tensor
    inside: Tensor
    painted: Tensor

    @cached_property
    def cells(self) -> Tensor:
        """The known cells, smoothly continued into the hole."""
        return smooth_fill((self.known * (1 - self.hole))[None], self.hole[None])[0]

    @cached_property
    def smooth(self) -> Tensor:
        """The same without detail."""
        return _blurred(self.cells)

    @cached_property
    def beyond(self) -> Tensor:
        """1 in the cells that do not wholly lie in the photo, shape (1, r, r)."""
        cells = self.known.shape[-1]
        edges = np.arange(cells + 1) * (self.crop.side / cells)
        rows, columns = (
            (start + edges[:-1] < 0) | (start + edges[1:] > length)
            for start, length in zip((self.crop.top, self.crop.left), self.pixels.shape, strict=False)
        )
        return torch.from_numpy(rows[:, None] | columns[None]).float()[None]

    @cached_property
    def painted_detail(self) -> Tensor:
        """What of the painted square is detail."""
        return self.painted - _blurred(self.painted)


@dataclass(frozen=True)
class Loan:
    """A block that lends its detail to another place; rows and columns in cells of the square.

    Attributes:
        top, left: First row and column of the place.
        from_top, from_left: Those of the block.
        coarse: How much of what the cells can show is lent; the model may have painted such detail itself.
        kept: How much of the detail that the model painted is kept: less than 1 where it is more than the block's.
        trust: How much of all this is done: 1 where the block looks like the place, towards 0 where it does not.
    """

    top: int
    left: int
    from_top: int
    from_left: int
    coarse: float
    kept: float
    trust: float


def lent_detail(square: Square, seed: tuple[int, int]) -> np.ndarray:
    """The detail for the part of a photo that a square paints.

    Args:
        square: The square, painted.
        seed: Of the choice among blocks: a picture's seed and index.

    Returns:
        What is to be added to the enlarged cells, in their units: float32, shape (part.height, part.width, 3), or
        (1, 1, 3) of zeros where no block of the photo is free of the hole.
    """
    crop, part = square.crop, square.crop.part
    scale = crop.side / square.known.shape[-1]
    lent = list(loans(square, np.random.default_rng(seed)))
    if not lent:
        return np.zeros((1, 1, 3), np.float32)
    quilt = Quilt(part, int(BLOCK * scale))
    for loan in lent:
        place, start = (
            _box(*corner, crop, scale) for corner in ((loan.top, loan.left), (loan.from_top, loan.from_left))
        )
        common = within(common_box(place, part), place)
        if common.height and common.width:
            source = Box(
                start.top + common.top, start.left + common.left, start.top + common.bottom, start.left + common.right
            )
            rest = _enlarged(torch.lerp(square.cells, square.smooth, loan.coarse), crop, source)
            fine = square.pixels[source.window][..., :3] / np.float32(127.5) - 1 - rest
            quilt.add(loan.trust * fine, place, common)
    total = quilt.sewn()
    total -= _enlarged(square.painted_detail * _surplus(square, lent), crop, part)
    return total


def _surplus(square: Square, lent: list[Loan]) -> Tensor:
    """What part of the painted detail is too much, in each cell, shape (1, r, r)."""
    weights = torch.from_numpy(window(BLOCK))
    taken, covered = torch.zeros_like(square.inside), torch.full_like(square.inside, 1e-6)
    for loan in lent:
        place = np.s_[:, loan.top : loan.top + BLOCK, loan.left : loan.left + BLOCK]
        taken[place] += weights * loan.trust * (1 - loan.kept)
        covered[place] += weights
    return taken / covered


def loans(square: Square, rng: np.random.Generator) -> Iterator[Loan]:
    """Which block lends its detail to which place, those beside the known picture first."""
    if square.known.shape[-1] < BLOCK:
        return
    seen, detail = 1 - square.hole, (square.cells - square.smooth) * (1 - square.hole)
    lenders = _Lenders.drawn(square, detail, rng)
    if not len(lenders.tops):
        return
    places = _places(square)
    tops, lefts = torch.tensor(places).T
    look = _ninths(_blurred(square.painted))[:, tops, lefts].T
    wanted = _ninths(_blurred(spread(_energy(detail)[None], seen[None])[0], BLOCK / 4))[:, tops, lefts].T
    own = _inside_mean(_energy(square.painted_detail), square.inside)[tops, lefts]
    doubts = lenders.doubts(look, wanted)
    there = 1 - square.inside
    lent = square.painted_detail * there
    for number, (top, left) in enumerate(places):
        block = np.s_[:, top : top + BLOCK, left : left + BLOCK]
        misfit = lenders.misfit(lent[block], there[block]) / (wanted[number].mean() + FAINT)
        best = torch.topk(misfit + 2 * doubts[number], min(BEST, len(misfit)), largest=False).indices
        chosen = int(best[int(rng.integers(len(best)))])
        # Energies of unlike detail add up: what the model painted of such detail counts, and may be too much.
        ratio = float(own[number]) / (float(lenders.energy[chosen].mean()) + 1e-9)
        yield Loan(
            top,
            left,
            int(lenders.tops[chosen]),
            int(lenders.lefts[chosen]),
            coarse=math.sqrt(max(0, 1 - ratio)),
            kept=math.sqrt(1 / max(1, ratio)),
            trust=math.exp(-2 * float(doubts[number, chosen]) ** 2),
        )
        lent[block] = torch.where(there[block] > 0, lent[block], lenders.detail[chosen].view_as(lent[block]))
        there[block] = 1


@dataclass(frozen=True)
class _Lenders:
    """N blocks of the photo that may lend.

    Attributes:
        tops, lefts: Their first rows and columns, shape (N,).
        detail: What they have to lend, shape (N, 3 BLOCK^2).
        energies: Its energy in each cell, shape (N, BLOCK^2).
        look: The mean colours of their nine parts, shape (N, 27).
        energy: The energy of these parts' detail, shape (N, 9).
    """

    tops: Tensor
    lefts: Tensor
    detail: Tensor
    energies: Tensor
    look: Tensor
    energy: Tensor

    @staticmethod
    def drawn(square: Square, detail: Tensor, rng: np.random.Generator) -> "_Lenders":
        """Blocks in the photo, drawn at random, that keep one cell away from the hole."""
        shut = torch.maximum(with_ring(square.hole[None])[0], square.beyond)
        tops, lefts = torch.nonzero(_blocks(shut).amax((0, -2, -1)) == 0, as_tuple=True)
        some = torch.from_numpy(rng.permutation(len(tops))[:CANDIDATES])
        tops, lefts = tops[some], lefts[some]
        energy = _energy(detail)
        return _Lenders(
            tops,
            lefts,
            _blocks(detail)[:, tops, lefts].transpose(0, 1).flatten(1),
            _blocks(energy)[:, tops, lefts].transpose(0, 1).flatten(1),
            _ninths(square.smooth)[:, tops, lefts].T,
            _ninths(energy)[:, tops, lefts].T,
        )

    def doubts(self, look: Tensor, wanted: Tensor) -> Tensor:
        """How unlike each block is to places with a look (P, 27), and detail (P, 9) expected there; shape (P, N)."""
        energy = self.energy + FAINT
        apart = _square_distances(look, self.look) / 9
        # A sky beside cables expects theirs: no more detail than is usual where the photo looks as it does here.
        alike = apart.topk(min(ALIKE, len(energy)), largest=False).indices
        wanted = torch.minimum(wanted, self.energy.mean(1)[alike].median(dim=1, keepdim=True).values)
        uneven = look.view(-1, 9, 3).var(1, unbiased=False).sum(1)
        ratio = _square_distances(torch.log(wanted + FAINT), torch.log(energy)) / 9
        # 0 for a texture, which has as much in each ninth; 2 for a line, which crosses three of them.
        lumps = energy.var(1, unbiased=False) / energy.mean(1) ** 2
        return (apart + uneven[:, None] / 2) / energy.mean(1) + ratio / 8 + lumps / 2

    def misfit(self, what: Tensor, where: Tensor) -> Tensor:
        """The mean square difference from what lies in a place already, (3, BLOCK, BLOCK), where it does; (N,)."""
        there = where.expand_as(what) * what
        square = self.energies @ where.flatten() - 2 * self.detail @ there.flatten() + (there * what).sum()
        return square / where.sum().clamp(min=1)


def _places(square: Square) -> list[tuple[int, int]]:
    """Where blocks must lie to cover what is painted twice in each direction; the best known surroundings first."""
    inside = square.inside * (1 - square.beyond)
    side, half = inside.shape[-1], BLOCK // 2
    rows, columns = (torch.nonzero(square.inside[0].amax(axis))[:, 0] for axis in (1, 0))
    grid = dict.fromkeys(
        (min(max(top, 0), side - BLOCK), min(max(left, 0), side - BLOCK))
        for top in range(int(rows[0]) - half, int(rows[-1]) + 1, half)
        for left in range(int(columns[0]) - half, int(columns[-1]) + 1, half)
    )
    covered, known = (functional.avg_pool2d(each[None], BLOCK, stride=1)[0, 0] for each in (inside, 1 - square.inside))
    return sorted((place for place in grid if covered[place] > 0), key=lambda place: -float(known[place]))


def _blurred(cells: Tensor, sigma: float = BLUR) -> Tensor:
    return torch.from_numpy(gaussian_filter(cells.numpy(), (0, sigma, sigma), mode="nearest"))


def _blocks(cells: Tensor) -> Tensor:
    """All blocks by first row and column: (C, r, r) -> (C, r - BLOCK + 1, r - BLOCK + 1, BLOCK, BLOCK), no copy."""
    return cells.unfold(1, BLOCK, 1).unfold(2, BLOCK, 1)


def _ninths(cells: Tensor) -> Tensor:
    """The means of each block's nine parts, shape (9 C, r - BLOCK + 1, r - BLOCK + 1)."""
    part, count = BLOCK // 3, cells.shape[-1] - BLOCK + 1
    means = functional.avg_pool2d(cells[None], part, stride=1)[0]
    starts = range(0, BLOCK, part)
    return torch.cat([means[:, top : top + count, left : left + count] for top in starts for left in starts])


def _energy(cells: Tensor) -> Tensor:
    return cells.square().sum(0, keepdim=True)


def _square_distances(ours: Tensor, theirs: Tensor) -> Tensor:
    """Between rows, (P, D) and (N, D): shape (P, N)."""
    square = ours.square().sum(1)[:, None] + theirs.square().sum(1) - 2 * ours @ theirs.T
    return square.clamp(min=0)


def _inside_mean(cells: Tensor, inside: Tensor) -> Tensor:
    """Each block's mean over what was painted, shape (r - BLOCK + 1, r - BLOCK + 1)."""
    total, count = (functional.avg_pool2d(each[None], BLOCK, stride=1)[0, 0] for each in (cells * inside, inside))
    return total / count.clamp(min=1e-6)


def _box(top: int, left: int, crop: Crop, scale: float) -> Box:
    """A block of a square as pixels of the photo; rounded down, it stays in the square and within a cell of itself."""
    side = int(BLOCK * scale)
    row, column = crop.top + int(top * scale), crop.left + int(left * scale)
    return Box(row, column, row + side, column + side)


def _enlarged(cells: Tensor, crop: Crop, box: Box) -> np.ndarray:
    return np.stack([enlarge(channel, crop, box) for channel in cells.numpy()], axis=-1)
