"""What importance-sampled times go by: the last losses at each index, which are part of a run's state."""

import torch
from torch import Tensor

from ediffuser.diffusion.schedules import Schedule
from ediffuser.training.times import LossAwareTimes

UNIFORM_GRID = 2**24
"""Uniform float32 numbers are multiples of 1 / 2^24."""


class LossHistory:
    """The last losses at each index of a discrete schedule, and the times that are drawn because of them.

    Nothing in here is random, so a run that is resumed with its history goes on bit for bit. Where several processes
    share a batch, each is to remember the times and losses of all of them in the batch's order; the histories then
    stay equal.

    Attributes:
        losses: The last losses at index i in row i - 1, float64, shape (T, kept); a ring.
        counts: How many there have been, int64, shape (T,).

    Source: Nichol & Dhariwal 2021, section 3.3.
    """

    def __init__(self, plan: LossAwareTimes, schedule: Schedule) -> None:
        """Starts without a loss.

        Raises:
            ValueError: If the schedule is continuous.
        """
        steps: int | None = getattr(schedule, "steps", None)
        if steps is None:
            raise ValueError("losses are remembered for each index of a discrete schedule; this one is continuous")
        self._plan, self._steps = plan, steps
        self.losses = torch.zeros(steps, plan.kept, dtype=torch.float64)
        self.counts = torch.zeros(steps, dtype=torch.int64)

    def probabilities(self) -> Tensor:
        """Of the indices 1 ... T, float64, shape (T,): exactly what `times` draws them with.

        Alike until there are `kept` losses at every index; then proportional to sqrt(E[L^2]), plus the uniform share
        (eq. 18).
        """
        return torch.diff(self._cumulative(), prepend=torch.zeros(1, dtype=torch.float64))

    def times(self, uniform: Tensor) -> Tensor:
        """Times i / T, float64, shape (B,), from uniform float32 numbers (B,) in [0, 1)."""
        index = torch.searchsorted(self._cumulative(), uniform.double().cpu(), right=True) + 1
        return (index.double() / self._steps).to(uniform.device)

    def weights(self, t: Tensor) -> Tensor:
        """1 / (T p), float64, shape (B,): times the losses at t it makes their mean that of uniform times."""
        return (1 / (self._steps * self.probabilities()[self._row(t)])).to(t.device)

    def remember(self, t: Tensor, losses: Tensor) -> None:
        """Takes in the losses (B,) that were found at the times t (B,), before any weight of importance."""
        for row, loss in zip(self._row(t).tolist(), losses.tolist(), strict=True):
            self.losses[row, self.counts[row] % self._plan.kept] = loss
            self.counts[row] += 1

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"losses": self.losses, "counts": self.counts}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Takes up what `tensors` gave.

        Raises:
            KeyError: If something is missing.
            RuntimeError: If it belongs to another number of steps or of losses.
        """
        for name, own in self.tensors().items():
            if tensors[name].shape != own.shape:
                raise RuntimeError(f"history of {name}: {tuple(tensors[name].shape)}, not {tuple(own.shape)}")
            own.copy_(tensors[name])

    def _cumulative(self) -> Tensor:
        full = bool((self.counts >= self._plan.kept).all())
        size = self.losses.square().mean(1).sqrt() if full else torch.ones(self._steps, dtype=torch.float64)
        share = self._plan.uniform_share
        p = (1 - share) * size / size.sum() + share / self._steps
        # On the grid of the uniform numbers each index is drawn with just the probability that its weight divides by.
        return (p.cumsum(0) * UNIFORM_GRID).round() / UNIFORM_GRID

    def _row(self, t: Tensor) -> Tensor:
        return (t.cpu() * self._steps).round().long() - 1
