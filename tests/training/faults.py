"""A tiny training run in a process of its own, through the command line, so that a test can kill it or break its disk.

The processes come from a fork server that has imported PyTorch: a hundred kills do not pay for a hundred imports.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from ediffuser.runtime.checkpoint import MANIFEST, newest_checkpoint
from ediffuser.runtime.lock import LOCK
from ediffuser.training import Experiment

PRELOADED = ["torch", "ediffuser.training", "ediffuser.cli", "torch.utils.tensorboard", "torch._dynamo"]
PATIENCE_S = 120


@dataclass
class Run:
    """A run directory and the processes that train in it, one after the other."""

    experiment: Experiment
    out: Path
    said: Path = field(init=False)

    def __post_init__(self) -> None:
        self.said = self.out.with_name(f"{self.out.name}.txt")

    def start(self, *, resume: bool | None = None, fault: Callable[[], None] | None = None) -> BaseProcess:
        """Starts `ediffuser train`; with --resume, unless told otherwise, if there is a checkpoint."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        going_on = newest_checkpoint(self.out) is not None if resume is None else resume
        process = context.Process(target=_train, args=(self.experiment, self.out, self.said, going_on, fault))
        process.start()
        return process

    def finish(self, **options) -> int:
        """Trains to the end; the exit code."""
        process = self.start(**options)
        return code(process)

    def wait_until_training(self, process: BaseProcess) -> None:
        """Returns once the process holds the run, or has ended."""
        lock, until = self.out / LOCK, time.monotonic() + PATIENCE_S
        while process.is_alive() and time.monotonic() < until:
            if lock.exists() and f"process {process.pid} " in lock.read_text():
                return
            time.sleep(0.001)

    def wait_for_steps(self, process: BaseProcess, count: int) -> None:
        """Returns once the log has so many steps more, or the process has ended."""
        self.wait_until_training(process)
        target, until = self.reached() + count * self.experiment.batch, time.monotonic() + PATIENCE_S
        while process.is_alive() and self.reached() < target and time.monotonic() < until:
            time.sleep(0.002)

    def wait_until_saving(self, process: BaseProcess) -> None:
        """Returns once a checkpoint is being written, or the process has ended."""
        self.wait_until_training(process)
        until = time.monotonic() + PATIENCE_S
        while process.is_alive() and not self.leftovers() and time.monotonic() < until:
            time.sleep(0.002)

    def output(self) -> str:
        """What the last process printed, errors too."""
        return self.said.read_text()

    def losses(self) -> dict[int, float]:
        """The loss of each step in the log, by images seen; a step that is there twice is an error."""
        lines = [json.loads(line) for line in (self.out / "log.jsonl").read_text().splitlines()]
        losses = {line["images_seen"]: line["loss"] for line in lines}
        assert len(losses) == len(lines)
        return losses

    def reached(self) -> int:
        """Images seen in the last whole line of the log."""
        log = self.out / "log.jsonl"
        lines = log.read_text().splitlines(keepends=True) if log.exists() else []
        return max((json.loads(line)["images_seen"] for line in lines if line.endswith("\n")), default=0)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the average, and of weights and optimizer, in the newest checkpoint."""
        sums = json.loads((newest_checkpoint(self.out) / MANIFEST).read_text())["sha256"]
        return {name: sums[name] for name in ("model.safetensors", "training.safetensors")}

    def leftovers(self) -> list[Path]:
        """What a killed process has left in the middle of a checkpoint."""
        return list((self.out / "checkpoints").glob(".[0-9]*.tmp"))


def code(process: BaseProcess) -> int:
    """How a process ended; a minus before the number of a signal."""
    process.join(PATIENCE_S)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode


def _train(experiment: Experiment, out: Path, said: Path, resume: bool, fault: Callable[[], None] | None) -> None:
    import torch

    from ediffuser.cli import main
    from ediffuser.recipes import RECIPES

    torch.set_num_threads(1)
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    RECIPES[experiment.name] = lambda: experiment
    if fault is not None:
        fault()
    arguments = ["train", experiment.name, "--data", experiment.data.path, "--out", str(out), "--device", "cpu"]
    main([*arguments, *(["--resume"] if resume else [])])


@dataclass(frozen=True)
class SlowWrites:
    """A disk that takes its time: small pieces, a sleep after each."""

    seconds: float = 0.01
    piece: int = 16 << 10

    def __call__(self) -> None:
        from ediffuser.runtime import files

        files.PIECE = self.piece
        _after("write", lambda: time.sleep(self.seconds))


BOUNDARIES = ("mkdir", "open", "write", "fsync", "rename", "replace", "unlink", "rmdir")


@dataclass(frozen=True)
class KillAt:
    """A crash at the n-th time that the process is about to change something under its run directory."""

    number: int

    def __call__(self) -> None:
        counted = iter(range(1, 1 << 30))

        def count() -> None:
            if next(counted) == self.number:
                os.kill(os.getpid(), signal.SIGKILL)

        for name in BOUNDARIES:
            _before(name, count)


@dataclass(frozen=True)
class SpoiledLoss:
    """A loss that is no number at one step."""

    step: int
    value: float

    def __call__(self) -> None:
        from ediffuser.training import loop

        backward, steps = loop._backward, iter(range(1, 1 << 30))

        def spoiled(*arguments):
            means, *rest = backward(*arguments)
            if next(steps) == self.step:
                means["loss"] = means["loss"] * self.value
            return means, *rest

        loop._backward = spoiled


@dataclass(frozen=True)
class SpoiledAverage:
    """An average of the weights that is no number from one step on."""

    step: int

    def __call__(self) -> None:
        import torch

        from ediffuser.training import loop

        update, steps = loop.update_ema, iter(range(1, 1 << 30))

        def spoiled(average, *arguments):
            update(average, *arguments)
            if next(steps) == self.step:
                with torch.no_grad():
                    next(iter(average.parameters())).view(-1)[0] = torch.inf

        loop.update_ema = spoiled


def _before(name: str, act: Callable[[], None]) -> None:
    call = getattr(os, name)

    def acting(*arguments, **named):
        act()
        return call(*arguments, **named)

    setattr(os, name, acting)


def _after(name: str, act: Callable[[], None]) -> None:
    call = getattr(os, name)

    def acting(*arguments, **named):
        result = call(*arguments, **named)
        act()
        return result

    setattr(os, name, acting)
