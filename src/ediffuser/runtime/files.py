"""Files that are there whole or not at all."""

import errno
import os
from pathlib import Path

from ediffuser.runtime.errors import BadInputError

PIECE = 1 << 20
"""Bytes written at a time, so that a signal is heard in between."""


def make_folder(folder: Path, option: str = "--out") -> None:
    """Makes a folder, and those above it, if there is none, and waits until their names are on the disk.

    Args:
        folder: Which.
        option: What named it on the command line.

    Raises:
        BadInputError: If it cannot be made.
    """
    try:
        make_durably(folder)
    except OSError as error:
        raise BadInputError(f"cannot make the folder {folder}: {error.strerror}; choose another {option}") from error


def make_durably(folder: Path) -> None:
    """The same, with Python's own errors.

    Raises:
        OSError: If it cannot be made.
    """
    if not folder.is_dir():
        make_durably(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_directory(folder.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, a crash or a power cut sees the old one or the new one, never a part.

    Raises:
        BadInputError: If the place cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_durably(temporary, content)
        os.replace(temporary, path)
        sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadInputError(f"cannot write {path}: {error.strerror}; choose a place that can be written to") from error


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file and waits until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest[:PIECE]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file, whole or not at all while this process lives.

    Raises:
        OSError: If it does not fit on the disk.
    """
    with path.open("ab", buffering=0) as file:
        end, content = file.seek(0, os.SEEK_END), line.encode() + b"\n"
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(end)
            raise


def sync_directory(path: Path) -> None:
    """Waits until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
