"""Singlestep DPM-Solver: each step calls the denoiser at its start and once or twice on its way, and forgets it all.

Source: Lu et al. 2022a, Algorithms 1-2 and eq. 3.7; Lu et al. 2022b, Algorithm 1. The first order is DDIM.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.samplers.base import Step
from ediffuser.samplers.exponential import Form, Node, integrated, look
from ediffuser.samplers.grids import half_log_snr


def walk_singly(form: Form, denoiser: Denoiser, x: Tensor, times: Tensor, orders: list[int]) -> Iterator[Step]:
    """The trajectory down a grid whose steps have these orders; the one to t = 0 returns the x_0 expected."""
    counting = CountingDenoiser(denoiser)
    for done, ((t, s), order) in enumerate(zip(pairwise(times), orders, strict=True), start=1):
        start = look(form, counting, x, t)
        x, x0 = single_step(form, counting, start, s, order) if s > 0 else (start.x0, start.x0)
        yield Step(s, x, x0, counting.calls(len(x)), sum(orders[:done]) / sum(orders))


def single_step(form: Form, denoiser: Denoiser, start: Node, s: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """One step of DPM-Solver-k from a node at t to s, 0 < s < t; order - 1 calls.

    Returns:
        x_s, and the x_0 believed at the last of the calls.
    """
    if order == 1:
        return integrated(form, denoiser.schedule, start, s, start.belief), start.x0
    if order == 2:
        middle = part_way(form, denoiser, start, s, 1 / 2)
        return integrated(form, denoiser.schedule, start, s, middle.belief), middle.x0
    first = part_way(form, denoiser, start, s, 1 / 3)
    second = part_way(form, denoiser, start, s, 2 / 3, 2 * (first.belief - start.belief))
    terms = start.belief, 3 / 2 * (second.belief - start.belief)
    return integrated(form, denoiser.schedule, start, s, *terms), second.x0


def part_way(form: Form, denoiser: Denoiser, start: Node, s: Tensor, part: float, *slope: Tensor) -> Node:
    """A look at where lambda has gone that part of its way from the start to s; `slope` is the next Taylor term."""
    schedule = denoiser.schedule
    between = torch.lerp(start.half_log_snr, half_log_snr(schedule, s), part)
    u = schedule.time(2 * between)
    return look(form, denoiser, integrated(form, schedule, start, u, start.belief, *slope), u)


def orders_of(calls: int, order: int, denoise: bool, lower_order_final: bool) -> list[int]:
    """The orders of the steps that take that many calls in all: as many of the full order as go, then one of the rest.

    Of these calls `denoise` keeps one for the step to t = 0. Where nothing is left for a step of lower order,
    `lower_order_final` makes the last of order 3 into two of order 2 and 1, so that there are always
    calls // 3 + 1 steps (Lu et al. 2022a, appendix D.3).
    """
    full, left = divmod(calls - denoise, order)
    orders = [order] * full + [left] * (left > 0)
    if lower_order_final and not denoise and orders[-1] == 3:
        orders[-1:] = [2, 1]
    return orders + [1] * denoise
