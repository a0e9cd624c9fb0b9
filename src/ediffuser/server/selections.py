"""Selection by clicks: a picture that was looked at before answers faster. It blocks: call it in a thread."""

from collections import OrderedDict
from threading import Lock

import numpy as np

from ediffuser.editing.crop import Box
from ediffuser.editing.photo import Photo
from ediffuser.editing.select import Click, Segmenter, Selector
from ediffuser.server.images import ImageStore
from ediffuser.server.schemas import SelectionRequest

MOST_REMEMBERED = 16  # pictures; a few megabytes each


class Selections:
    """A segmenter that remembers the pictures it has looked at."""

    def __init__(self, images: ImageStore, segmenter: Segmenter) -> None:
        """`segmenter` is the method."""
        self._images = images
        self._segmenter = segmenter
        self._remembered: OrderedDict[str, _Looked] = OrderedDict()
        self._lock = Lock()

    def select(self, request: SelectionRequest) -> np.ndarray:
        """The object at the clicks: bool, shape (H, W) of the picture.

        Raises:
            FileNotFoundError: If there is no such picture.
            PhotoError: If a click or the box lies outside of it, or nothing says where the object is.
        """
        clicks = [Click(point.x, point.y, point.positive) for point in request.points]
        asked = request.box
        box = None if asked is None else Box(asked.top, asked.left, asked.bottom, asked.right)
        looked = self._looked_at(request.image)
        with looked.lock:
            return looked.selector(self._segmenter).select(clicks, box)

    def _looked_at(self, image: str) -> "_Looked":
        with self._lock:
            looked = self._remembered.pop(image, None) or _Looked(self._images.photo(image))
            self._remembered[image] = looked
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
            return looked


class _Looked:
    """A picture, looked at on the first click, by one thread at a time."""

    def __init__(self, photo: Photo) -> None:
        self.lock = Lock()
        self._photo = photo
        self._selector: Selector | None = None

    def selector(self, segmenter: Segmenter) -> Selector:
        if self._selector is None:
            self._selector = segmenter.look_at(self._photo)
        return self._selector
