"""A tiny evaluation through the command line, in a process of its own that a test can kill.

The processes come from a fork server that has imported PyTorch: twenty kills do not pay for twenty imports.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from ediffuser.runtime.lock import LOCK

PRELOADED = ["torch", "ediffuser.cli", "cv2"]
PATIENCE_S = 120
FILES = ("figures.json", "table.md", "grid.png", "plan.json")


@dataclass
class Killable:
    """An evaluation's directory, and the processes that work in it one after the other."""

    arguments: tuple[str, ...]
    out: Path

    def start(self, pause_s: float = 0.0) -> BaseProcess:
        """Starts or goes on, on a disk where each write takes that long."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        process = context.Process(target=_evaluate, args=((*self.arguments, "--out", str(self.out)), pause_s))
        process.start()
        return process

    def finish(self) -> int:
        """Evaluates to the end; the exit code."""
        process = self.start()
        process.join(PATIENCE_S)
        assert process.exitcode is not None, "it did not end"
        return process.exitcode

    def wait_until_working(self, process: BaseProcess) -> None:
        """Returns once the process holds the directory, or has ended."""
        lock, until = self.out / LOCK, time.monotonic() + PATIENCE_S
        while process.is_alive() and time.monotonic() < until:
            if lock.exists() and f"process {process.pid} " in lock.read_text():
                return
            time.sleep(0.002)

    def wait_until_writing(self, process: BaseProcess, more: int) -> None:
        """Returns in the middle of a write once there are so many pieces more, or when the process has ended."""
        target, until = self.parts() + more, time.monotonic() + PATIENCE_S
        while process.is_alive() and time.monotonic() < until:
            if self.parts() >= target and self.leftovers():
                return
            time.sleep(0.002)

    def parts(self) -> int:
        """How many pieces are done."""
        return len(list((self.out / "parts").glob("*.safetensors")))

    def leftovers(self) -> list[Path]:
        """What a killed process has left in the middle of a write."""
        return [*self.out.glob(".*.tmp"), *self.out.glob("parts/.*.tmp")]

    def content(self) -> dict[str, bytes]:
        """The bytes of the finished evaluation's files."""
        return {name: (self.out / name).read_bytes() for name in FILES}


def evaluated(arguments: tuple[str, ...], threads: int = 1) -> None:
    """`ediffuser evaluate` in this process."""
    import torch

    from ediffuser.cli import main

    torch.set_num_threads(threads)
    main(["evaluate", *arguments])


def _evaluate(arguments: tuple[str, ...], pause_s: float) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    write = os.write

    def slow(descriptor: int, content: bytes) -> int:
        time.sleep(pause_s)
        return write(descriptor, content)

    if pause_s:
        os.write = slow
    evaluated(arguments)
