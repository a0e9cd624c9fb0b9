"""Selection by clicks without a trained network: grow a region, refine it by GrabCut, bring it to full size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ediffuser.editing.click_regions import RegionGrower, Regions
from ediffuser.editing.compose import hole_box
from ediffuser.editing.crop import Box
from ediffuser.editing.photo import Photo
from ediffuser.editing.select import Click, Selector, check_clicks
from ediffuser.runtime.errors import BadInputError

try:
    import cv2

    from ediffuser.editing.upsample import upsample
except ImportError as error:
    message = "selection by click needs OpenCV, which is not installed: pip install 'ediffuser[serve]'"
    raise BadInputError(message) from error

# Pixels of the picture in which regions grow, of the one from which large objects are cut out, and for GrabCut.
GROWN_PIXELS = 20_000
MEDIUM_PIXELS = 500_000
CUT_PIXELS = 30_000
ITERATIONS = 2
MARGIN = 0.25  # around the region, in its longer side
UNSURE_BAND = 0.2  # width of the band in which the border may move, in the root of the region's area
SURE_RADIUS = 2  # pixels around a click whose side is known
LARGEST_FILLED_HOLE = 0.03  # of the object


@dataclass(frozen=True, eq=False)
class _View:
    """A reduced piece of the photo.

    Attributes:
        picture: uint8, shape (h, w, 3).
        box: Which piece of the photo it shows.
        photo_size: Height and width of the photo.
    """

    picture: np.ndarray
    box: Box
    photo_size: tuple[int, int]

    def place(self, click: Click) -> tuple[int, int]:
        """Row and column of a click, moved into the piece."""
        height, width = self.picture.shape[:2]
        row = int((click.y + 0.5 - self.box.top) * height / self.box.height)
        column = int((click.x + 0.5 - self.box.left) * width / self.box.width)
        return min(max(row, 0), height - 1), min(max(column, 0), width - 1)

    def shown(self, region: np.ndarray) -> np.ndarray:
        """The part of a region of the whole photo, bool of any resolution, that lies in the piece; shape (h, w)."""
        height, width = self.picture.shape[:2]
        down, across = region.shape[0] / self.photo_size[0], region.shape[1] / self.photo_size[1]
        step = across * self.box.width / width, down * self.box.height / height
        start = across * self.box.left, down * self.box.top
        inverse = np.array([[step[0], 0, start[0] + step[0] / 2 - 0.5], [0, step[1], start[1] + step[1] / 2 - 0.5]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        share = cv2.warpAffine(
            region.astype(np.float32), inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return share >= 0.5


class GrabCutSegmenter:
    """GrabCut (Rother, Kolmogorov and Blake 2004), begun from regions of the clicks instead of a box."""

    def look_at(self, photo: Photo) -> Selector:
        """Reduces the photo and builds the graph of its colours."""
        return _GrabCutSelector(photo)


class _GrabCutSelector:
    """A photo in three sizes: small to grow regions in, medium to cut surroundings from, and as it is."""

    def __init__(self, photo: Photo) -> None:
        self._pixels = photo.pixels
        self._medium = _reduced(photo.pixels, MEDIUM_PIXELS)[..., :3]
        small = _reduced(self._medium, GROWN_PIXELS)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        self._grower = RegionGrower(cv2.bilateralFilter(lab, 5, 12, 3))

    def select(self, clicks: Sequence[Click], box: Box | None = None) -> np.ndarray:
        """See `Selector`."""
        height, width = self._pixels.shape[:2]
        check_clicks(clicks, box, (width, height))
        regions = self._regions(clicks, box)
        view = self._view(regions.inside, box)
        labels = _labels(view, regions, clicks, box)
        mask = _tidied(_cut(view.picture, labels), [view.place(click) for click in clicks if click.positive])
        result = np.zeros((height, width), bool)
        pixels = self._pixels[view.box.window]
        result[view.box.window] = mask if mask.shape == pixels.shape[:2] else upsample(mask, view.picture, pixels)
        for click in clicks:
            result[click.y, click.x] = click.positive
        return result

    def _regions(self, clicks: Sequence[Click], box: Box | None) -> Regions:
        """Where the object may be, and where it is not, in the small picture."""
        grower, size = self._grower, self._pixels.shape
        rows, columns = grower.height / size[0], grower.width / size[1]
        places = [(int((click.y + 0.5) * rows), int((click.x + 0.5) * columns)) for click in clicks]
        positive = [place for place, click in zip(places, clicks, strict=True) if click.positive]
        regions = grower.grow(positive, [place for place in places if place not in positive])
        if box is None:
            return regions
        inside = np.zeros_like(regions.inside)
        top, left = int(box.top * rows), int(box.left * columns)
        inside[top : max(top + 1, round(box.bottom * rows)), left : max(left + 1, round(box.right * columns))] = True
        return Regions(inside & ~regions.excluded, regions.excluded)

    def _view(self, inside: np.ndarray, box: Box | None) -> _View:
        """The object's surroundings, at a size that GrabCut has time for."""
        height, width = self._pixels.shape[:2]
        medium_height, medium_width = self._medium.shape[:2]
        down, across = medium_height / height, medium_width / width
        if box is None:
            small = hole_box(inside)
            up, along = medium_height / inside.shape[0], medium_width / inside.shape[1]
        else:
            small, up, along = box, down, across
        margin = MARGIN * max(small.height * up, small.width * along) + 2 * max(up, along)
        medium = Box(
            max(0, int(small.top * up - margin)),
            max(0, int(small.left * along - margin)),
            min(medium_height, int(np.ceil(small.bottom * up + margin))),
            min(medium_width, int(np.ceil(small.right * along + margin))),
        )
        window = Box(
            round(medium.top / down),
            round(medium.left / across),
            round(medium.bottom / down),
            round(medium.right / across),
        )
        scale = min(1.0, float(np.sqrt(CUT_PIXELS / (window.height * window.width))))
        size = max(1, round(window.width * scale)), max(1, round(window.height * scale))
        source = self._medium[medium.window] if size[0] <= medium.width else self._pixels[window.window]
        picture = cv2.resize(source, size, interpolation=cv2.INTER_AREA)[..., :3]
        return _View(np.ascontiguousarray(picture), window, (height, width))


def _reduced(pixels: np.ndarray, count: int) -> np.ndarray:
    """Area averages, about `count` of them; the same picture if it has no more pixels."""
    height, width = pixels.shape[:2]
    scale = float(np.sqrt(count / (height * width)))
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _labels(view: _View, regions: Regions, clicks: Sequence[Click], box: Box | None) -> np.ndarray:
    """What GrabCut begins from. Sure is only what lies far from the region's border, or was clicked."""
    inside = view.shown(regions.inside)
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if box is None:
        band = max(3.0, UNSURE_BAND * float(np.sqrt(np.count_nonzero(inside))))
        labels[_distance(inside) > band] = cv2.GC_FGD
        labels[_distance(~inside) > band] = cv2.GC_BGD
    else:
        top, left = view.place(Click(box.left, box.top))
        bottom, right = view.place(Click(box.right - 1, box.bottom - 1))
        outside = np.ones_like(inside)
        outside[top : bottom + 1, left : right + 1] = False
        labels[outside] = cv2.GC_BGD
    labels[view.shown(regions.excluded)] = cv2.GC_BGD
    for click in sorted(clicks, key=lambda click: click.positive):
        row, column = view.place(click)
        cv2.circle(labels, (column, row), SURE_RADIUS, cv2.GC_FGD if click.positive else cv2.GC_BGD, cv2.FILLED)
    return labels


def _distance(region: np.ndarray) -> np.ndarray:
    """Of each pixel of a region to its border; without any border, everything is far inside."""
    return cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3)


def _cut(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """GrabCut from labels; bool, the same shape."""
    inside = (labels & 1).astype(bool)  # both labels of the object are odd
    if inside.all() or not inside.any():
        return inside
    cv2.setRNGSeed(0)  # its colour models begin with random centres
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, labels, (0, 0, 0, 0), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (labels & 1).astype(bool)


def _tidied(mask: np.ndarray, clicked: list[tuple[int, int]]) -> np.ndarray:
    """The pieces that were clicked, or the large ones if none was, with small holes in them filled."""
    pieces, areas = _pieces(mask, connectivity=4)
    areas[0] = 0
    kept = np.unique([pieces[place] for place in clicked]) if clicked else np.flatnonzero(areas > areas.max() / 10)
    mask = np.isin(pieces, kept[kept > 0])
    gaps, areas = _pieces(~mask, connectivity=8)
    small = areas < LARGEST_FILLED_HOLE * np.count_nonzero(mask)
    small[np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])] = False
    return mask | small[gaps]


def _pieces(mask: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of the piece each pixel belongs to, 0 outside of the mask, shape (h, w); the area of each number."""
    _, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)
    numbers = np.asarray(pieces, dtype=np.intp)
    return numbers, np.bincount(numbers.ravel())
