"""Being asked to stop, by the signals of schedulers, service managers and the keyboard."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
"""kill and preemption; Ctrl-C; SLURM's warnings, of which submitit takes SIGUSR2."""


@dataclass
class Stop:
    """A wish to end at the next good moment; true once it is there.

    Attributes:
        signal: The signal that said so: the first, or SIGINT if that has come too.
    """

    signal: int | None = None

    def __bool__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block the signals that ask to stop are only noted; a second SIGINT ends at once.

    To be entered by the main thread, which alone may say what signals do.

    Raises:
        KeyboardInterrupt: At the second SIGINT.
    """
    stop = Stop()

    def note(number: int, frame: object) -> None:
        if number == signal.SIGINT and stop.signal == signal.SIGINT:
            raise KeyboardInterrupt
        # Nothing but this: a handler runs between any two instructions, in the middle of a write or of a lock.
        if number == signal.SIGINT or not stop:
            stop.signal = number

    before = {number: signal.signal(number, note) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
