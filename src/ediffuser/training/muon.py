"""Muon: momentum whose direction is made orthogonal, for weights that are matrices (Jordan et al. 2024).

A gradient of a layer has few large singular values; a step along it hardly moves the other directions. Muon replaces
the momentum M = U S V^T by about U V^T, so that all directions are learned at one speed. The step is scaled so that its
root mean square is 0.2, about that of Adam (Liu et al. 2025), and one learning rate serves both.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x^3 and x^5 that drive singular values up to 1 to about 1 in few iterations."""
ITERATIONS = 5
STEP_RMS = 0.2
WIDE = 2
"""Columns over rows from which products of the small X X^T alone are fewer operations."""


class Muon(torch.optim.Optimizer):
    """Muon for weights of two and more dimensions, AdamW for biases and gains.

    The kernel of a convolution is a matrix of a row for each output channel. Jordan et al. leave the first and the last
    layer to AdamW; here they are matrices like all others.

    Args:
        parameters: What is learned.
        lr: Learning rate.
        momentum: Decay of the running mean of gradients, with Nesterov's look ahead.
        betas: Of AdamW.
        eps: Of AdamW.
        weight_decay: Decoupled, for all weights.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves the weights; takes no closure."""
        assert closure is None
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    weights.mul_(1 - group["lr"] * group["weight_decay"])
                    move = _muon if weights.ndim > 1 else _adam
                    weights.add_(move(weights.grad, self.state[weights], group), alpha=-group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of a matrix U S V^T, by a few iterations of Newton and Schulz.

    Singular values come to between 0.6 and 1.25, those that are tiny beside the largest to less.

    Args:
        matrix: Shape (M, N), float32 on a CPU; on a GPU the products may be those of bf16.
    """
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-12)
    wide = x.shape[1] > WIDE * x.shape[0] and x.device.type == "cpu"
    x = (_iterated_by_gram if wide else _iterated)(x)
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def _iterated(x: Tensor) -> Tensor:
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + torch.addmm(square, square, square, beta=b, alpha=c) @ x
    return x


def _iterated_by_gram(x: Tensor) -> Tensor:
    """The same of a wide matrix: each iteration multiplies it by a polynomial of X X^T, and those all commute.

    Rounding errors grow from one iteration to the next: float32 bears that (entries of about 0.06 are off by at most
    3e-4 with singular values down to a millionth of the largest), the products of a GPU need not.
    """
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.T
    product = torch.eye(len(x), dtype=x.dtype)
    for _ in range(ITERATIONS):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor @ product
        gram = factor @ gram @ factor
    return product @ x


def _muon(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    average = state["momentum"].lerp_(gradient, 1 - group["momentum"])
    ahead = gradient.lerp(average, group["momentum"]).flatten(1)
    return orthogonal(ahead).mul_(STEP_RMS * max(ahead.shape) ** 0.5).view_as(gradient)


def _adam(gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    beta1, beta2 = group["betas"]
    if not state:
        state |= {"step": torch.zeros(()), "exp_avg": torch.zeros_like(gradient)}
        state["exp_avg_sq"] = torch.zeros_like(gradient)
    step = state["step"].add_(1).item()
    mean = state["exp_avg"].lerp_(gradient, 1 - beta1) / (1 - beta1**step)
    square = state["exp_avg_sq"].lerp_(gradient.square(), 1 - beta2) / (1 - beta2**step)
    return mean / (square.sqrt() + group["eps"])
