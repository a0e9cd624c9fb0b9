"""The data set at a path that a person typed."""

from typing import TYPE_CHECKING, Literal

from ediffuser.data.cifar10 import Cifar10, official_folder
from ediffuser.data.fashion_mnist import FashionMnist
from ediffuser.data.files import existing
from ediffuser.data.image_folder import ImageFolder
from ediffuser.data.mnist import Mnist
from ediffuser.runtime.errors import BadInputError

if TYPE_CHECKING:
    from ediffuser.data import DataSet


def data_set_at(
    path: str,
    resolution: int,
    *,
    channels: Literal[1, 3] = 3,
    split: Literal["train", "test"] = "train",
    flip: bool = True,
) -> "DataSet":
    """Tells the kind of a data set from what lies at its path.

    A folder of idx files is Fashion-MNIST if its path says "fashion", else MNIST; one of data_batch files is CIFAR-10;
    every other folder or zip is one of images.

    Args:
        path: A folder or a .zip.
        resolution: Side of the pictures in pixels.
        channels: 3 for RGB, 1 for grey.
        split: Which part, where the data set has parts.
        flip: Whether training mirrors every second picture; MNIST and Fashion-MNIST never are.

    Raises:
        BadInputError: If nothing is there, or it has neither this resolution nor these channels.
    """
    where = existing(path)
    if where.is_dir() and any(where.glob("*idx?-ubyte*")):
        _require(path, "28 x 28 pictures", "resolution", resolution, (28, 32))
        kind = FashionMnist if "fashion" in str(where.resolve()).lower() else Mnist
        return kind(path=path, split=split, resolution=28 if resolution == 28 else 32, channels=channels)
    if where.is_dir() and official_folder(where) is not None:
        _require(path, "CIFAR-10", "resolution", resolution, (32,))
        _require(path, "CIFAR-10", "channels", channels, (3,))
        return Cifar10(path=path, split=split, flip=flip)
    return ImageFolder(path=path, resolution=resolution, channels=channels, flip=flip)


def _require(path: str, what: str, name: str, value: int, right: tuple[int, ...]) -> None:
    if value not in right:
        choices = " or ".join(map(str, right))
        raise BadInputError(f"'{path}' holds {what}: {name} {value} was asked for, {choices} would be right")
