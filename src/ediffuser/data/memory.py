"""How much memory a decoded data set may take on this machine."""

import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def cache_budget_bytes() -> int:
    """Half of the memory that is free now, shared among the processes that torchrun started on this machine."""
    return min(_machine_bytes(), _job_bytes()) // 2 // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _machine_bytes() -> int:
    try:
        kibibytes = _table(Path("/proc/meminfo"))["MemAvailable:"]
    except OSError:  # not Linux
        return 4 << 30
    return kibibytes * 1024


def _job_bytes() -> int:
    """What the control groups (container, SLURM job) around this process still allow: meminfo does not know them."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return 1 << 62
    own = CONTROL_GROUPS / next((line[3:] for line in lines if line.startswith("0::")), "").lstrip("/")
    around = (group for group in (own, *own.parents) if group.is_relative_to(CONTROL_GROUPS))
    return min(_group_bytes(group) for group in around)


def _group_bytes(group: Path) -> int:
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        return limit - used + _table(group / "memory.stat")["file"]  # the cache of files gives way
    except (OSError, ValueError, KeyError):  # no such group, or its limit is "max"
        return 1 << 62


def _table(file: Path) -> dict[str, int]:
    """The numbers of a file of lines "name number [unit]"."""
    words = (line.split() for line in file.read_text().splitlines())
    return {name: int(number) for name, number, *_ in words}
