"""DPM-Solver and DPM-Solver++: the probability flow in few steps, by exponential integrators.

Both come as multistep methods, which look back, and as singlestep methods, which look ahead (Lu et al. 2022a, 2022b).
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers import multistep, singlestep
from ediffuser.samplers.base import Step
from ediffuser.samplers.exponential import DataForm, Form, NoiseForm
from ediffuser.samplers.grids import Spacing, solver_times
from ediffuser.samplers.thresholding import Threshold, Thresholding


@component
class DpmSolver:
    """DPM-Solver-k of Lu et al. 2022a: eps is integrated; deterministic.

    Attributes:
        steps: Calls of the denoiser. A multistep method takes as many steps, a singlestep one divides them up: its
            steps of order k cost k calls.
        order: 1 is DDIM.
        method: "singlestep" looks ahead, "multistep" looks back.
        spacing: Of the grid: uniform in log-SNR, in time, or that of Karras et al. 2022.
        t_end: Last time above 0; None is 1e-3, for more than 15 steps 1e-4, where noise explodes 1e-5, and never before
            the first index of a table.
        denoise: Whether the last call is at t_end, and its x_0 the result, instead of a state that still is noisy.
        lower_order_final: Whether orders fall at the end of a multistep method of less than 15 steps, or of a
            singlestep one that has no call left for it.
    """

    kind: Literal["dpm_solver"] = "dpm_solver"
    steps: int = Field(default=20, ge=1)
    order: Literal[1, 2, 3] = 3
    method: Literal["singlestep", "multistep"] = "singlestep"
    spacing: Spacing = "log_snr"
    t_end: float | None = Field(default=None, gt=0, lt=1)
    denoise: bool = True
    lower_order_final: bool = True

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture; no randomness is drawn."""
        return _trajectory(self, NoiseForm(), denoiser, x)


@component
class DpmSolverPlusPlus:
    """DPM-Solver++ of Lu et al. 2022b: x_0 is integrated, and may be thresholded; deterministic.

    Attributes:
        steps: Calls of the denoiser. A multistep method takes as many steps, a singlestep one divides them up: its
            steps of order k cost k calls.
        order: 1 is DDIM.
        method: "multistep" looks back, "singlestep" looks ahead.
        spacing: Of the grid: uniform in log-SNR, in time, or that of Karras et al. 2022.
        t_end: Last time above 0; None is 1e-3, for more than 15 steps 1e-4, where noise explodes 1e-5, and never before
            the first index of a table.
        denoise: Whether the last call is at t_end, and its x_0 the result, instead of a state that still is noisy.
        lower_order_final: Whether orders fall at the end of a multistep method of less than 15 steps, or of a
            singlestep one that has no call left for it.
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
        """The steps from noise to a picture; no randomness is drawn."""
        return _trajectory(self, DataForm(Threshold(self.thresholding, self.quantile, self.limit)), denoiser, x)


def _trajectory(sampler: DpmSolver | DpmSolverPlusPlus, form: Form, denoiser: Denoiser, x: Tensor) -> Iterator[Step]:
    if sampler.method == "multistep":
        times = _times(sampler, denoiser, sampler.steps)
        rule = multistep.DpmMultistep(form)
        return multistep.walk_back(rule, denoiser, x, times, sampler.order, sampler.lower_order_final)
    orders = singlestep.step_orders(sampler.steps, sampler.order, sampler.denoise, sampler.lower_order_final)
    return singlestep.walk_singly(form, denoiser, x, _times(sampler, denoiser, len(orders)), orders)


def _times(sampler: DpmSolver | DpmSolverPlusPlus, denoiser: Denoiser, steps: int) -> Tensor:
    return solver_times(denoiser.schedule, steps, sampler.spacing, sampler.t_end, sampler.denoise)
