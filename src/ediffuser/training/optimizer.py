"""How weights are moved."""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ediffuser.runtime.component import component
from ediffuser.training.muon import Muon

Beta = Annotated[float, Field(ge=0, lt=1)]


@component
class Optimizer:
    """Adam, AdamW or Muon with a warm-up and, if asked, a decay at the end.

    Attributes:
        kind: "adam" puts weight decay into the gradient, "adamw" beside it; "muon" is for matrices and convolutions
            (`muon.Muon`), with AdamW for the rest.
        learning_rate: After the warm-up.
        betas: Decay of the running means of the gradient and of its square, in Adam.
        weight_decay: Strength of the pull towards 0.
        warmup_images: The learning rate grows linearly over that many images.
        decay_fraction: Last part of the run over which the learning rate falls to 0 along a half cosine.
        clip_norm: The gradient is scaled down to this norm if it is larger.
    """

    kind: Literal["adam", "adamw", "muon"] = "adam"
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0)
    warmup_images: int = Field(default=0, ge=0)
    decay_fraction: float = Field(default=0.0, ge=0, le=1)
    clip_norm: float = Field(default=1.0, gt=0)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer for these parameters."""
        settings = {"lr": self.learning_rate, "betas": self.betas, "weight_decay": self.weight_decay}
        if self.kind == "muon":
            return Muon(parameters, **settings)
        kind = torch.optim.AdamW if self.kind == "adamw" else torch.optim.Adam
        return kind(list(parameters), **settings, fused=True)

    def rate(self, images_seen: int, images: int) -> float:
        """The learning rate of the step that starts at `images_seen` of a run of `images`."""
        warm = min(1.0, (images_seen + 1) / self.warmup_images) if self.warmup_images else 1.0
        decay_images = self.decay_fraction * images
        left = (images - images_seen) / decay_images if decay_images else 1.0
        return self.learning_rate * warm * 0.5 * (1 - math.cos(math.pi * min(1.0, max(0.0, left))))
