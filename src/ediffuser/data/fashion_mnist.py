"""Fashion-MNIST: 60,000 + 10,000 articles of clothing (Xiao et al. 2017, MIT licence)."""

from typing import Literal

from ediffuser.data.idx import open_idx
from ediffuser.data.pictures import Pictures
from ediffuser.runtime.component import component

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
)  # fmt: skip


@component
class FashionMnist:
    """White clothes on black, from the four official idx files, plain or gzipped.

    Attributes:
        path: The folder with the files; by default where Debian's package `dataset-fashion-mnist` puts them.
        split: "train" (60,000) or "test" (10,000).
        resolution: 28 as stored, or 32, padded with black.
        channels: 1, or 3 equal ones.
        flip: Whether training mirrors every second picture; shoes all point to the left.
    """

    kind: Literal["fashion_mnist"] = "fashion_mnist"
    path: str = "/usr/share/datasets/fashion-mnist"
    split: Literal["train", "test"] = "train"
    resolution: Literal[28, 32] = 28
    channels: Literal[1, 3] = 1
    flip: bool = False

    def open(self) -> Pictures:
        """The pictures, with labels.

        Raises:
            BadInputError: If a file is missing or damaged.
        """
        return open_idx(self.path, self.split, self.resolution, self.channels, CLASSES)
