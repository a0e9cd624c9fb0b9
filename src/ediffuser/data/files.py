"""The image files of a folder or a zip, by name. The same pictures packed either way come in the same order."""

import os
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from ediffuser.runtime.errors import BadInputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class Files(Protocol):
    """Named files in one place: `names` are relative, with forward slashes, and sorted."""

    where: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """The bytes of one file. Safe to call from several threads."""
        ...


class FolderFiles:
    """The image files below a folder."""

    def __init__(self, where: Path) -> None:
        """Lists the folder, its subfolders included.

        Raises:
            BadInputError: If it holds no images.
        """
        self.where = where
        below = (Path(folder, name) for folder, _, names in os.walk(where) for name in names)
        self.names = _images(where, (path.relative_to(where).as_posix() for path in below))

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        return (self.where / name).read_bytes()


class ZipFiles:
    """The image files of a zip, read in place and never extracted."""

    def __init__(self, where: Path) -> None:
        """Opens the zip and lists it.

        Raises:
            BadInputError: If it is damaged or holds no images.
        """
        self.where = where
        try:
            self._zip = zipfile.ZipFile(where)
        except (zipfile.BadZipFile, OSError) as error:
            raise BadInputError(f"the zip '{where}' cannot be opened ({error}): is it complete?") from error
        self._lock = threading.Lock()  # ZipFile counts its open members without one
        self.names = _images(where, self._zip.namelist())

    def read(self, name: str) -> bytes:
        """The bytes of one file; zipfile checks their CRC."""
        with self._lock:
            return self._zip.read(name)


def open_files(path: str) -> Files:
    """The image files at a path.

    Args:
        path: A folder, searched recursively, or a .zip.

    Raises:
        BadInputError: If there is nothing, neither folder nor zip, or no image in it.
    """
    where = existing(path)
    if where.is_dir():
        return FolderFiles(where)
    if where.suffix.lower() == ".zip" or zipfile.is_zipfile(where):
        return ZipFiles(where)
    raise BadInputError(f"'{where}' is neither a folder nor a .zip: give one of JPEG, PNG or WebP files")


def existing(path: str) -> Path:
    """The path of a data set that is there.

    Raises:
        BadInputError: If no path was given, or nothing is there.
    """
    if not path:
        raise BadInputError("the data set has no path: give a folder or a .zip of images")
    where = Path(path).expanduser()
    if not where.exists():
        raise BadInputError(f"there is no data set at '{where}': give an existing folder or .zip of images")
    return where


def _images(where: Path, names: Iterable[str]) -> tuple[str, ...]:
    images = tuple(sorted(name for name in names if _is_image(PurePosixPath(name))))
    if not images:
        raise BadInputError(f"no JPEG, PNG or WebP in '{where}': give a folder or a .zip that holds such files")
    return images


def _is_image(path: PurePosixPath) -> bool:
    # A zip made on a Mac carries a shadow "__MACOSX/._name.jpg" of every file.
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden
