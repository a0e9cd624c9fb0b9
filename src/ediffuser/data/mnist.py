"""MNIST: 60,000 + 10,000 handwritten digits (LeCun et al. 1998)."""

from typing import Literal

from ediffuser.data.idx import open_idx
from ediffuser.data.pictures import Pictures
from ediffuser.runtime.component import component


@component
class Mnist:
    """White digits on black, from the four official idx files, plain or gzipped.

    Attributes:
        path: The folder with the files.
        split: "train" (60,000) or "test" (10,000).
        resolution: 28 as stored, or 32, padded with black.
        channels: 1, or 3 equal ones.
        flip: Whether training mirrors every second picture; a mirrored digit is none.
    """

    kind: Literal["mnist"] = "mnist"
    path: str = ""
    split: Literal["train", "test"] = "train"
    resolution: Literal[28, 32] = 28
    channels: Literal[1, 3] = 1
    flip: bool = False

    def open(self) -> Pictures:
        """The pictures, with labels.

        Raises:
            BadInputError: If a file is missing or damaged.
        """
        return open_idx(self.path, self.split, self.resolution, self.channels, tuple("0123456789"))
