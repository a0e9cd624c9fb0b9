"""Every way of sampling suits its model and task, and costs the calls that its row says."""

import dataclasses

import pytest
import torch

from ediffuser.generate import colorize_rows, generate_rows, inpaint_rows
from ediffuser.model import Model
from ediffuser.networks import UNetConfig
from ediffuser.samplers import Ancestral, Ddim, DpmSolver, DpmSolverPlusPlus
from ediffuser.studies import STUDIES, study

QUICK = 25
FIXED = (Ancestral, Ddim, DpmSolver, DpmSolverPlusPlus)
KEYS = [(0, 0), (0, 1)]


def quick_cells():
    """The quickest rows, each kind of model, task and sampler once."""
    cells = {}
    for name in STUDIES:
        for cell in study(name, "small").cells:
            kind = cell.model.experiment.model
            if cell.nfe <= QUICK or (cell.conditioning and cell.nfe < 100):
                cells[kind.schedule, kind.learned_variance, cell.task, cell.sampler, cell.conditioning] = cell
    return list(cells.values())


def untrained(cell):
    """Its model with a network of 8 x 8 pixels."""
    config = cell.model.experiment.model
    channels = {name: getattr(config.network, name) for name in ("in_channels", "out_channels")}
    network = UNetConfig(resolution=8, widths=(32,), blocks=(1,), attention=(), **channels)
    torch.manual_seed(0)
    module = network.build().eval().requires_grad_(False)
    return Model(dataclasses.replace(config, network=network), module, torch.device("cpu"), torch.float32)


def sampled(cell):
    model, images = untrained(cell), torch.linspace(-1, 1, 384).reshape(2, 3, 8, 8)
    if cell.task == "generation":
        *_, last = generate_rows(model, KEYS, cell.sampler)
    elif cell.task == "colorization":
        *_, last = colorize_rows(model, images, KEYS, cell.sampler, cell.conditioning)
    else:
        holes = torch.zeros(2, 1, 8, 8)
        holes[..., 2:6, 2:6] = 1
        *_, last = inpaint_rows(model, images, holes, KEYS, cell.sampler, cell.conditioning)
    return last


@pytest.mark.parametrize("cell", quick_cells(), ids=lambda cell: cell.name)
def test_a_row_can_be_sampled_and_costs_the_calls_it_says(cell):
    last = sampled(cell)
    assert last.x.isfinite().all()
    if isinstance(cell.sampler, FIXED):
        assert last.calls.tolist() == [cell.nfe] * 2
