"""Files good and bad, built byte by byte where no library would write them; random pictures and holes."""

import functools
import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageCms

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(width=40, height=30, channels=3, seed=0):
    """Smooth random pixels, uint8: no two are alike for long, yet JPEG keeps them nearly."""
    coarse = np.random.default_rng(seed).integers(20, 236, (5, 6, channels), dtype=np.uint8)
    planes = [
        Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1).squeeze()


def random_hole(random, height, width):
    """Specks, rectangles, lines or everything; bool, perhaps all False."""
    kind = random.integers(6)
    if kind == 0:
        return random.random((height, width)) < random.choice([0.001, 0.02, 0.5, 1.0])
    hole = np.zeros((height, width), bool)
    for _ in range(random.integers(1, 5)):
        top, left = random.integers(height), random.integers(width)
        tall, wide = random.integers(1, height + 1), random.integers(1, width + 1)
        if kind == 1:
            tall, wide = 1 + tall // 8, 1 + wide // 8
        if kind == 2:
            tall = 1
        if kind == 3:
            wide = 1
        if kind == 4:
            top = 0
        hole[top : top + tall, left : left + wide] = True
    return hole


def encoded(pixels, file_format="PNG", **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, file_format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour_type, rows: Iterable[bytes], extra: bytes = b"") -> bytes:
    """A PNG file from its packed rows; `extra` chunks stand before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    packed = zlib.compressobj(9)
    data = b"".join(packed.compress(b"\0" + row) for row in rows) + packed.flush()
    return SIGNATURE + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_16_bit(values: np.ndarray, extra: bytes = b"") -> bytes:
    """A 16-bit PNG of uint16 values, shape (H, W) for grey, (H, W, 2), (H, W, 3) or (H, W, 4)."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    height, width = values.shape[:2]
    return png(width, height, 16, colour_type, [row.tobytes() for row in values.astype(">u2")], extra)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@functools.cache  # it holds the time of its making
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def grey_profile(gamma: float) -> bytes:
    """A grey profile of a pure power law."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"mntr", b"GRAY", b"XYZ ", [(b"wtpt", _white()), (b"kTRC", curve)])


def cmyk_profile() -> bytes:
    """A profile of a press whose C, M and Y inks are invisible: only K darkens."""
    linear = bytes(range(256))
    grid = bytearray()
    for corner in range(16):  # K is the last channel, so it varies fastest
        grid += bytes([0 if corner & 1 else 255, 128, 128])
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + linear * 4 + bytes(grid) + linear * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", [(b"wtpt", _white()), (b"A2B0", table + bytes(-len(table) % 4))])


def _white() -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, kind, space, connection)
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body
