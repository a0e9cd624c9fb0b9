"""The failures that a person can mend. Everything else is a fault of ours and keeps its traceback."""

import difflib
from collections.abc import Iterable


class BadInputError(ValueError):
    """What was given cannot be used. The message is one sentence: what, where, and what would be right."""


class UnfitPairError(BadInputError, TypeError):
    """Two components cannot work together, whatever their settings. Names both, and what would work."""


class CheckpointError(BadInputError):
    """A checkpoint directory is missing, incomplete, foreign or damaged. Names the file and the reason."""


class InUseError(BadInputError):
    """A directory is held by another process. Names both."""


class DivergedError(RuntimeError):
    """Training has left the finite numbers: its loss, its gradient or its weights. The command line exits with 3."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> BadInputError:
    """An error for a name that is not known: names the nearest right one, then all of them."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    return BadInputError(f"unknown {kind} '{name}': {hint}known are {', '.join(names)}")
