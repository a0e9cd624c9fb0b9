"""One process at a time: a lock on a directory that ends with the process that holds it, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ediffuser.runtime.errors import BadInputError, InUseError

LOCK = ".lock"


@contextmanager
def only_one(directory: Path, use: str = "being trained") -> Iterator[None]:
    """Holds a directory within the block, so that nobody else can.

    The kernel frees it when the process ends, after `kill -9` too; the file is left, for to remove it would let two
    processes lock two files of the same name.

    Args:
        directory: What is held.
        use: What for, as the others are told.

    Raises:
        InUseError: If another process holds it.
        BadInputError: If the file cannot be made or locked.
    """
    path = directory / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror}; choose a place that can be written to") from error
    try:
        _take(descriptor, directory, use)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path, use: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "unknown"
        raise InUseError(
            f"{directory} is {use} by another process ({holder}); wait for it to end, or choose another --out"
        ) from None
    except OSError as error:  # network disks that are mounted without locks
        raise BadInputError(
            f"cannot lock {directory / LOCK}: {error.strerror}; choose a place on a disk that knows locks"
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
    except OSError:  # a full disk: the name of the holder is a courtesy, the lock holds without it
        pass
