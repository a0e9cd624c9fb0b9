"""Group norm on the CPU, forward and backward, channels-last: torch's against ours with its hand-written backward pass.

    python benchmarks/norm.py

The figures behind `LARGE_MAP` in `ediffuser.networks.norm`, at the sizes of the recipe inpaint-faces128.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from machine import PRECISION, name, report, seconds
from torch import Tensor

from ediffuser.networks.norm import group_norm

BATCH, GROUPS, EPS, REPETITIONS = 32, 32, 1e-6, 7
SIZES = ((96, 32), (160, 16), (256, 8))


def main() -> None:
    """Measures and reports."""
    rows = [
        {"channels": channels, "side": side, "contestant": label, "ms": 1e3 * fastest(way, channels, side)}
        for channels, side in SIZES
        for label, way in (("torch", torchs), ("ediffuser", ours))
    ]
    report(f"Group norm, batch {BATCH}, {GROUPS} groups, {name(PRECISION)}, forward and backward", rows)


def torchs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The norm as torch has it."""
    return F.group_norm(x, GROUPS, weight, bias, EPS)


def ours(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The norm as the networks have it."""
    return group_norm(x, weight, bias, GROUPS, EPS)


def fastest(way: Callable[[Tensor, Tensor, Tensor], Tensor], channels: int, side: int) -> float:
    """The best of several runs, in seconds."""
    x = torch.randn(BATCH, channels, side, side, dtype=PRECISION).contiguous(memory_format=torch.channels_last)
    above = torch.randn_like(x)
    leaves = [x.requires_grad_(), torch.ones(channels, requires_grad=True), torch.zeros(channels, requires_grad=True)]

    def run() -> None:
        torch.autograd.grad(way(*leaves), leaves, above)

    run()
    return min(seconds(run) for _ in range(REPETITIONS))


if __name__ == "__main__":
    main()
