"""What a click means before any statistics: the region around it whose border stands out most.

From the click a front spreads over a reduced picture, slowly across edges and through colours unlike the clicked one (a
geodesic distance; Bai and Sapiro 2007). Every time at which it could stop gives a region; the one with the greatest
mean contrast along its border is taken. The region of several clicks is the union of theirs. A negative click sends out
a front as well and takes away what it reaches before the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

EDGE = 4.0  # contrast in CIELAB units per pixel from which on a step costs over-proportionally
UNLIKE = 0.1  # cost of a step through a colour one CIELAB unit away from the clicked one, in units of an edge of one
MOST_UNLIKE = 40.0
PER_STEP = 0.3
LIKELY_AREA = 0.3  # of the picture; larger regions get less likely exponentially
SMALLEST_REGION = 12
MOST_REMEMBERED = 64  # clicks, at 0.2 MB each


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions of the clicks, bool, shape (h, w)."""

    inside: np.ndarray
    excluded: np.ndarray


class RegionGrower:
    """The graph of a reduced picture: 8 neighbours, with the colour difference per pixel between them."""

    def __init__(self, lab: np.ndarray) -> None:
        """Takes CIELAB colours, float32, shape (h, w, 3), a little smoothed."""
        self.height, self.width = lab.shape[:2]
        self._colours = lab.reshape(-1, 3)
        self._one, self._other, self._length = _neighbours(self.height, self.width)
        difference = self._colours[self._one] - self._colours[self._other]
        self._contrast = np.linalg.norm(difference, axis=1) / self._length
        self._known: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def grow(self, positive: Sequence[tuple[int, int]], negative: Sequence[tuple[int, int]]) -> Regions:
        """The regions of clicks (row, column), perhaps none."""
        time_inside, inside = self._union(positive)
        time_outside, outside = self._union(negative)
        return Regions(inside & (time_inside <= time_outside), outside & (time_outside < time_inside))

    def _union(self, places: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """When the first front arrives, infinity without clicks; the union of the regions. Both of shape (h, w)."""
        time = np.full((self.height, self.width), np.inf)
        region = np.zeros((self.height, self.width), bool)
        for place in places:
            arrival, stopped = self._front(place)
            np.minimum(time, arrival, out=time)
            region |= stopped
        return time, region

    def _front(self, place: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Of one click: when the front arrives, and its region. Remembered, as clicks are added one by one."""
        if place not in self._known:
            arrival = self._spread(place)
            shape = self.height, self.width
            self._known[place] = arrival.reshape(shape), (arrival <= self._stop(arrival)).reshape(shape)
            if len(self._known) > MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
        return self._known[place]

    def _spread(self, place: tuple[int, int]) -> np.ndarray:
        """When the front of a click arrives at each pixel."""
        seed, count = place[0] * self.width + place[1], len(self._colours)
        unlike = np.minimum(np.linalg.norm(self._colours - self._colours[seed], axis=1), MOST_UNLIKE)
        farther = np.maximum(unlike[self._one], unlike[self._other])
        cost = (self._contrast * (1 + self._contrast / EDGE) + UNLIKE * farther + PER_STEP) * self._length
        graph = csr_array((cost, (self._one, self._other)), shape=(count, count))
        return dijkstra(graph, directed=False, indices=seed)

    def _stop(self, arrival: np.ndarray) -> float:
        """The time at which the front's border has the greatest contrast.

        An edge belongs to the border from the time at which the front reaches its first pixel until it reaches the
        other.
        """
        stops = np.sort(arrival)
        areas = np.arange(1, len(stops) + 1)
        first = np.minimum(arrival[self._one], arrival[self._other])
        last = np.maximum(arrival[self._one], arrival[self._other])
        contrast = _between(stops, first, last, self._contrast)
        mean = contrast / np.maximum(_between(stops, first, last, np.ones_like(self._contrast)), 1)
        share = areas / len(stops)
        likelihood = mean * np.exp(-share / LIKELY_AREA)
        smallest = min(SMALLEST_REGION, len(stops)) - 1
        return float(stops[smallest + np.argmax(likelihood[smallest:])])


def _neighbours(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of neighbouring pixels once, and how far apart they are."""
    index = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pairs = [
        (index[:, :-1], index[:, 1:], 1.0),
        (index[:-1], index[1:], 1.0),
        (index[:-1, :-1], index[1:, 1:], np.sqrt(2)),
        (index[:-1, 1:], index[1:, :-1], np.sqrt(2)),
    ]
    ones, others = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    return ones, others, np.concatenate([np.full(one.size, length, np.float32) for one, _, length in pairs])


def _between(stops: np.ndarray, first: np.ndarray, last: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each stop, in ascending order, the sum of the values for which first <= stop < last."""
    began, ended = (np.searchsorted(stops, times) for times in (first, last))
    count = len(stops) + 1
    open_now = np.bincount(began, values, count) - np.bincount(ended, values, count)
    return np.cumsum(open_now)[: len(stops)]
