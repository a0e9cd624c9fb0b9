"""UniPC: a multistep predictor, and a corrector of one order more that costs no call of its own.

In the notation of `exponential`, with z = h in the noise form and z = -h in the data form, a step adds to that of the
first order

    scale sum_i c_i (m_i - m_0) / r_i,    sum_i c_i r_i^(k-1) = k! h phi_(k+1)(z),    k = 1, 2, ...

over the beliefs m_i at lambda_t + r_i h other than m_0 at t itself. The predictor takes those before t; the corrector
also the one at s (r = 1), which the next step needs anyway, and does the step once more. With several m_i this is the
polynomial through all of them, whatever B(h). With one it is c = B(h) / 2, where B(h) = h is bh1 and h phi_1(z) bh2.

Source: Zhao et al. 2023, section 3, Theorem 3.1, Algorithms 1-2.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.diffusion.schedules import Schedule
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise
from ediffuser.samplers.base import Step
from ediffuser.samplers.exponential import DataForm, Form, Node, NoiseForm, integrated, rows
from ediffuser.samplers.grids import Spacing, half_log_snr, solver_times
from ediffuser.samplers.multistep import walk_back
from ediffuser.samplers.thresholding import Threshold, Thresholding
from ediffuser.solvers.exponential import phi

Variant = Literal["bh2", "bh1"]


@component
class UniPc:
    """UniPC-p of Zhao et al. 2023, of order p + 1 at one call a step; without its corrector UniP-p, of order p.

    Attributes:
        steps: Steps, and calls of the denoiser.
        order: p. The paper recommends 3 without guidance and 2 with a strong one.
        variant: B(h) of the paper, which matters where a step has one difference only: bh1 is recommended below 10
            steps, bh2 above.
        corrector: Whether each state is corrected by the belief that the next step starts from.
        form: Whether x_0 ("data") or eps ("noise") is integrated.
        spacing: Of the grid: uniform in log-SNR, in time, or that of Karras et al. 2022.
        t_end: Last time above 0; None is 1e-3, for more than 15 steps 1e-4, where noise explodes 1e-5, and never before
            the first index of a table.
        denoise: Whether the last call is at t_end, and its x_0 the result, instead of a state that still is noisy.
        lower_order_final: Whether orders fall at the end of less than 15 steps.
        thresholding: Whether the expected x_0 is clipped to [-1, 1] ("clip"), or to its own range and that scaled to
            [-1, 1] ("dynamic", Saharia et al. 2022), both in the data form alone; None clips there.
        quantile: Of dynamic thresholding: of a picture's absolute values, the one that is its range.
        limit: Of dynamic thresholding: the largest range; None is none, and 1 would make it a plain clip.
    """

    kind: Literal["unipc"] = "unipc"
    steps: int = Field(default=20, ge=1)
    order: Literal[1, 2, 3] = 3
    variant: Variant = "bh2"
    corrector: bool = True
    form: Literal["data", "noise"] = "data"
    spacing: Spacing = "log_snr"
    t_end: float | None = Field(default=None, gt=0, lt=1)
    denoise: bool = True
    lower_order_final: bool = True
    thresholding: Thresholding | None = None
    quantile: float = Field(default=0.995, gt=0, le=1)
    limit: float | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.form == "noise" and self.thresholding in ("clip", "dynamic"):
            raise ValueError(f"thresholding {self.thresholding!r} belongs to the data form: set form='data'")
        return self

    def trajectory(self, denoiser: Denoiser, x: Tensor, noise: Noise) -> Iterator[Step]:
        """The steps from noise to a picture; no randomness is drawn."""
        times = solver_times(denoiser.schedule, self.steps, self.spacing, self.t_end, self.denoise)
        rule = PredictorCorrectorRule(self._form(), self.variant, self.corrector)
        return walk_back(rule, denoiser, x, times, self.order, self.lower_order_final)

    def _form(self) -> Form:
        if self.form == "noise":
            return NoiseForm()
        return DataForm(Threshold(self.thresholding or "clip", self.quantile, self.limit))


@dataclass(frozen=True)
class PredictorCorrectorRule:
    """UniP-p and UniC-p as a rule of multistep methods, p the number of past nodes it is given.

    Attributes:
        form: What it integrates.
        variant: B(h).
        corrector: Whether UniC follows UniP.
    """

    form: Form
    variant: Variant = "bh2"
    corrector: bool = True

    def corrected(self, schedule: Schedule, past: Sequence[Node]) -> Tensor:
        """UniC-p: the step to the last node, once more and with the belief there."""
        *used, reached = past
        if not self.corrector:
            return reached.x
        return self._step(schedule, used[-1], reached.t, [*used[:-1], reached])

    def predicted(self, schedule: Schedule, past: Sequence[Node], s: Tensor) -> Tensor:
        """UniP-p."""
        return self._step(schedule, past[-1], s, past[:-1])

    def _step(self, schedule: Schedule, start: Node, s: Tensor, others: Sequence[Node]) -> Tensor:
        """x_s from the node at t, by its belief and the others'."""
        h = (half_log_snr(schedule, s) - start.half_log_snr).item()
        parts = [((node.half_log_snr - start.half_log_snr) / h).item() for node in others]
        _, scale = self.form.factors(schedule, start.t, s)
        x_s = integrated(self.form, schedule, start, s, start.belief)
        for node, part, weight in zip(others, parts, self._weights(h, parts), strict=True):
            x_s = x_s + rows(scale * weight / part, x_s) * (node.belief - start.belief)
        return x_s

    def _weights(self, h: float, parts: list[float]) -> list[float]:
        """c_i."""
        z = self.form.sign * h
        if len(parts) == 1:
            return [h / 2 if self.variant == "bh1" else h * phi(1, z) / 2]
        degrees = range(1, len(parts) + 1)
        powers = torch.tensor([[part ** (k - 1) for part in parts] for k in degrees], dtype=torch.float64)
        integrals = torch.tensor([math.factorial(k) * h * phi(k + 1, z) for k in degrees], dtype=torch.float64)
        return torch.linalg.solve(powers, integrals).tolist() if parts else []
