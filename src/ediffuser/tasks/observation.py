"""What is known of a picture, and the one line that puts it back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from ediffuser.runtime.noise import Noise


@dataclass(frozen=True)
class Observation:
    """What is known: an orthogonal projection P of the clean picture.

    Attributes:
        known: P x_0, shape (B, C, H, W).
        project: The projection P, acting on (B, C, H, W).
        condition: Extra input channels of a network trained on the task, shape (B, K, H, W), or None.
        weight: What of each picture the loss counts, shape (B, 1, H, W), or None for all of it.
        known_in_input: Whether a network trained on the task sees the known part clean in place of x_t.
    """

    known: Tensor
    project: Callable[[Tensor], Tensor]
    condition: Tensor | None = None
    weight: Tensor | None = None
    known_in_input: bool = False

    def keep(self, x: Tensor) -> Tensor:
        """x with what is known put back, x - P x + P x_0; shape (B, C, H, W)."""
        return x - self.project(x) + self.known

    def keep_noised(self, x_t: Tensor, alpha: Tensor, sigma: Tensor, eps: Tensor) -> Tensor:
        """x_t with what is known put back at its own noise level, x_t - P x_t + alpha P x_0 + sigma P eps.

        Args:
            x_t: Noisy images, shape (B, C, H, W).
            alpha: Scale of the picture at t, broadcastable to x_t.
            sigma: Standard deviation of the noise at t, broadcastable to x_t.
            eps: Noise, shape (B, C, H, W); only P eps matters.
        """
        return x_t - self.project(x_t - sigma * eps) + alpha * self.known


@runtime_checkable
class Task(Protocol):
    """A kind of thing that may be known."""

    condition_channels: int
    """How many input channels a network trained on the task has besides the picture's."""

    def observe(self, x0: Tensor, noise: Noise, hole: Tensor | None = None) -> Observation:
        """What is known of clean pictures.

        Args:
            x0: Images in [-1, 1], shape (B, C, H, W).
            noise: Randomness for what the task draws, one stream per row.
            hole: Where to paint, shape (B, 1, H, W), 1 = paint; None lets the task draw one where it needs one.
        """
        ...
