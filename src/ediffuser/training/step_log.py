"""The log of a run: a JSON line for every step, each step once, however often the run was stopped."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ediffuser.runtime.files import append_line, write_atomically


class StepLog:
    """Adds steps to RUN/log.jsonl.

    A resumed run does the steps after its checkpoint again: what the log holds of them, and a line that a crash cut
    off, gives way to the new ones. On a full disk lines wait in memory until there is room.
    """

    def __init__(self, path: Path) -> None:
        """A log that may be there already.

        Args:
            path: The file, in a directory that exists once the first step is added.
        """
        self.path = path
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
                self._forget_from(record["images_seen"])
                self._begun = True
            while self._waiting:
                append_line(self.path, self._waiting[0])
                del self._waiting[0]
        except OSError as error:
            if not told:
                yield f"cannot write {self.path}: {error.strerror}; training goes on, and the log waits for room"

    def _forget_from(self, images_seen: int) -> None:
        if not self.path.exists():
            return
        text = self.path.read_text(encoding="utf-8", errors="replace")
        kept = "".join(line for line in text.splitlines(keepends=True) if _before(line, images_seen))
        if kept != text:
            write_atomically(self.path, kept.encode())


def _before(line: str, images_seen: int) -> bool:
    try:
        return line.endswith("\n") and json.loads(line)["images_seen"] < images_seen
    except (ValueError, KeyError, TypeError):
        return False
