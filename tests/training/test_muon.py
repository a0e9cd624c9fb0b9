import copy
import math

import pytest
import torch
from torch import nn

from ediffuser.training.muon import ITERATIONS, NEWTON_SCHULZ, STEP_RMS, WIDE, Muon, orthogonal
from ediffuser.training.optimizer import Optimizer


def gradients(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16), (1, 9), (9, 1)])
def test_a_step_has_the_directions_of_the_gradient_at_one_speed(shape):
    matrix = gradients(shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = left.T @ orthogonal(matrix) @ right.T
    speeds = found.diagonal()
    assert (found - speeds.diag()).abs().max() < 1e-4  # no direction is mixed with another
    assert 0.6 < speeds.min() <= speeds.max() < 1.25


@pytest.mark.parametrize("shape", [(32, 288), (288, 32), (24, 24), (32, 40)])
@pytest.mark.parametrize("decay", [0, 6], ids=["alike", "a millionth of the largest"])
def test_the_iterations_of_newton_and_schulz_by_whatever_products(shape, decay):
    left, _, right = torch.linalg.svd(gradients(shape).double(), full_matrices=False)
    singular = torch.logspace(0, -decay, min(shape), dtype=torch.float64)
    matrix = (left * singular) @ right
    a, b, c = NEWTON_SCHULZ
    singular = singular / singular.norm()
    for _ in range(ITERATIONS):
        singular = a * singular + b * singular**3 + c * singular**5
    # The products of the small X X^T round as the processor orders its sums: over twelve seeds and three sets of
    # instructions by 3e-4 where singular values go down to a millionth, by 1e-5 with the others.
    by_gram = max(shape) > WIDE * min(shape)
    bound = 1e-3 if by_gram and decay else 2e-5
    assert (orthogonal(matrix.float()) - (left * singular) @ right).abs().max() < bound


def test_no_gradient_no_step():
    assert not orthogonal(torch.zeros(3, 5)).any()


@pytest.mark.parametrize("shape", [(24, 16, 3, 3), (16, 48)])
def test_matrices_and_kernels_move_like_those_of_torch(shape):
    ours, theirs = nn.Parameter(gradients(shape, 9)), nn.Parameter(gradients(shape, 9).flatten(1))
    optimizer = Muon([ours], lr=0.01, weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for seed in range(5):
        ours.grad = gradients(shape, seed)
        theirs.grad = gradients(shape, seed).flatten(1)
        before = ours.detach().clone()
        optimizer.step()
        reference.step()
        moved = (ours.detach() - before * (1 - 0.01 * 0.1)).square().mean().sqrt().item() / 0.01
        assert moved == pytest.approx(STEP_RMS, rel=0.2)
    # theirs are made orthogonal in bf16
    assert (ours.flatten(1) - theirs).norm() / (0.01 * STEP_RMS * math.sqrt(5 * ours.numel())) < 0.02


def test_biases_and_gains_move_like_those_of_adamw():
    ours, theirs = nn.Parameter(gradients((7,), 9)), nn.Parameter(gradients((7,), 9))
    optimizer = Optimizer(kind="muon", learning_rate=0.01, weight_decay=0.1, betas=(0.9, 0.99)).build([ours])
    reference = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1, betas=(0.9, 0.99))
    for seed in range(5):
        ours.grad, theirs.grad = gradients((7,), seed), gradients((7,), seed)
        optimizer.step()
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_weights_that_lie_channels_last_move_alike():
    moved = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weights = nn.Parameter(gradients((8, 6, 3, 3), 9).to(memory_format=layout))
        weights.grad = gradients((8, 6, 3, 3)).to(memory_format=layout)
        Muon([weights], lr=0.01).step()
        moved.append(copy.deepcopy(weights.data))
    assert torch.equal(*moved)
