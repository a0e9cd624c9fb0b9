"""What this machine is and can do at most, and the few functions the other benchmarks share.

    python benchmarks/machine.py

prints the machine and the speed of a large convolution, the measure of every "share of peak" in this folder.
"""

import json
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ediffuser.runtime.device import choose_precision

RESULTS = Path(__file__).parent / "results"
CPU = torch.device("cpu")
PRECISION = choose_precision("auto", CPU)


def describe() -> dict[str, str]:
    """Machine, software, command and date: what has to stand beside every figure."""
    return {
        "machine": f"{_processor()}, {torch.get_num_threads()} threads",
        "software": f"torch {torch.__version__}, Python {platform.python_version()}",
        "precision": name(PRECISION),
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": date.today().isoformat(),
    }


def name(precision: torch.dtype) -> str:
    """The precision as people write it."""
    return {torch.float32: "float32", torch.bfloat16: "bf16"}[precision]


def peak(precision: torch.dtype) -> float:
    """GFLOP/s of a large convolution (256 to 256 channels, 3 x 3, 16 pictures of 32 x 32), the best of thirty runs."""
    layer = nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(16, 256, 32, 32).to(memory_format=torch.channels_last)
    layer, x = layer.to(precision), x.to(precision)
    with torch.no_grad():
        layer(x)
        return flops(lambda: layer(x)) / 1e9 / min(seconds(lambda: layer(x)) for _ in range(30))


def flops(run: Callable[[], object]) -> int:
    """Floating point operations of the convolutions and matrix products in a run, counted by torch."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def network_flops(build: Callable[[], nn.Module], side: int, *, training: bool) -> int:
    """Operations of a network for one picture: forward, or forward and backward. Nothing is computed."""
    with torch.device("meta"):
        network, x, time = build(), torch.randn(1, 3, side, side), torch.ones(1)
    return flops(lambda: network(x, time).sum().backward() if training else network(x, time))


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock time of a run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Contestant:
    """Something to be timed: what it is called, the precision of its convolutions, and one run of it."""

    label: str
    precision: torch.dtype
    run: Callable[[], object]


def compare(
    contestants: Sequence[Contestant], repetitions: int, *, images: int, operations: int | Sequence[int]
) -> list[dict]:
    """Times contestants, the first of which is the one to beat; one row of the table for each.

    They take turns, so that a slow minute hits them alike; the median counts. What the first run of each takes longer,
    such as compilation, stands by itself. The share is that of this machine's peak in the contestant's precision.

    Args:
        contestants: What to time.
        repetitions: How often, after a first run.
        images: Pictures a run.
        operations: Floating point operations a run, of all or of each.
    """
    each_has = [operations] * len(contestants) if isinstance(operations, int) else operations
    first = [seconds(each.run) for each in contestants]
    times, peaks = [], {each.precision: 0.0 for each in contestants}
    for _ in range(repetitions):
        # On a shared machine the peak comes and goes as well: it takes its turn, and the best of them counts.
        peaks = {precision: max(known, peak(precision)) for precision, known in peaks.items()}
        times.append([seconds(each.run) for each in contestants])
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return [
        {
            "contestant": each.label,
            "precision": name(each.precision),
            "seconds": taken,
            "images/s": images / taken,
            "ratio": medians[0] / taken,
            "GFLOP/s": work / taken / 1e9,
            "share of peak": work / taken / 1e9 / peaks[each.precision],
            "more in first run, s": at_first - taken,
        }
        for each, work, taken, at_first in zip(contestants, each_has, medians, first, strict=True)
    ]


def report(title: str, rows: Sequence[Mapping[str, object]], **facts: object) -> None:
    """Writes a result to results/ and prints it."""
    result = {"title": title} | describe() | facts | {"rows": list(rows)}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{Path(sys.argv[0]).stem}.json").write_text(json.dumps(result, indent=2) + "\n")
    for key, value in list(result.items())[:-1]:
        print(f"{key:10} {value}")
    print()
    print_table(rows)


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows of the same keys in columns."""
    cells = [list(rows[0])] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Measures the peak in the precisions this project uses here."""
    precisions = dict.fromkeys([torch.float32, PRECISION])
    rows = [{"precision": name(precision), "GFLOP/s": peak(precision)} for precision in precisions]
    report("Speed of a large convolution", rows)


if __name__ == "__main__":
    main()
