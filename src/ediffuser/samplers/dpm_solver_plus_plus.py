"""DPM-Solver++: the deterministic flow in few steps, each with the picture as a polynomial in log-SNR."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Step
from ediffuser.samplers.dpm_solver import solved
from ediffuser.samplers.exponential import DataForm
from ediffuser.samplers.grids import Spacing
from ediffuser.samplers.thresholding import Threshold, Thresholding


@component
class DpmSolverPlusPlus:
    """DPM-Solver++ (Lu et al. 2022b), 2M by default: x_0 is integrated, and may be thresholded; deterministic.

    Attributes:
        steps: Calls of the denoiser. A multistep method takes as many steps, a singlestep one divides them up: its
            steps of order k cost k calls.
        order: Of its error in the length of the steps; 1 is DDIM.
        method: "multistep" looks back at the steps before (kM), "singlestep" ahead within each step (kS).
        spacing: Of the grid: uniform in log-SNR, in time, or that of Karras et al. 2022.
        t_end: Last time above 0; None is 1e-3, for more than 15 steps 1e-4, where noise explodes 1e-5, and never before
            the first index of a table. With the spacing in time it is the one from which the last step is like others.
        denoise: Whether the last call is at t_end and its x_0 the result, instead of the state there, still noisy.
        lower_order_final: Whether orders fall at the end of a multistep method of less than 15 steps, and of a
            singlestep one of order 3 whose last step would be of order 3.
        thresholding: Whether the expected x_0 is clipped to [-1, 1] ("clip"), or to its own range and that scaled to
            [-1, 1] ("dynamic", Saharia et al. 2022).
        quantile: Of dynamic thresholding: of a picture's absolute values, the one that is its range.
        limit: Of dynamic thresholding: the largest range; None is none, and 1 would make it a plain clip.
    """

    kind: Literal["dpm_solver++"] = "dpm_solver++"
    steps: int = Field(default=20, ge=1)
    order: Literal[1, 2, 3] = 2
    method: Literal["multistep", "singlestep"] = "multistep"
    spacing: Spacing = "log_snr"
    t_end: float | None = Field(default=None, gt=0, lt=1)
    denoise: bool = True
    lower_order_final: bool = True
    thresholding: Thresholding = "clip"
    quantile: float = Field(default=0.995, gt=0, le=1)
    limit: float | None = Field(default=None, ge=1)

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture; no randomness is drawn.

        Raises:
            BadInputError: If t_end lies before the grid's start.
        """
        return solved(self, DataForm(Threshold(self.thresholding, self.quantile, self.limit)), denoiser, x)
