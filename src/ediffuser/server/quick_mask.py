"""Masks as the page sends them, read without a decoding process: PNG of 1 bit a pixel, grey, nothing special.

Starting a process takes longer than all the rest of taking a job in. Such a file needs no image library: its pixels are
one zlib stream of a known length. Whatever is unusual about a file is left to the decoding process.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ONE_BIT_GREY = bytes([1, 0, 0, 0, 0])  # depth, colour type, compression, filter, interlace
KNOWN_CHUNKS = (b"IHDR", b"IDAT", b"IEND")


def quick_mask(content: bytes, size: tuple[int, int]) -> np.ndarray | None:
    """Where to paint.

    Args:
        content: A file.
        size: Width and height that it must have.

    Returns:
        bool, shape (H, W), True where it is white, at least one; None if the file is not plainly such a mask.
    """
    packed = _pixel_stream(content, size)
    if packed is None:
        return None
    width, height = size
    stride = 1 + (width + 7) // 8
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(packed, height * stride + 1)  # a byte more shows that there is too much
    except zlib.error:
        return None
    if len(rows) != height * stride or not stream.eof:
        return None
    lines = np.frombuffer(rows, np.uint8).reshape(height, stride)
    if lines[:, 0].any():  # a filter other than none
        return None
    hole = np.unpackbits(lines[:, 1:], axis=1, count=width).view(bool)
    return hole if hole.any() else None


def _pixel_stream(content: bytes, size: tuple[int, int]) -> bytes | None:
    """The compressed pixels of a file that has this header, sound chunks, and nothing but pixels."""
    chunks = _chunks(content)
    if chunks is None or [name for name, _ in chunks[1:-1] if name != b"IDAT"]:
        return None
    (first, header), (last, _) = chunks[0], chunks[-1]
    if (first, last) != (b"IHDR", b"IEND") or header != struct.pack(">II", *size) + ONE_BIT_GREY:
        return None
    return b"".join(data for _, data in chunks[1:-1])


def _chunks(content: bytes) -> list[tuple[bytes, bytes]] | None:
    """Names and data of all chunks; None if the file is not a row of sound chunks that this module knows."""
    if not content.startswith(SIGNATURE):
        return None
    chunks, position = [], len(SIGNATURE)
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], "big")
        body = content[position + 4 : position + 8 + length]
        end = position + 12 + length
        name = body[:4]
        if name not in KNOWN_CHUNKS or content[end - 4 : end] != zlib.crc32(body).to_bytes(4, "big"):
            return None
        chunks.append((name, body[4:]))
        position = end
    return chunks if len(chunks) > 2 else None
