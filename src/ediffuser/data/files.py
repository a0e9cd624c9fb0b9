"""The image files of a folder or a zip, by name. The same pictures packed either way come in the same order."""

import contextlib
import os
import threading
import time
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from ediffuser.runtime.errors import BadInputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
READ_AGAIN_AFTER_S = (0.1, 0.5, 2.0)


class Files(Protocol):
    """Named image files in one place.

    Attributes:
        where: The place.
        names: Relative, with forward slashes, and sorted.
        passed_over: How many other files lie there; hidden ones do not count.
    """

    where: Path
    names: tuple[str, ...]
    passed_over: int

    def read(self, name: str) -> bytes:
        """The bytes of one file. Safe to call from several threads."""
        ...


class FolderFiles:
    """The image files below a folder."""

    def __init__(self, where: Path) -> None:
        """Lists the folder, its subfolders and those that it links to included.

        Raises:
            BadInputError: If it holds no images, or a folder in it cannot be read.
        """
        self.where = where
        self.names, self.passed_over = _images(where, (path.relative_to(where).as_posix() for path in _below(where)))

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
        self.names, self.passed_over = _images(where, (name for name in self._zip.namelist() if name[-1:] != "/"))

    def read(self, name: str) -> bytes:
        """The bytes of one file; zipfile checks their CRC."""
        with self._lock:
            return self._zip.read(name)


def read_patiently(files: Files, name: str) -> bytes:
    """The bytes of one file; asked for again a few times, for a network disk that fails may do so for a moment only.

    Raises:
        BadInputError: If it cannot be read; names it.
    """
    for pause in READ_AGAIN_AFTER_S:
        with contextlib.suppress(OSError):
            return files.read(name)
        time.sleep(pause)
    try:
        return files.read(name)
    except OSError as error:
        raise BadInputError(
            f"'{name}' in '{files.where}' cannot be read ({error.strerror or error}): look whether it is there, may be "
            "read, and its disk answers"
        ) from error


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
        BadInputError: If no path was given, nothing is there, or it cannot be looked at.
    """
    if not path:
        raise BadInputError("the data set has no path: give a folder or a .zip of images")
    try:
        where = Path(path).expanduser()
        there = where.exists()
    except (OSError, RuntimeError) as error:  # a name that is too long, a forbidden folder above, no such ~user
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(
            f"the data set '{path}' cannot be looked at ({reason}): give an existing folder or .zip of images"
        ) from error
    if not there:
        raise BadInputError(f"there is no data set at '{where}': give an existing folder or .zip of images")
    return where


def _below(where: Path) -> Iterator[Path]:
    """The files in a folder and below it. Links to folders are followed, and each folder is entered once.

    What lies there itself comes before what is linked to: a picture has its own name, wherever links lead.
    """
    waiting, entered = deque([where]), set()
    while waiting:
        folder = waiting.popleft()
        if folder.resolve() in entered:
            continue
        entered.add(folder.resolve())
        for entry in _entries(folder):
            path = folder / entry.name
            if not (entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(path))):
                yield path
            elif _is_hidden(entry.name):
                continue
            elif entry.is_symlink():
                waiting.append(path)
            else:
                waiting.appendleft(path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise BadInputError(
            f"the folder '{folder}' cannot be read ({error.strerror}): allow it to be read, or take it away"
        ) from error


def _images(where: Path, names: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Which of these files are images, sorted, and how many others there are."""
    shown = [name for name in names if not any(map(_is_hidden, PurePosixPath(name).parts))]
    images = sorted(name for name in shown if PurePosixPath(name).suffix.lower() in SUFFIXES)
    if not images:
        raise BadInputError(f"no JPEG, PNG or WebP in '{where}': give a folder or a .zip that holds such files")
    return tuple(images), len(shown) - len(images)


def _is_hidden(name: str) -> bool:
    # A zip made on a Mac carries a shadow "__MACOSX/._name.jpg" of every file.
    return name.startswith((".", "__MACOSX"))
