"""A checkpoint is a directory: safetensors, JSON, and a manifest of SHA-256 sums that is written last.

It appears under its name whole or not at all, and what is read from it has been checked against the manifest. A file
that the manifest does not name, or a sum that differs, is refused with the file's name. Nothing is unpickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ediffuser.runtime.errors import CheckpointError
from ediffuser.runtime.files import make_durably, sync_directory, write_durably

MANIFEST = "manifest.json"
FORMAT = "ediffuser-checkpoint-1"
CHECKPOINTS = "checkpoints"


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Named tensors as the bytes of a safetensors file; memory layouts are made plain."""
    return safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def write_checkpoint(path: Path, files: Mapping[str, bytes]) -> None:
    """Publishes a checkpoint directory, after reading back from the disk what was written.

    Args:
        path: Where it will stand; nothing may stand there yet.
        files: Content by file name.

    Raises:
        OSError: If there is no room for it, or it cannot be written; nothing of it is left then.
        CheckpointError: If the disk does not give back what was written.
    """
    make_durably(path.parent)
    temporary = _temporary(path)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        for name, content in files.items():
            write_durably(temporary / name, content)
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        manifest = json.dumps({"format": FORMAT, "sha256": sums}, indent=2)
        write_durably(temporary / MANIFEST, manifest.encode())
        sync_directory(temporary)
        read_checkpoint(temporary)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(path.parent)


def remove_checkpoint(path: Path) -> None:
    """Takes a checkpoint away; a crash meanwhile leaves no half of it under its name."""
    temporary = _temporary(path)
    path.rename(temporary)
    sync_directory(path.parent)
    shutil.rmtree(temporary)


def remove_leftovers(run: Path) -> None:
    """Removes what processes left that were killed while writing; only for who alone may write to the run."""
    for place in (run, run / CHECKPOINTS):
        for left in place.glob(".*.tmp"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def read_checkpoint(path: Path, names: list[str] | None = None) -> dict[str, bytes]:
    """The checked content of a checkpoint directory, by file name.

    Args:
        path: The directory.
        names: The files wanted; None reads all. The others must be there too, but are not read.

    Raises:
        CheckpointError: If the directory is not a checkpoint, or a file is missing, damaged or foreign.
    """
    sums = _manifest(path)
    entries = {entry.name: entry.is_file() for entry in path.iterdir() if entry.name != MANIFEST}
    for name in sorted(name for name in sums if not entries.get(name)):
        raise CheckpointError(f"checkpoint {path}: {name} is missing; the manifest names it")
    for name in sorted(entries.keys() - sums.keys()):
        raise CheckpointError(f"checkpoint {path}: {name} is foreign; the manifest does not name it")
    content = {}
    for name in names if names is not None else sums:
        if name not in sums:
            raise CheckpointError(f"checkpoint {path}: it holds no {name}; it has {', '.join(sorted(sums))}")
        content[name] = (path / name).read_bytes()
        if hashlib.sha256(content[name]).hexdigest() != sums[name]:
            raise CheckpointError(f"checkpoint {path}: {name} is damaged; its SHA-256 is not the manifest's")
    return content


def newest_checkpoint(run: Path) -> Path | None:
    """The newest finished checkpoint of a run directory, RUN/checkpoints/IMAGES_SEEN; None where there is none."""
    return next((path for path in checkpoints(run) if (path / MANIFEST).exists()), None)


def checkpoints(run: Path) -> list[Path]:
    """All that stands under the name of a checkpoint in a run directory, damaged or not, the newest first."""
    found = [path for path in (run / CHECKPOINTS).glob("[0-9]*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def tensors_from_bytes(content: bytes, name: str, path: Path) -> dict[str, Tensor]:
    """The named tensors of a safetensors file.

    Raises:
        CheckpointError: If the bytes are no safetensors file.
    """
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"checkpoint {path}: {name} is not a safetensors file ({error})") from error


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _manifest(path: Path) -> dict[str, str]:
    if not path.is_dir():
        raise CheckpointError(f"checkpoint {path} is not a directory; a checkpoint is a directory with {MANIFEST}")
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise CheckpointError(f"checkpoint {path}: format {manifest['format']!r} is not {FORMAT!r}")
        sums = manifest["sha256"]
        if not isinstance(sums, dict):
            raise TypeError("sha256 is no table")
    except FileNotFoundError as error:
        raise CheckpointError(f"checkpoint {path}: {MANIFEST} is missing, so it was never finished") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {path}: {MANIFEST} is damaged; it cannot be read") from error
    if not all(Path(name).name == name and isinstance(digest, str) for name, digest in sums.items()):
        raise CheckpointError(f"checkpoint {path}: {MANIFEST} names a file outside the directory")
    return sums
