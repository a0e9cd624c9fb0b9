"""The short cut for masks agrees with the decoder, and takes nothing else."""

import zlib

import numpy as np
import pytest
from photo_files import chunk, encoded, png
from PIL import Image

from ediffuser.editing.mask import decode_mask
from ediffuser.server.quick_mask import quick_mask


def one_bit(hole, extra=b""):
    return png(hole.shape[1], hole.shape[0], 1, 0, [row.tobytes() for row in np.packbits(hole, axis=1)], extra)


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (40, 31), (63, 64)])
def test_it_agrees_with_the_decoder(size):
    for seed in range(10):
        hole = np.random.default_rng(seed).random(size[::-1]) < 0.3
        content = one_bit(hole)
        assert (quick_mask(content, size) == hole).all()
        assert (decode_mask(content, size) == hole).all()
        assert quick_mask(content, size[::-1]) is None or size[0] == size[1]


def test_what_is_unusual_is_left_to_the_decoder():
    hole = np.random.default_rng(0).random((30, 40)) < 0.3
    content, size = one_bit(hole), (40, 30)
    assert quick_mask(content, size) is not None
    others = [
        b"",
        content[:-1],
        content[: len(content) // 2],
        content + b"tail",
        content[:-12],
        bytes([content[0] ^ 1]) + content[1:],
        one_bit(hole, chunk(b"tEXt", b"a\0b")),
        one_bit(hole & False),
        encoded(np.where(hole, np.uint8(255), np.uint8(0))),
        encoded(Image.fromarray(hole), "PNG", transparency=1),
        content[:33] + chunk(b"IDAT", zlib.compress(bytes(10_000_000))) + chunk(b"IEND", b""),
        content[:33] + chunk(b"IEND", b""),
        content[:33] + chunk(b"IDAT", b"no stream") + chunk(b"IEND", b""),
    ]
    assert [quick_mask(other, size) is None for other in others] == [True] * len(others)
    for position in range(len(content)):
        flipped = content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]
        assert quick_mask(flipped, size) is None
