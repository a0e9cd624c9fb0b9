"""Decoding of uploads that nobody vouches for, each in a process of its own that ends with it.

The child may use little memory, time and disk, and starts no further process; it imports Pillow and numpy, no PyTorch.
A picture that crashes it or exhausts it is refused like any other bad picture; the server goes on.

    pixels.npy   uint8 (H, W, 3 or 4), upright          meta.json   width, height, alpha, format
    icc.bin      the RGB profile, if there is one       mask.npy    the hole, `numpy.packbits` of all pixels in a row
"""

import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np

from ediffuser.editing.decode import MOST_PIXELS, decode_photo, format_of
from ediffuser.editing.mask import decode_mask
from ediffuser.editing.photo import Photo, PhotoError, Refusal

REFUSED = 2
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
NEEDED = ("LD_LIBRARY_PATH",)  # where some Python installations find their own libraries
MOST_SCANS = 100
"""Scans of a JPEG file; encoders make about ten, and each costs the decoder a pass over all pixels."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may use. The defaults leave room for 50 megapixels of any accepted mode.

    Attributes:
        memory_bytes: Address space (enforced on Linux only).
        cpu_seconds: Processor time.
        wall_seconds: Time on the clock: more than processor time, as the machine may be busy.
        file_bytes: Size of the largest file it writes.
    """

    memory_bytes: int = 2 * 1024**3
    cpu_seconds: int = 20
    wall_seconds: float = 60.0
    file_bytes: int = 4 * MOST_PIXELS + 4096


@dataclass(frozen=True, kw_only=True)
class PhotoMeta:
    """What meta.json says: sides of the upright picture, whether it has alpha, and the format of the uploaded file."""

    width: int
    height: int
    alpha: bool
    format: Literal["png", "jpeg", "webp"]


def decode_in_child(upload: Path, directory: Path, *, what: str = "photo", limits: Limits | None = None) -> PhotoMeta:
    """Decodes an upload into pixels.npy, meta.json and perhaps icc.bin; see `decode.decode_photo` for the rules.

    Blocks for a third of a second and more: call it from a thread. On failure the directory may hold unfinished files.

    Args:
        upload: The uploaded bytes.
        directory: An existing folder to write into.
        what: The word for the picture in messages. They name no path.
        limits: None for the defaults.

    Raises:
        PhotoError: If the picture is refused, or decoding it crashes ("damaged") or exhausts ("too-expensive") the
            child.
        RuntimeError: If the child fails for another reason, such as a full disk. Its traceback is on stderr.
    """
    _run(["photo", str(upload.absolute()), str(directory.absolute())], directory, what, limits or Limits())
    return PhotoMeta(**json.loads((directory / "meta.json").read_text()))


def decode_mask_in_child(
    upload: Path,
    directory: Path,
    size: tuple[int, int],
    *,
    invert: bool = False,
    what: str = "mask",
    limits: Limits | None = None,
) -> np.ndarray:
    """Decodes an uploaded mask into mask.npy; see `mask.decode_mask` for the rules, `decode_in_child` for the rest.

    Args:
        upload: The uploaded bytes.
        directory: An existing folder to write into.
        size: Width and height of the upright photo.
        invert: Read black as paint instead.
        what: The word for the mask in messages.
        limits: None for the defaults.

    Returns:
        bool, shape (H, W), True where to paint.
    """
    width, height = size
    asked = ["mask", str(upload.absolute()), str(directory.absolute()), str(width), str(height), str(int(invert))]
    _run(asked, directory, what, limits or Limits())
    return load_mask(directory / "mask.npy", size)


def load_photo(directory: Path) -> Photo:
    """The picture that `decode_in_child` wrote; its pixels stay on disk until they are looked at."""
    profile = directory / "icc.bin"
    pixels = np.load(directory / "pixels.npy", mmap_mode="r", allow_pickle=False)
    return Photo(pixels, profile.read_bytes() if profile.exists() else None)


def save_photo(photo: Photo, directory: Path, file_format: Literal["png", "jpeg", "webp"] = "png") -> PhotoMeta:
    """Writes a picture as `decode_in_child` does."""
    width, height = photo.size
    meta = PhotoMeta(width=width, height=height, alpha=photo.pixels.shape[2] == 4, format=file_format)
    np.save(directory / "pixels.npy", photo.pixels, allow_pickle=False)
    if photo.icc_profile is not None:
        (directory / "icc.bin").write_bytes(photo.icc_profile)
    (directory / "meta.json").write_text(json.dumps(asdict(meta)))
    return meta


def load_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A mask.npy as bool, shape (H, W), for a photo of this width and height."""
    width, height = size
    bits = np.load(path, allow_pickle=False)
    return np.unpackbits(bits, count=width * height).reshape(height, width).view(bool)


def save_mask(path: Path, hole: np.ndarray) -> None:
    """Writes a mask.npy: one bit a pixel."""
    np.save(path, np.packbits(hole), allow_pickle=False)


def _run(asked: list[str], directory: Path, what: str, limits: Limits) -> None:
    """Runs `_main` in a child and raises what it found."""
    numbers = [str(limits.memory_bytes), str(limits.cpu_seconds), str(limits.file_bytes)]
    command = [sys.executable, "-I", "-m", "ediffuser.editing.child", *numbers, what, *asked]
    try:
        status = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=directory,
            env=ENVIRONMENT | {name: os.environ[name] for name in NEEDED if name in os.environ},
            start_new_session=True,  # Ctrl+C ends the server, which waits for this upload
            timeout=limits.wall_seconds,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise _too_expensive(what) from None
    if status == REFUSED:
        refusal = json.loads((directory / "refusal.json").read_text())
        raise PhotoError(cast(Refusal, refusal["kind"]), refusal["message"])
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _too_expensive(what)
    if status < 0:
        raise PhotoError("damaged", f"the {what} is damaged (its decoder crashed): save or copy the picture anew")
    if status > 0:
        raise RuntimeError(f"the decoding process of the {what} ended with status {status}")


def _too_expensive(what: str) -> PhotoError:
    message = f"the {what} takes too much memory or time to decode: save it anew as a plain JPEG or PNG picture"
    return PhotoError("too-expensive", message)


def _main(memory: str, cpu: str, file: str, what: str, kind: str, upload: str, directory: str, *more: str) -> int:
    """The child. It limits itself before it looks at the upload, which is safer than code between fork and exec."""
    _limit(int(memory), int(cpu), int(file))
    try:
        content = Path(upload).read_bytes()
        file_format = format_of(content)
        if file_format == "JPEG" and content.count(b"\xff\xda") > MOST_SCANS:
            raise _too_expensive(what)
        if kind == "mask":
            width, height, invert = (int(number) for number in more)
            save_mask(Path(directory, "mask.npy"), decode_mask(content, (width, height), bool(invert)))
        else:
            name = cast(Literal["png", "jpeg", "webp"], str(file_format).lower())
            save_photo(decode_photo(content, what=what), Path(directory), name)
    except (PhotoError, MemoryError) as error:
        refusal = error if isinstance(error, PhotoError) else _too_expensive(what)
        Path(directory, "refusal.json").write_text(json.dumps({"kind": refusal.kind, "message": str(refusal)}))
        return REFUSED
    return 0


def _limit(memory_bytes: int, cpu_seconds: int, file_bytes: int) -> None:
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    os._exit(_main(*sys.argv[1:]))  # a large picture is not taken apart piece by piece
