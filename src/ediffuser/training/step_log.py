"""The log of a run: a JSON line for every step, each step once, however often the run was stopped."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ediffuser.runtime.checkpoint import checkpoints, read_checkpoint
from ediffuser.runtime.errors import BadInputError, CheckpointError
from ediffuser.runtime.files import append_line, write_atomically
from ediffuser.training.state import STATE


class StepLog:
    """Adds steps to RUN/log.jsonl.

    A resumed run does the steps after its checkpoint again: what the log holds of them, and a line that a crash cut
    off, gives way to the new ones. The step of the checkpoint, which a crash after its publication can have kept out,
    is taken from there. On a full disk lines wait in memory until there is room.
    """

    def __init__(self, path: Path, *, every_step: bool = True) -> None:
        """A log that may be there already.

        Args:
            path: The file, in a directory that exists once the first step is added.
            every_step: Whether it has every step, and so that of the checkpoint too.
        """
        self.path = path
        self._every_step = every_step
        self._waiting: list[str] = []
        self._begun = False

    def add(self, record: Mapping[str, Any]) -> Iterator[str]:
        """Writes a step down; yields a sentence if that is not possible now.

        Args:
            record: What JSON can hold; its "images_seen" says which step it is.
        """
        self._waiting.append(json.dumps(record))
        told = len(self._waiting) > 1
        try:
            if not self._begun:
                self._begin(json.loads(self._waiting[0])["images_seen"])
                self._begun = True
            while self._waiting:
                append_line(self.path, self._waiting[0])
                del self._waiting[0]
        except (BadInputError, OSError) as error:
            if not told:
                yield f"{self.path} is not up to date: {error}; training goes on, and the log waits for room"

    def last(self) -> int:
        """At how many images the newest line in the file was written; 0 without one."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        seen = (_images_seen(line) for line in text.splitlines(keepends=True))
        return max((int(images) for images in seen if images < math.inf), default=0)

    def _begin(self, images_seen: int) -> None:
        """Leaves in the log what was before a step, and adds the step of the checkpoint if it is not there."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        kept = [line for line in text.splitlines(keepends=True) if _images_seen(line) < images_seen]
        last = _images_seen(kept[-1]) if kept else 0
        saved = _saved(self.path.parent) if self._every_step else []
        kept += [json.dumps(step) + "\n" for step in saved if last < step["images_seen"] < images_seen]
        if "".join(kept) != text:
            write_atomically(self.path, "".join(kept).encode())


def _images_seen(line: str) -> float:
    """Which step a line is of; infinity if it is not a whole one."""
    try:
        return json.loads(line)["images_seen"] if line.endswith("\n") else math.inf
    except (ValueError, KeyError, TypeError):
        return math.inf


def _saved(run: Path) -> list[dict[str, Any]]:
    """The figures of the steps whose checkpoints are there and sound, in their order."""
    steps = []
    for path in reversed(checkpoints(run)):
        try:
            state = json.loads(read_checkpoint(path, [STATE])[STATE])
        except (CheckpointError, OSError):  # an older one than that which the run goes on from; the log can do without
            continue
        steps.append({"images_seen": state["images_seen"], **state.get("figures", {}), "checkpoint": str(path)})
    return steps
