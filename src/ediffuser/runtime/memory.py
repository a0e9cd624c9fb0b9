"""How much memory this process has taken at most."""

import sys

import torch


def peak_memory_bytes(device: torch.device) -> int:
    """The most that was ever allocated on a GPU, or else the largest resident set of this process; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    # Kibibytes, but bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
