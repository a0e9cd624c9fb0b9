"""Data sets, and the orders in which they are trained on. The unions are the registry: one file, one name here."""

from typing import Annotated

from pydantic import Field

from ediffuser.data.batches import Batch, batches
from ediffuser.data.celeba_hq import CelebaHq
from ediffuser.data.cifar10 import Cifar10
from ediffuser.data.fashion_mnist import FashionMnist
from ediffuser.data.group_shares import GroupShares
from ediffuser.data.guess import data_set_at
from ediffuser.data.image_folder import ImageFolder
from ediffuser.data.mnist import Mnist
from ediffuser.data.order import Epochs, batch_indices
from ediffuser.data.pictures import Pictures, found

DataSet = Annotated[CelebaHq | Cifar10 | FashionMnist | ImageFolder | Mnist, Field(discriminator="kind")]
AnyOrder = Annotated[Epochs | GroupShares, Field(discriminator="kind")]

__all__ = [
    "AnyOrder",
    "Batch",
    "CelebaHq",
    "Cifar10",
    "DataSet",
    "Epochs",
    "FashionMnist",
    "GroupShares",
    "ImageFolder",
    "Mnist",
    "Pictures",
    "batch_indices",
    "batches",
    "data_set_at",
    "found",
]
