"""How long a study will take, before it starts: from the work of its networks and the speed of a machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch

from ediffuser.networks import Network
from ediffuser.studies.study import Cell, Size, TrainedModel

BACKWARD = 3
"""Work of a training step, in passes forward: one, and twice as much back."""

SPEED_PICTURES = 640
"""Pictures of a measurement of speed: ten batches of 64 (section 4.1.4 of the dissertation)."""

ODE_CALLS = 100
"""Calls of a likelihood by the ODE, about."""


@dataclass(frozen=True)
class Machine:
    """What the hours are reckoned on.

    Attributes:
        name: In words, and where the figure comes from.
        operations_per_s: Floating-point operations that the networks are done at, additions and multiplications alike.
        judged_per_s: Pictures that figures are made of, when they are there already.
    """

    name: str
    operations_per_s: float
    judged_per_s: float


MACHINES: dict[Size, Machine] = {
    "small": Machine("one core of an AMD EPYC without bf16, as measured", 26e9, 20),
    "full": Machine("one H100 with bf16 at a tenth of its peak, an assumption", 100e12, 2000),
}
"""Of each size."""


def training_hours(model: TrainedModel, machine: Machine, images_left: int | None = None) -> float:
    """Of a whole run, or of what is left of it."""
    images = model.experiment.images if images_left is None else images_left
    return BACKWARD * images * operations(model.experiment.model.network) / machine.operations_per_s / 3600


def evaluation_hours(cell: Cell, machine: Machine) -> float:
    """Of all that is measured of a cell."""
    plan = cell.plan("", cell.model.experiment.data)
    steps = plan.bound.steps or getattr(cell.model.experiment.model.schedule, "steps", 0)
    calls = (cell.count + SPEED_PICTURES * plan.speed) * cell.nfe
    calls += {"vlb": plan.bits * steps, "ode": BACKWARD * plan.bits * ODE_CALLS, None: 0}[plan.nll]
    judged = cell.count * (1 + len(cell.baselines)) / machine.judged_per_s
    return (calls * operations(cell.model.experiment.model.network) / machine.operations_per_s + judged) / 3600


def reference_hours(cells: Iterable[Cell], machine: Machine) -> dict[str, float]:
    """Of the pictures that those from nothing are compared with, by the first cell that needs them.

    They are looked at once and kept. What the small classifier of CIFAR-10 takes is not counted.
    """
    found: dict[str, Cell] = {}
    for cell in cells:
        if cell.task == "generation" and cell.features == "auto":
            found.setdefault(cell.model.data, cell)
    compared = {cell.name: cell.plan("", cell.model.experiment.data).compared for cell in found.values()}
    return {name: count / machine.judged_per_s / 3600 for name, count in compared.items()}


@lru_cache(maxsize=64)
def operations(network: Network) -> int:
    """Floating-point operations of one picture's pass through a network; nothing is computed."""
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    side = network.resolution
    with torch.device("meta"), torch.no_grad():
        module = network.build()
        x, t = torch.empty(1, network.in_channels, side, side), torch.empty(1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x, t)
    return counter.get_total_flops()
