"""The store of pictures: one directory each, named by an id that the server made. It blocks: call it in a thread.

A directory is filled under another name and appears whole. Its time of change is the time of its last use.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ediffuser.editing.child import PhotoMeta, decode_in_child, load_photo, save_photo
from ediffuser.editing.photo import Photo, PhotoError
from ediffuser.runtime.files import sync_directory
from ediffuser.server.problems import ProblemError, from_photo_error, plain_problem
from ediffuser.server.schemas import ImageInfo
from ediffuser.server.storage import image_directory, new_id

ID = re.compile(r"[A-Za-z0-9_-]{22}")
GENERATED = "generated"  # a file of this name says that a model painted in the picture
LEAST_FREE_BYTES = 64 * 2**20
YOUNG_S = 3600.0  # so long a picture stays, whatever else: its job may be on the way


class ImageStore:
    """The pictures of a data directory."""

    def __init__(self, data: Path, clock: Callable[[], float] = time.time) -> None:
        """Makes the folders and removes what an earlier server left unfinished; `data` is absolute."""
        self._data = data
        self._clock = clock
        self._images, self._uploads = data / "images", data / "uploads"
        shutil.rmtree(self._uploads, ignore_errors=True)
        for folder in (self._images, self._uploads):
            folder.mkdir(parents=True, exist_ok=True)

    def add_upload(self, file: BinaryIO) -> ImageInfo:
        """Decodes an uploaded file and keeps the picture.

        Raises:
            ProblemError: If it is no picture that can be edited (415, 422), or the disk is full (507).
        """
        with self.workplace() as place:
            upload = self.spooled(file, place)
            with decoding("photo", place):
                meta = decode_in_child(upload, place, what="photo")
            upload.unlink()
            return self._keep(place, meta)

    def add(self, photo: Photo, *, generated: bool) -> ImageInfo:
        """Keeps a picture that was made here; `generated`: a model painted in it."""
        with self.workplace() as place:
            if generated:
                (place / GENERATED).touch()
            return self._keep(place, save_photo(photo, place))

    def find(self, image: str) -> ImageInfo | None:
        """What is known of a picture; counts as a use of it. None if there is none of this id."""
        if not ID.fullmatch(image):
            return None
        try:
            return self._info(image)
        except FileNotFoundError:
            return None

    def photo(self, image: str) -> Photo:
        """A stored picture; its pixels stay on disk until they are looked at. Counts as a use of it.

        Raises:
            FileNotFoundError: If there is none of this id.
        """
        place = image_directory(self._data, image)
        os.utime(place)
        return load_photo(place)

    def is_generated(self, image: str) -> bool:
        """Whether a model painted in the picture."""
        return (image_directory(self._data, image) / GENERATED).exists()

    def prune(self, keep: Set[str], *, age: float, size: int) -> None:
        """Removes pictures unused for `age` seconds, then the longest unused until all have at most `size` bytes.

        Args:
            keep: Ids that live jobs need; they stay, and so do those used within the last hour.
            age: Seconds.
            size: Bytes.
        """
        now = self._clock()
        entries = sorted((path.stat().st_mtime, _bytes_in(path), path) for path in self._images.iterdir())
        total = sum(count for _, count, _ in entries)
        for used, count, path in entries:
            if path.name in keep or now - used < YOUNG_S:
                continue
            if now - used > age or total > size:
                shutil.rmtree(path, ignore_errors=True)
                total -= count

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """An empty folder on the same disk, which is gone afterwards unless it was kept."""
        place = self._uploads / secrets.token_hex(8)
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def spooled(self, file: BinaryIO, place: Path) -> Path:
        """An uploaded file as a file on the disk; its own name plays no part."""
        path = place / "upload"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy, 2**20)
        return path

    def _keep(self, place: Path, meta: PhotoMeta) -> ImageInfo:
        image = new_id()
        for path in place.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        os.rename(place, image_directory(self._data, image))
        sync_directory(self._images)
        return self._info(image)

    def _info(self, image: str) -> ImageInfo:
        directory = image_directory(self._data, image)
        meta = json.loads((directory / "meta.json").read_bytes())
        now = self._clock()
        os.utime(directory, (now, now))
        return ImageInfo(id=image, **meta)


@contextmanager
def decoding(what: str, place: Path) -> Iterator[None]:
    """Turns what a decoder raises into problems; `place` is where it writes."""
    try:
        yield
    except PhotoError as error:
        raise from_photo_error(error, what) from error
    except RuntimeError as error:  # the decoding process could not do its work
        if shutil.disk_usage(place).free < LEAST_FREE_BYTES:
            raise plain_problem(507) from error
        raise


def missing_image() -> ProblemError:
    """There is no such picture, or no longer."""
    return ProblemError(404, "unknown-image", "There is no picture of this id: upload it anew.")


def _bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())
