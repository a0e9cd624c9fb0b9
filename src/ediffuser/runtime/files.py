"""Files that are there whole or not at all."""

import os
from pathlib import Path

from ediffuser.runtime.errors import BadInputError


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
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Waits until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
