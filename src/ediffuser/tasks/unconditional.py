"""Nothing is known."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.tasks.observation import Observation


@component
class Unconditional:
    """Generation from nothing: P = 0."""

    condition_channels: ClassVar[int] = 0
    kind: Literal["unconditional"] = "unconditional"

    def observe(self, x0: Tensor, noise: Noise, hole: Tensor | None = None) -> Observation:
        """An empty observation; the hole plays no part."""
        return Observation(known=torch.zeros_like(x0), project=torch.zeros_like)
