"""The UNet of the dissertation's section 3.2, with every option that Table 3.1 and the published weights need.

Down: at each level residual blocks, each followed by attention where asked; between levels the sides halve. Middle:
residual, attention, residual. Up: one block more than down, each taking one long-distance connection, concatenated on
channels. Nothing here knows of diffusion: an input (B, C_in, H, W) and a number per row go in, (B, C_out, H, W) comes
out.
"""

from typing import Literal, Self, cast

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ediffuser.networks.blocks import (
    AttentionBlock,
    Downsample,
    Norm,
    QkvLayout,
    ResidualBlock,
    TimeDenominator,
    TimeEmbedding,
    TimeOrder,
    Upsample,
    zeroed,
)
from ediffuser.networks.pixel_path import PixelPath
from ediffuser.runtime.component import component


@component
class UNetConfig:
    """All that is needed to build a UNet.

    Attributes:
        resolution: Side of the square pictures, in pixels.
        in_channels: 3; 6 with a condition picture; 7 with known pixels and the hole.
        out_channels: 3; 6 where the variance is learned.
        widths: Channels at each level, from the finest.
        blocks: Residual blocks at each level.
        attention: Sides, in cells, of the levels that have attention. The middle always has it.
        heads: Attention heads; each has channels / heads numbers.
        dropout: Inside every residual block.
        scale_shift: Time scales and shifts after the norm instead of being added before it.
        convolutional_resampling: Convolutions instead of average pooling and repetition alone.
        asymmetric_padding: Strided convolutions pad right and below only, as the published DDPM weights do.
        patch: Sides of a cell: patch x patch pixels become channels on the way in and pixels again on the way out.
        pixel_width: Channels of a path at full resolution around the cells (`PixelPath`); 0 for none.
        norm_groups: Groups of every GroupNorm.
        norm_eps: Epsilon of every GroupNorm: 1e-6 or 1e-5 in published networks.
        time_order: Order of the sinusoids of the time embedding.
        time_denominator: Denominator of their frequencies.
        qkv_layout: Layout of the fused attention projection.
    """

    kind: Literal["unet"] = "unet"
    resolution: int = Field(ge=4)
    in_channels: int = Field(default=3, ge=1)
    out_channels: int = Field(default=3, ge=1)
    widths: tuple[int, ...] = (128, 256, 256, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    attention: tuple[int, ...] = (16,)
    heads: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    scale_shift: bool = False
    convolutional_resampling: bool = False
    asymmetric_padding: bool = False
    patch: int = Field(default=1, ge=1)
    pixel_width: int = Field(default=0, ge=0)
    norm_groups: int = Field(default=32, ge=1)
    norm_eps: float = Field(default=1e-6, gt=0)
    time_order: TimeOrder = "sin_cos"
    time_denominator: TimeDenominator = "half_minus_one"
    qkv_layout: QkvLayout = "stacked"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.pixel_width and self.patch == 1:
            raise ValueError(f"pixel_width {self.pixel_width} goes around cells, and with patch 1 there are none")
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"widths {self.widths} and blocks {self.blocks} must have one entry per level each")
        multiple = self.patch * 2 ** (len(self.widths) - 1)
        if self.resolution % multiple:
            raise ValueError(f"resolution {self.resolution} must be a multiple of {multiple} (patch x 2^(levels - 1))")
        if any(width % self.norm_groups or width % self.heads for width in self.widths):
            raise ValueError(
                f"widths {self.widths} must be multiples of {self.norm_groups} groups and {self.heads} heads"
            )
        return self

    def build(self) -> "UNet":
        """A freshly initialised network."""
        return UNet(self)


class UNet(nn.Module):
    """The network that a `UNetConfig` describes.

    Attributes:
        config: What it is.
        gradient_checkpointing: Whether training keeps the inputs of each stage only and computes the rest again in the
            backward pass: the same gradients, with less memory, in about a third more time.
    """

    def __init__(self, config: UNetConfig) -> None:
        """Builds it with the initialisation of torch; last layers of branches and the output start at 0."""
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        first, levels = config.widths[0], list(enumerate(zip(config.widths, config.blocks, strict=True)))
        sides = [config.resolution // config.patch // 2**level for level, _ in levels]
        norm = Norm(config.norm_groups, config.norm_eps)
        time_width = 4 * first

        def stage(in_channels: int, out_channels: int, side: int) -> "Stage":
            block = ResidualBlock(in_channels, out_channels, time_width, norm, config.dropout, config.scale_shift)
            attends = side in config.attention
            attention = AttentionBlock(out_channels, config.heads, norm, config.qkv_layout) if attends else None
            return Stage(block, attention)

        self.time = TimeEmbedding(first, time_width, config.time_order, config.time_denominator)
        self.conv_in = nn.Conv2d(config.in_channels * config.patch**2, first, 3, padding=1)
        skips, width = [first], first
        self.down, self.downsamplers = nn.ModuleList(), nn.ModuleList()
        for level, (out, blocks) in levels:
            stages = nn.ModuleList()
            for _ in range(blocks):
                stages.append(stage(width, out, sides[level]))
                width = out
                skips.append(width)
            self.down.append(stages)
            if level < len(levels) - 1:
                self.downsamplers.append(Downsample(width, config.convolutional_resampling, config.asymmetric_padding))
                skips.append(width)

        residual = (width, width, time_width, norm, config.dropout, config.scale_shift)
        self.middle1 = ResidualBlock(*residual)
        self.middle_attention = AttentionBlock(width, config.heads, norm, config.qkv_layout)
        self.middle2 = ResidualBlock(*residual)

        self.up, self.upsamplers = nn.ModuleList(), nn.ModuleList()
        for level, (out, blocks) in reversed(levels):
            stages = nn.ModuleList()
            for _ in range(blocks + 1):
                stages.append(stage(width + skips.pop(), out, sides[level]))
                width = out
            self.up.append(stages)
            if level > 0:
                self.upsamplers.append(Upsample(width, config.convolutional_resampling))

        self.norm_out = norm(width)
        self.conv_out = zeroed(nn.Conv2d(width, config.out_channels * config.patch**2, 3, padding=1))
        self.pixels = None
        if config.pixel_width:
            ends = (config.in_channels, config.out_channels, width)
            self.pixels = PixelPath(*ends, config.pixel_width, time_width, config.patch)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, in_channels, H, W) and times (B,) to (B, out_channels, H, W)."""
        embedding = F.silu(self.time(time))
        cells = F.pixel_unshuffle(x, self.config.patch) if self.config.patch > 1 else x
        h = self.conv_in(cells.contiguous(memory_format=torch.channels_last))
        skips = [h]
        for level, stages in enumerate(self.down):
            for stage in cast(nn.ModuleList, stages):
                h = self._through(stage, h, embedding)
                skips.append(h)
            if level < len(self.downsamplers):
                h = self.downsamplers[level](h)
                skips.append(h)
        h = self.middle2(self.middle_attention(self.middle1(h, embedding)), embedding)
        for level, stages in enumerate(self.up):
            for stage in cast(nn.ModuleList, stages):
                h = self._through(stage, torch.cat([h, skips.pop()], dim=1), embedding)
            if level < len(self.upsamplers):
                h = self.upsamplers[level](h)
        cells = F.silu(self.norm_out(h))
        h = self.conv_out(cells)
        if self.config.patch > 1:
            h = F.pixel_shuffle(h, self.config.patch)
        return h if self.pixels is None else h + self.pixels(x, cells, embedding)

    def _through(self, stage: nn.Module, h: Tensor, embedding: Tensor) -> Tensor:
        if not (self.gradient_checkpointing and self.training and torch.is_grad_enabled()):
            return stage(h, embedding)
        return cast(Tensor, checkpoint(stage, h, embedding, use_reentrant=False))


class Stage(nn.Module):
    """A residual block, followed by attention where the level has it (the dissertation's ResAttn block)."""

    def __init__(self, block: ResidualBlock, attention: AttentionBlock | None) -> None:
        """Joins the two."""
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, in, H, W) to (B, out, H, W)."""
        h = self.block(x, time)
        return h if self.attention is None else self.attention(h)
