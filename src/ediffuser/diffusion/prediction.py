"""What a denoiser believes, in all its views, and how a network's output turns into it.

eps, x_0, v and the score are one belief seen from four sides. What a network was trained on is private to
`decode` (sampling) and `target` (training), which stand here side by side.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Parametrisation = Literal["eps", "x0", "v"]


@dataclass(frozen=True)
class Prediction:
    """The belief at x_t.

    Attributes:
        x_t: The noisy images, shape (B, C, H, W).
        alpha: Scale of the picture at t, broadcastable to x_t.
        sigma: Standard deviation of the noise at t, broadcastable to x_t.
        x0: The expected clean images, shape (B, C, H, W).
        variance_fraction: Where the reverse variance lies between beta-tilde (0) and beta (1), in the log; unclamped.
            None for models that do not learn it.
    """

    x_t: Tensor
    alpha: Tensor
    sigma: Tensor
    x0: Tensor
    variance_fraction: Tensor | None = None

    @property
    def eps(self) -> Tensor:
        """The expected noise, (x_t - alpha x_0) / sigma."""
        return (self.x_t - self.alpha * self.x0) / self.sigma

    @property
    def score(self) -> Tensor:
        """The gradient of log q(x_t), -eps / sigma."""
        return -self.eps / self.sigma

    @property
    def v(self) -> Tensor:
        """alpha eps - sigma x_0 (Salimans & Ho 2022)."""
        return self.alpha * self.eps - self.sigma * self.x0


def decode(parametrisation: Parametrisation, output: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The x_0 that a network's output stands for, shape of x_t; the inverse of `target`."""
    if parametrisation == "x0":
        return output
    if parametrisation == "eps":
        return (x_t - sigma * output) / alpha
    # From x_t = alpha x_0 + sigma eps and v = alpha eps - sigma x_0.
    return (alpha * x_t - sigma * output) / (alpha**2 + sigma**2)


def target(parametrisation: Parametrisation, x0: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network of that parametrisation should have put out, shape of x0."""
    if parametrisation == "x0":
        return x0
    if parametrisation == "eps":
        return eps
    return alpha * eps - sigma * x0


def x0_error_factor(parametrisation: Parametrisation, alpha: Tensor, sigma: Tensor) -> Tensor:
    """The squared error of x_0 per squared error of the network's output."""
    if parametrisation == "x0":
        return alpha**0
    if parametrisation == "eps":
        return (sigma / alpha) ** 2
    return (sigma / (alpha**2 + sigma**2)) ** 2
