"""Multistep methods: x_s from what was believed at t and before; one call of the denoiser in a step.

They look back over several steps, so they are no Markov kernels and cannot be wrapped as `StepSampler`s.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.schedules import Schedule
from ediffuser.samplers.base import Step
from ediffuser.samplers.exponential import Form, Node, integrated, look
from ediffuser.samplers.grids import half_log_snr

FEWER_THAN = 15
"""With fewer steps than this the last ones are of lower order, as in diffusers' code."""


class Rule(Protocol):
    """One multistep method."""

    @property
    def form(self) -> Form:
        """What it integrates."""
        ...

    def corrected(self, schedule: Schedule, past: Sequence[Node]) -> Tensor:
        """The state at the last node, now that the denoiser has been called there; itself if nothing corrects it.

        Args:
            schedule: The forward process.
            past: Of the last step's order `k` the k nodes it used, and the one it led to.
        """
        ...

    def predicted(self, schedule: Schedule, past: Sequence[Node], s: Tensor) -> Tensor:
        """x_s for s > 0, from as many nodes as the order of the step, the latest last."""
        ...


def walk_back(
    rule: Rule, denoiser: Denoiser, x: Tensor, times: Tensor, order: int, lower_order_final: bool
) -> Iterator[Step]:
    """The trajectory of a multistep method down a grid; the step to t = 0, of order 1, returns the x_0 expected."""
    counting, schedule = CountingDenoiser(denoiser), denoiser.schedule
    orders = step_orders(len(times) - 1, order, lower_order_final)
    past: deque[Node] = deque(maxlen=order + 1)
    before = 0
    for done, ((t, s), now) in enumerate(zip(pairwise(times), orders, strict=True), start=1):
        past.append(look(rule.form, counting, x, t))
        if before:
            past[-1] = replace(past[-1], x=rule.corrected(schedule, list(past)[-before - 1 :]))
        x = rule.predicted(schedule, list(past)[-now:], s) if s > 0 else past[-1].x0
        before = now
        yield Step(s, x, past[-1].x0, counting.calls(len(x)), done / len(orders))


def step_orders(steps: int, order: int, lower_order_final: bool) -> list[int]:
    """The order of each step: it grows with what has been seen, and falls at the end if there are few steps."""
    orders = [min(order, done + 1) for done in range(steps)]
    if lower_order_final and steps < FEWER_THAN:
        orders = [min(now, steps - done) for done, now in enumerate(orders)]
    return orders


@dataclass(frozen=True)
class DpmMultistep:
    """DPM-Solver-k and DPM-Solver++(kM), k up to 3: the polynomial through the last k beliefs, prolonged.

    The second order's h^2 phi_2 is taken as h phi_1 h / 2, as in Lu et al. 2022b, Algorithm 2. The third's term of
    degree 2 is the whole h^2 m'' of the polynomial; published code has half of it, and measures as order 2
    (docs/decisions/0005-dpm-solver.md).
    """

    form: Form

    def corrected(self, schedule: Schedule, past: Sequence[Node]) -> Tensor:
        """The state as it was predicted."""
        return past[-1].x

    def predicted(self, schedule: Schedule, past: Sequence[Node], s: Tensor) -> Tensor:
        """x_s."""
        h = half_log_snr(schedule, s) - past[-1].half_log_snr
        return integrated(self.form, schedule, past[-1], s, *_terms(past, h))


def _terms(past: Sequence[Node], h: Tensor) -> list[Tensor]:
    """The Taylor terms h^k m^(k) at the last node of the polynomial through all of them."""
    now = past[-1]
    if len(past) == 1:
        return [now.belief]
    slope = _slope(now, past[-2])
    if len(past) == 2:
        return [now.belief + h / 2 * slope]
    bend = (slope - _slope(past[-2], past[-3])) / (now.half_log_snr - past[-3].half_log_snr)
    return [now.belief, h * (slope + (now.half_log_snr - past[-2].half_log_snr) * bend), 2 * h**2 * bend]


def _slope(later: Node, earlier: Node) -> Tensor:
    return (later.belief - earlier.belief) / (later.half_log_snr - earlier.half_log_snr)
