import pytest
import torch
from torch import Tensor

from ediffuser.data.pictures import ArrayPictures
from ediffuser.runtime.pixels import to_uint8


@pytest.fixture
def images() -> Tensor:
    """Four smooth pictures with some structure, 32 x 32, in [-1, 1]; the same on every machine."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    waves = [torch.sin((k + 1) * x / 9 + c) * torch.cos((c + 1) * y / 11 + k) for k in range(4) for c in range(3)]
    return 0.8 * torch.stack(waves).reshape(4, 3, 32, 32)


@pytest.fixture
def pictures(images: Tensor) -> ArrayPictures:
    return ArrayPictures(to_uint8(images).numpy())
