"""Pictures whose classes come in turn, so that the first so many of them are of all classes."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ediffuser.data import Pictures


def classes_in_turn(pictures: Pictures) -> Pictures:
    """The same pictures: the first of each class, then the second of each, and so on.

    Files come sorted by their class's folder, and figures of the first pictures would be those of the first classes.
    Pictures without classes stay as they are.
    """
    labels = pictures.labels
    if labels is None or len(pictures.classes) < 2:
        return pictures
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=len(pictures.classes))
    place = np.empty(len(labels), np.int64)
    place[by_class] = np.concatenate([np.arange(count) for count in counts])
    return _Reordered(pictures, np.lexsort((labels, place)))


class _Reordered:
    """Pictures in another order."""

    def __init__(self, pictures: Pictures, order: np.ndarray) -> None:
        self._pictures, self._order = pictures, order
        self.labels = None if pictures.labels is None else pictures.labels[order]
        self.classes = pictures.classes
        self.names = [pictures.names[int(k)] for k in order]

    def __len__(self) -> int:
        return len(self._order)

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        return self._pictures.batch(self._order[np.asarray(indices, dtype=np.int64)])

    def prepare(self) -> None:
        self._pictures.prepare()
