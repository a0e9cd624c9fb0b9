"""Makes the pictures of the browser tests.

    python web/e2e/harness/pictures.py FOLDER

Those that are there already stay as they are.
"""

import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene(width: int, height: int) -> np.ndarray:
    """A picture in which every place differs from its neighbours and no mirror image looks the same."""
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    red = 40 + 170 * x / width + 0 * y
    green = 40 + 170 * y / height + 0 * x
    blue = 60 + 50 * np.sin(x / 9) * np.cos(y / 13) + 60 * (x / width > 0.5)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def small(path: Path) -> None:
    """What most tests use."""
    Image.fromarray(scene(320, 240)).save(path)


def portrait(path: Path) -> None:
    """480 x 640 when upright, stored lying, with a profile and with things in its EXIF that nobody should pass on."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera of a test"
    exif.get_ifd(0x8825)[1] = "N"
    upright = Image.fromarray(scene(480, 640))
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=92, exif=exif, icc_profile=SRGB)


def portrait_upright(path: Path) -> None:
    """The same photo as a program that heeds its orientation shows it."""
    with Image.open(path.parent / "portrait.jpg") as photo:
        photo.transpose(Image.Transpose.ROTATE_270).save(path)


def photo(width: int, height: int) -> Callable[[Path], None]:
    """A large photo with some grain."""

    def make(path: Path) -> None:
        grain = np.random.default_rng(0).integers(0, 12, (height // 4, width // 4, 1), np.uint8)
        picture = scene(width, height)
        picture += np.repeat(np.repeat(grain, 4, axis=0), 4, axis=1)
        Image.fromarray(picture).save(path, quality=80)

    return make


def rgba(path: Path) -> None:
    """Transparent towards the right."""
    alpha = np.broadcast_to(np.linspace(255, 0, 320).astype(np.uint8)[None, :, None], (240, 320, 1))
    Image.fromarray(np.concatenate([scene(320, 240), alpha], axis=-1)).save(path)


def deep(path: Path) -> None:
    """16 bits a channel, which Pillow cannot write."""
    rows = scene(320, 240).astype(">u2") * 257
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    head = (320).to_bytes(4) + (240).to_bytes(4) + bytes([16, 2, 0, 0, 0])
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    parts = [len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4) for kind, body in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def disc(path: Path) -> None:
    """A red disc of radius 60 about (160, 120) on green ground."""
    x, y = np.arange(320)[None, :], np.arange(240)[:, None]
    inside = ((x - 160) ** 2 + (y - 120) ** 2 < 60**2)[..., None]
    noise = np.random.default_rng(0).integers(-6, 7, (240, 320, 3))
    Image.fromarray((np.where(inside, [200, 40, 40], [40, 130, 60]) + noise).astype(np.uint8)).save(path)


def small_mask(path: Path) -> None:
    """A mask for the small picture: white where x is below 40."""
    mask = np.zeros((240, 320), np.uint8)
    mask[:, :40] = 255
    Image.fromarray(mask).save(path)


def too_many_pixels(path: Path) -> None:
    """51 megapixels in a small file."""
    Image.new("L", (10_200, 5_000)).save(path)


def too_many_bytes(path: Path) -> None:
    """101 million bytes, hardly any of them on the disk."""
    path.write_bytes((path.parent / "small.png").read_bytes())
    os.truncate(path, 101_000_000)


def broken(path: Path) -> None:
    """A picture whose second half is missing."""
    whole = (path.parent / "small.png").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def text(path: Path) -> None:
    """No picture at all."""
    path.write_text("Not a picture.\n")


PICTURES: dict[str, Callable[[Path], None]] = {
    "small.png": small,
    "small-mask.png": small_mask,
    "portrait.jpg": portrait,
    "portrait-upright.png": portrait_upright,
    "photo12.jpg": photo(4000, 3000),
    "photo24.jpg": photo(6000, 4000),
    "rgba.png": rgba,
    "deep.png": deep,
    "disc.png": disc,
    "too-many-pixels.png": too_many_pixels,
    "over-100-megabytes.png": too_many_bytes,
    "broken.png": broken,
    "notes.txt": text,
}


def main() -> None:
    """Makes what is missing."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PICTURES.items():
        path = folder / name
        if not path.exists():
            part = path.with_name(f"part-{name}")
            make(part)
            part.rename(path)


if __name__ == "__main__":
    main()
