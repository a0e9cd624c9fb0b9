"""DPM-Solver: the deterministic flow in few steps, each with the noise as a polynomial in log-SNR."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Step
from ediffuser.samplers.exponential import Form, NoiseForm
from ediffuser.samplers.grids import Spacing, solver_times
from ediffuser.samplers.multistep import DpmMultistep, walk_back
from ediffuser.samplers.singlestep import orders_of, walk_singly

if TYPE_CHECKING:
    from ediffuser.samplers.dpm_solver_plus_plus import DpmSolverPlusPlus


@component
class DpmSolver:
    """DPM-Solver-k (Lu et al. 2022a): eps is integrated, x_0 is never clipped; deterministic.

    Attributes:
        steps: Calls of the denoiser. A multistep method takes as many steps, a singlestep one divides them up: its
            steps of order k cost k calls.
        order: Of its error in the length of the steps; 1 is DDIM.
        method: "singlestep" looks ahead within each step (the paper), "multistep" back at the steps before.
        spacing: Of the grid: uniform in log-SNR, in time, or that of Karras et al. 2022.
        t_end: Last time above 0; None is 1e-3, for more than 15 steps 1e-4, where noise explodes 1e-5, and never before
            the first index of a table. With the spacing in time it is the one from which the last step is like others.
        denoise: Whether the last call is at t_end and its x_0 the result, instead of the state there, still noisy.
        lower_order_final: Whether orders fall at the end of a multistep method of less than 15 steps, and of a
            singlestep one of order 3 whose last step would be of order 3.
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
        """The steps from noise to a picture; no randomness is drawn.

        Raises:
            BadInputError: If t_end lies before the grid's start.
        """
        return solved(self, NoiseForm(), denoiser, x)


def solved(sampler: "DpmSolver | DpmSolverPlusPlus", form: Form, denoiser: Denoiser, x: Tensor) -> Iterator[Step]:
    """The trajectory of either form: a grid, and the walk of the method down it."""
    several = sampler.method == "multistep"
    orders = orders_of(sampler.steps, sampler.order, sampler.denoise, sampler.lower_order_final)
    steps = sampler.steps if several else len(orders)
    times = solver_times(denoiser.schedule, steps, sampler.spacing, sampler.t_end, sampler.denoise)
    if several:
        return walk_back(DpmMultistep(form), denoiser, x, times, sampler.order, sampler.lower_order_final)
    return walk_singly(form, denoiser, x, times, orders)
