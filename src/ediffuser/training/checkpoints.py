"""Which checkpoints of a run are trusted, and which are kept."""

import logging
from pathlib import Path

from ediffuser.runtime.checkpoint import checkpoints, read_checkpoint, remove_checkpoint
from ediffuser.runtime.errors import BadInputError, CheckpointError

logger = logging.getLogger(__name__)

KEPT = 2
"""The newest ones that are kept, and have been found sound: the one before the last is there if the last is damaged."""

DAMAGED = "damaged"


def newest_sound(run: Path) -> tuple[Path, dict[str, bytes], dict[Path, CheckpointError]]:
    """The newest checkpoint whose every file is as it was written.

    Args:
        run: The run directory.

    Returns:
        Its path, its content by file name, and what is wrong with each of the newer ones.

    Raises:
        BadInputError: If there is none.
    """
    faults: dict[Path, CheckpointError] = {}
    for path in checkpoints(run):
        try:
            return path, read_checkpoint(path), faults
        except CheckpointError as error:
            faults[path] = error
        except OSError as error:  # a disk that cannot be read
            faults[path] = CheckpointError(f"checkpoint {path}: {error.strerror}: {error.filename}")
    if not faults:
        raise BadInputError(f"nothing to resume in {run}: it holds no finished checkpoint")
    reason = next(iter(faults.values()))
    raise CheckpointError(f"nothing to resume in {run}: none of its {len(faults)} checkpoints is sound; {reason}")


def set_aside(path: Path) -> Path:
    """Renames a damaged checkpoint, so that the run can come by there again, and returns its new path.

    RUN/checkpoints/0000100000 becomes damaged-0000100000; whoever wants to look into it, or to delete it, can.
    """
    names = [f"{DAMAGED}-{path.name}", *(f"{DAMAGED}-{path.name}-{number}" for number in range(2, 1000))]
    free = next(place for name in names if not (place := path.with_name(name)).exists())
    return path.rename(free)


def prune(run: Path, backup_images: int) -> None:
    """Removes checkpoints that are no longer needed.

    Kept are the newest `KEPT` sound ones, which are read again to be sure, and the first one after each multiple of
    `backup_images`. A damaged one is set aside, not removed.

    Args:
        run: The run directory.
        backup_images: Images between two backups.
    """
    found, sound = checkpoints(run), 0
    backups = {int(path.name) // backup_images: path for path in found}  # of the same multiple the oldest comes last
    backups.pop(0, None)
    for path in found:
        if sound == KEPT:
            if path not in backups.values():
                remove_checkpoint(path)
            continue
        try:
            read_checkpoint(path)
            sound += 1
        except (CheckpointError, OSError) as error:
            logger.warning("%s; it is set aside as %s", error, set_aside(path).name)
