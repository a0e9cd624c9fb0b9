import torch

from ediffuser.runtime.pixels import from_uint8, to_uint8


def test_every_grey_level_comes_back():
    levels = torch.arange(256, dtype=torch.uint8)
    images = from_uint8(levels)
    assert images.dtype == torch.float32
    assert images[0] == -1
    assert images[255] == 1
    assert torch.equal(to_uint8(images), levels)


def test_bytes_are_rounded_and_clamped():
    step = 2 / 255
    images = torch.tensor([-3.0, -1 + 0.49 * step, -1 + 0.51 * step, 1 - 0.49 * step, 3.0])
    assert to_uint8(images).tolist() == [0, 0, 1, 255, 255]


def test_half_precision_is_taken():
    assert to_uint8(torch.tensor([0.0, 1.0], dtype=torch.bfloat16)).tolist() == [128, 255]
