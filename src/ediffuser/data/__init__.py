"""Data sets, one per file. The union is the registry: a new one is one file and one name here."""

from typing import Annotated

from pydantic import Field

from ediffuser.data.batches import Batch, batches
from ediffuser.data.celeba_hq import CelebaHq
from ediffuser.data.cifar10 import Cifar10
from ediffuser.data.fashion_mnist import FashionMnist
from ediffuser.data.guess import data_set_at
from ediffuser.data.image_folder import ImageFolder
from ediffuser.data.mnist import Mnist
from ediffuser.data.order import batch_indices
from ediffuser.data.pictures import Pictures

DataSet = Annotated[CelebaHq | Cifar10 | FashionMnist | ImageFolder | Mnist, Field(discriminator="kind")]

__all__ = [
    "Batch",
    "CelebaHq",
    "Cifar10",
    "DataSet",
    "FashionMnist",
    "ImageFolder",
    "Mnist",
    "Pictures",
    "batch_indices",
    "batches",
    "data_set_at",
]
