"""All is known but a hole."""

from typing import Literal

import torch
from torch import Tensor

from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.tasks.masks import AnyHoles, Mixed
from ediffuser.tasks.observation import Observation
from ediffuser.tasks.smooth_fill import smooth_fill


@component
class Inpainting:
    """P keeps the pixels outside the hole; the network is given them, and the hole itself if `hole_channel`.

    Source: the dissertation's Eq. 2.20-2.22. With `hole_channel` the network has 7 input channels, without it 6.

    Attributes:
        hole_channel: Whether the network is given the hole.
        holes: What is drawn where no hole is given.
        fill: What stands in the hole of the known pixels that the network is given: zeros, or the colours around it
            spread into it (`smooth_fill`).
    """

    kind: Literal["inpainting"] = "inpainting"
    hole_channel: bool = True
    holes: AnyHoles = Mixed()
    fill: Literal["zeros", "smooth"] = "zeros"

    @property
    def condition_channels(self) -> int:
        """3 for the known pixels, and 1 for the hole."""
        return 4 if self.hole_channel else 3

    def observe(self, x0: Tensor, noise: Noise, hole: Tensor | None = None) -> Observation:
        """The pixels of x0 outside the hole; what lies inside it is not looked at."""
        if hole is None:
            hole = self.holes.draw(noise, (x0.shape[-2], x0.shape[-1]))
        hole = hole.to(x0)
        outside = 1 - hole
        known = outside * x0
        shown = smooth_fill(known, hole) if self.fill == "smooth" else known
        condition = torch.cat([shown, hole], dim=1) if self.hole_channel else shown
        return Observation(known, lambda x: outside * x, condition, weight=hole, known_in_input=True)
