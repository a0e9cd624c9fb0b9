"""The one contract of the package: a denoiser looks at x_t and says what it believes.

Discrete or continuous, network or closed form: samplers see no difference. What a network predicts and how time is fed
to it stay inside `NetworkDenoiser`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from ediffuser.diffusion.prediction import Parametrisation, Prediction, decode
from ediffuser.diffusion.schedules import Schedule, alpha_sigma
from ediffuser.runtime.device import autocast

TimeInput = Literal["index", "rescaled_index", "continuous"]


@runtime_checkable
class Denoiser(Protocol):
    """What every sampler, conditioning and likelihood works with."""

    @property
    def schedule(self) -> Schedule:
        """The forward process the belief is about."""
        ...

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t.

        Args:
            x_t: Noisy images, shape (B, C, H, W).
            t: Times in (0, 1], shape () or (B,).
        """
        ...


class TrainableDenoiser(Denoiser, Protocol):
    """A denoiser whose network can be trained: it also shows its raw output."""

    @property
    def parametrisation(self) -> Parametrisation:
        """What the network predicts."""
        ...

    def output(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The network's output in its own parametrisation, and the variance fraction if it learns one."""
        ...

    def belief(self, x_t: Tensor, t: Tensor, output: Tensor, variance_fraction: Tensor | None) -> Prediction:
        """What such an output says of x_t; a call of the denoiser is this of `output`."""
        ...


def network_time(kind: TimeInput, schedule: Schedule, t: Tensor) -> Tensor:
    """The number a network is fed for the time t, float32.

    `index` is the published i - 1 = tT - 1; `rescaled_index` the same times 1000 / T; `continuous` is 999 t.
    """
    if kind == "continuous":
        return (999 * t).float()
    steps = getattr(schedule, "steps", 1000)
    index = t * steps - 1
    return (index * (1000 / steps) if kind == "rescaled_index" else index).float()


@dataclass(frozen=True)
class NetworkDenoiser:
    """A trained network.

    Attributes:
        network: Maps (input (B, C_in, H, W), time (B,)) to an output (B, C_out, H, W).
        schedule: The forward process it was trained on.
        parametrisation: What it predicts.
        time_input: How time is fed to it.
        learned_variance: Whether the second half of its output channels is the variance v in about [-1, 1].
        precision: Of its convolutions and matrix products.
        condition: Extra input channels, shape (B, C_in - C, H, W), bound by `given`.
    """

    network: Callable[[Tensor, Tensor], Tensor]
    schedule: Schedule
    parametrisation: Parametrisation = "eps"
    time_input: TimeInput = "index"
    learned_variance: bool = False
    precision: torch.dtype = torch.float32
    condition: Tensor | None = None

    def given(self, condition: Tensor) -> "NetworkDenoiser":
        """The same denoiser with its extra input channels bound."""
        return replace(self, condition=condition)

    def output(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The network's output in its own parametrisation (B, C, H, W), and the variance fraction or None."""
        network_input = x_t if self.condition is None else torch.cat([x_t, self.condition], dim=1)
        network_input = network_input.contiguous(memory_format=torch.channels_last)
        times = network_time(self.time_input, self.schedule, t).to(x_t.device).expand(len(x_t))
        with autocast(x_t.device, self.precision):
            output = self.network(network_input, times).to(x_t.dtype)
        if not self.learned_variance:
            return output, None
        mean, v = output.chunk(2, dim=1)
        return mean, (v + 1) / 2

    def belief(self, x_t: Tensor, t: Tensor, output: Tensor, variance_fraction: Tensor | None) -> Prediction:
        """What such an output says of x_t."""
        alpha, sigma = alpha_sigma(self.schedule, t, like=x_t)
        x0 = decode(self.parametrisation, output, x_t, alpha, sigma)
        return Prediction(x_t, alpha, sigma, x0, variance_fraction)

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t; x0 is not clipped."""
        return self.belief(x_t, t, *self.output(x_t, t))


class CountingDenoiser:
    """Wraps a denoiser and counts its calls, row by row; the one place where calls are counted.

    Attributes:
        counted: The rows whose calls count, bool, shape (B,); None counts all. Rows of an adaptive solver that have
            arrived stay in the batch, but what is computed for them is not used.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        """Starts at zero calls."""
        self._denoiser = denoiser
        self._calls: Tensor | int = 0
        self.counted: Tensor | None = None

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's schedule."""
        return self._denoiser.schedule

    def calls(self, batch: int) -> Tensor:
        """Calls so far for each row, int64, shape (batch,)."""
        return torch.as_tensor(self._calls).expand(batch).clone()

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The wrapped denoiser's belief."""
        self._calls = self._calls + (1 if self.counted is None else self.counted.long().cpu())
        return self._denoiser(x_t, t)
