"""Attention forward and backward on the CPU: torch's fused kernel against plain products, and what we choose.

    python benchmarks/attention.py

The figures behind `SHORT_SEQUENCE` in `ediffuser.networks.blocks`, at the sizes of the recipe inpaint-faces128.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from machine import PRECISION, name, report, seconds
from torch import Tensor

from ediffuser.networks.blocks import attend

BATCH, HEADS, REPETITIONS = 32, 4, 7
SIZES = ((64, 64), (256, 40), (1024, 32))


def main() -> None:
    """Measures and reports."""
    rows = [
        {"tokens": tokens, "numbers a head": width, "contestant": label, "ms": 1e3 * fastest(way, tokens, width)}
        for tokens, width in SIZES
        for label, way in (("fused", F.scaled_dot_product_attention), ("ediffuser", attend))
    ]
    report(f"Attention, batch {BATCH}, {HEADS} heads, {name(PRECISION)}, forward and backward", rows)


def fastest(way: Callable[[Tensor, Tensor, Tensor], Tensor], tokens: int, width: int) -> float:
    """The best of several runs, in seconds."""
    qkv = torch.randn(BATCH, tokens, 3, HEADS, width, dtype=PRECISION, requires_grad=True)

    def run() -> None:
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        way(q, k, v).float().sum().backward()

    run()
    return min(seconds(run) for _ in range(REPETITIONS))


if __name__ == "__main__":
    main()
