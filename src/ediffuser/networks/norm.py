"""Group normalisation that is fast in bf16 on a CPU.

There, in channels-last order, torch's backward pass takes a tenth of a training step and its forward pass is slow on
small maps. Here the backward pass is written in whole-tensor operations; everywhere else torch's own serves.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

LARGE_MAP = 1024
"""Positions from which torch's forward pass in bf16 is faster than one in float32 with its two conversions."""


class GroupNorm(nn.Module):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, with mean and variance over each group of channels.

    Same parameters and, up to rounding, same numbers as `torch.nn.GroupNorm`. In bf16 on a CPU it has first derivatives
    only.
    """

    def __init__(self, groups: int, channels: int, eps: float) -> None:
        """Starts as the bare normalisation: weight 1 and bias 0."""
        super().__init__()
        self.groups, self.eps = groups, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) to the same shape and dtype."""
        suits = x.device.type == "cpu" and x.dtype == torch.bfloat16 and not torch.compiler.is_compiling()
        if suits and x.is_contiguous(memory_format=torch.channels_last):
            return group_norm(x, self.weight, self.bias, self.groups, self.eps)
        return F.group_norm(x, self.groups, self.weight, self.bias, self.eps)


def group_norm(x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
    """The norm with the backward pass of this file, for any floating dtype and order in memory.

    Args:
        x: Shape (B, C, H, W).
        weight: Shape (C,), of x's dtype or float32.
        bias: The same.
        groups: A divisor of C.
        eps: Added to the variance.

    Returns:
        Shape and dtype of x.
    """
    return _GroupNorm.apply(x, weight, bias, groups, eps)


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        batch, channels, height, width = x.shape
        positions = height * width
        wide = x.float() if x.dtype == torch.bfloat16 and positions < LARGE_MAP else x
        y, mean, rstd = torch.native_group_norm(wide, weight, bias, batch, channels, positions, groups, eps)
        ctx.save_for_backward(x, weight, mean, rstd)
        return y.to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore
        ctx: BackwardCFunction, *grad_outputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        (grad_y,) = grad_outputs
        x, weight, mean, rstd = ctx.saved_tensors  # pyright: ignore
        batch, channels, height, width = x.shape
        groups = mean.shape[1]
        of_group = channels // groups
        values = height * width * of_group
        # As (B, HW, C) the sums over positions run through memory in order. Sums are float32, or wider where x is.
        tokens, grads = (part.permute(0, 2, 3, 1).reshape(batch, height * width, channels) for part in (x, grad_y))
        precise = torch.promote_types(x.dtype, torch.float32)
        by_group = (batch, groups, of_group)
        grad_sum = grads.sum(1, dtype=precise).view(by_group)
        product_sum = (tokens * grads).sum(1, dtype=precise).view(by_group)
        mean, rstd = mean.to(precise)[:, :, None], rstd.to(precise)[:, :, None]
        gain = weight.to(precise).view(1, groups, of_group)

        # y = (x - mean) rstd gain + bias; through mean and rstd every value of a group moves with the group's sums,
        # so the gradient is linear in grad_y and x: grad_x = rstd gain grad_y + slope x + offset.
        group_sum, group_product = (gain * grad_sum).sum(2, keepdim=True), (gain * product_sum).sum(2, keepdim=True)
        slope = (group_sum * mean - group_product) * rstd**3 / values
        offset = -slope * mean - group_sum * rstd / values

        def by_channel(value: Tensor) -> Tensor:
            return value.expand(by_group).reshape(batch, 1, channels).to(x.dtype)

        grad_x = torch.addcmul(by_channel(offset), grads, by_channel(rstd * gain))
        grad_x = torch.addcmul(grad_x, tokens, by_channel(slope))
        grad_x = grad_x.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
        grad_weight = ((product_sum - mean * grad_sum) * rstd).sum(0).reshape(channels).to(weight.dtype)
        grad_bias = grad_sum.sum(0).reshape(channels).to(weight.dtype)
        return grad_x, grad_weight, grad_bias, None, None
