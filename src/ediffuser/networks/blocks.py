"""The parts of a UNet: time embedding, residual block, attention, resampling. All run channels-last."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.networks.norm import GroupNorm

TimeOrder = Literal["sin_cos", "cos_sin"]
TimeDenominator = Literal["half_minus_one", "half"]
QkvLayout = Literal["stacked", "per_head", "interleaved"]

SHORT_SEQUENCE = 256


class TimeEmbedding(nn.Module):
    """Sinusoids of the time, then two linear layers (the dissertation's EmbedBlock, Fig. 3.3).

    Published networks differ in the order of sine and cosine and in the denominator of the frequencies.
    """

    def __init__(self, channels: int, width: int, order: TimeOrder, denominator: TimeDenominator) -> None:
        super().__init__()
        self.waves = channels // 2
        self.last = self.waves - 1 if denominator == "half_minus_one" else self.waves
        self.order = order
        self.linear1 = nn.Linear(channels, width)
        self.linear2 = nn.Linear(width, width)

    def forward(self, time: Tensor) -> Tensor:
        """Times (B,) to embeddings (B, width)."""
        weights = self.linear1.weight
        # Made anew at each call: a buffer would be lost where a network is built empty and its weights loaded into it.
        index = torch.arange(self.waves, device=time.device)
        frequencies = torch.exp(-math.log(10_000) * index / self.last)
        angles = time[:, None].to(torch.promote_types(weights.dtype, torch.float32)) * frequencies
        waves = [angles.sin(), angles.cos()]
        if self.order == "cos_sin":
            waves.reverse()
        return self.linear2(F.silu(self.linear1(torch.cat(waves, dim=1).to(weights.dtype))))


class ResidualBlock(nn.Module):
    """Two convolutions around the time, and a shortcut (Fig. 3.1; with scale_shift Fig. 3.10).

    Additive: GroupNorm(h + c). Scale-shift: GroupNorm(h) (1 + w) + b.
    """

    def __init__(
        self, in_channels: int, out_channels: int, time_width: int, norm: "Norm", dropout: float, scale_shift: bool
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.norm1 = norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_width, 2 * out_channels if scale_shift else out_channels)
        self.norm2 = norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1))
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, in, H, W) and the activated time embedding (B, time_width) to (B, out, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        time = self.time(time)[:, :, None, None]
        if self.scale_shift:
            scale, shift = time.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        else:
            h = self.norm2(h + time)
        return self.shortcut(x) + self.conv2(self.dropout(F.silu(h)))


class AttentionBlock(nn.Module):
    """Self-attention over all positions with a shortcut (Fig. 3.2, 3.8 and 3.9).

    `qkv_layout` says how the 3C rows of the fused projection are laid out: "stacked" q|k|v, each by heads;
    "per_head" q|k|v inside each head; "interleaved" a (q, k, v) triple for each channel of a head.
    """

    def __init__(self, channels: int, heads: int, norm: "Norm", qkv_layout: QkvLayout) -> None:
        super().__init__()
        self.heads = heads
        self.qkv_layout = qkv_layout
        self.norm = norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = zeroed(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) to the same shape."""
        batch, channels, height, width = x.shape
        tokens = self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * width, channels)  # a view: channels-last
        q, k, v = self._split(self.qkv(tokens))  # each (B, heads, HW, d)
        mixed = attend(q, k, v)
        tokens = self.out(mixed.transpose(1, 2).reshape(batch, height * width, channels))
        return x + tokens.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def _split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, length, _ = qkv.shape
        if self.qkv_layout == "stacked":
            parts = qkv.reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        elif self.qkv_layout == "per_head":
            parts = qkv.reshape(batch, length, self.heads, 3, -1).permute(3, 0, 2, 1, 4)
        else:
            parts = qkv.reshape(batch, length, self.heads, -1, 3).permute(4, 0, 2, 1, 3)
        q, k, v = parts.unbind(0)
        return q, k, v


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for q, k, v of shape (B, heads, N, d): fused, but for short sequences in CPU training.

    There the backward pass of torch's fused kernel is slow: in bf16 plain products are 1.9 times as fast at 256 tokens
    and over 4 times at 64 (`benchmarks/attention.py`).
    """
    if torch.is_grad_enabled() and q.device.type == "cpu" and q.shape[-2] <= SHORT_SEQUENCE:
        weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
        return weights @ v
    return F.scaled_dot_product_attention(q, k, v)


class Downsample(nn.Module):
    """Halves the sides: by average pooling, or by a strided convolution, padded on both sides or only at the end."""

    def __init__(self, channels: int, convolution: bool, asymmetric_padding: bool) -> None:
        super().__init__()
        self.asymmetric_padding = asymmetric_padding
        padding = 0 if asymmetric_padding else 1
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=padding) if convolution else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H / 2, W / 2)."""
        if self.conv is None:
            return F.avg_pool2d(x, 2)
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.asymmetric_padding else x)


class Upsample(nn.Module):
    """Doubles the sides by repetition, followed by a convolution or not."""

    def __init__(self, channels: int, convolution: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if convolution else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2H, 2W)."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return x if self.conv is None else self.conv(x)


class Norm:
    """Makes group norms of one kind."""

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def __call__(self, channels: int) -> GroupNorm:
        """The norm for that many channels."""
        return GroupNorm(self.groups, channels, self.eps)


def zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The layer with all its weights 0, so that a residual branch starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
