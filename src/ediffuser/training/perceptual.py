"""A term of the loss by which x_0 shall also look right to a network that knows pictures.

The squared error is least at the mean of all pictures that fit, which is blurred; a short run ends there. In the
features of a classifier the mean of what fits is sharper. The price: the network's x_0 is no longer the E[x_0 | x_t]
that samplers and likelihoods take it for, so this is for models that are used, not for those that methods are compared
by; and figures under the same features (EfficientNet-Lite0) flatter a model that was trained with it.

Source: after Lin & Yang 2024, "Diffusion model with perceptual loss", with another network and unit-length features as
in Zhang et al. 2018.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ediffuser.diffusion.denoiser import TrainableDenoiser
from ediffuser.diffusion.prediction import Parametrisation, Prediction
from ediffuser.diffusion.schedules import Schedule
from ediffuser.evaluation.efficientnet import load_efficientnet_lite0
from ediffuser.runtime.component import component

TAPS = (3, 5, 11)
"""Blocks of EfficientNet-Lite0 after which features are compared: a quarter, an eighth, a sixteenth of the sides."""
CHANNELS = (24, 40, 112)
"""Of those features."""


@component
class PerceptualTerm:
    """alpha^2 times a distance of features, added to the loss.

    Attributes:
        weight: Of the term.
        floor: The least that takes the place of alpha^2: more than 0 also judges guesses at high noise, where a few
            calls decide what a picture will show.
    """

    weight: float = Field(default=0.1, gt=0)
    floor: float = Field(default=0.0, ge=0, le=1)

    def part(self, painted: list[Tensor], real: list[Tensor], alpha: Tensor, hole: Tensor | None) -> Tensor:
        """The distance times alpha^2 or the floor, over the hole's share as the squared error is; shape (B,)."""
        share = 1.0 if hole is None else hole.mean(dim=(1, 2, 3)).clamp(min=1e-3)
        return (alpha.reshape(-1) ** 2).clamp(min=self.floor) * distance(painted, real) / share


class Eye(nn.Module):
    """EfficientNet-Lite0 as far as its features are compared, frozen."""

    def __init__(self) -> None:
        """Loads the weights.

        Raises:
            BadInputError: If the package with the weights is missing or another version.
        """
        super().__init__()
        whole = load_efficientnet_lite0()
        self._stem, self._norm = whole._conv_stem, whole._bn0
        self._blocks = nn.ModuleList(list(whole._blocks)[: TAPS[-1]])
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of unit length at each position, of RGB pictures in [-1, 1], shape (B, 3, H, W)."""
        pixels = ((images + 1) * 127.5 - 127) / 128
        h = F.relu6(self._norm(self._stem(pixels.contiguous(memory_format=torch.channels_last))))
        found = []
        for number, block in enumerate(self._blocks, start=1):
            h = block(h)
            if number in TAPS:
                found.append(h / (h.norm(dim=1, keepdim=True) + 1e-6))
        return found

    def forward(self, guess: Tensor, x0: Tensor) -> Tensor:
        """The distance of each guess from its picture, shape (B,): squared, mean over positions, summed over maps."""
        return distance(*self.both(guess, x0))

    def both(self, guess: Tensor, x0: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The features of guesses, with their gradient, and of their pictures."""
        with torch.no_grad():
            real = self.features(x0)
        return self.features(guess), real


def distance(painted: list[Tensor], real: list[Tensor]) -> Tensor:
    """The distance of features: squared, mean over positions, summed over maps, shape (B,)."""
    apart = [(one - other).square().sum(dim=1).mean(dim=(1, 2)) for one, other in zip(painted, real, strict=True)]
    return torch.stack(apart).sum(dim=0)


class Remembering:
    """A denoiser that can be asked again what it believed, without another call of its network."""

    def __init__(self, denoiser: TrainableDenoiser) -> None:
        """Wraps it."""
        self._denoiser = denoiser
        self._last: tuple[Tensor, Tensor, Tensor, Tensor | None] | None = None

    @property
    def schedule(self) -> Schedule:
        """The wrapped denoiser's."""
        return self._denoiser.schedule

    @property
    def parametrisation(self) -> Parametrisation:
        """The wrapped denoiser's."""
        return self._denoiser.parametrisation

    def output(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The wrapped denoiser's, kept."""
        output, fraction = self._denoiser.output(x_t, t)
        self._last = (x_t, t, output, fraction)
        return output, fraction

    def belief(self, x_t: Tensor, t: Tensor, output: Tensor, variance_fraction: Tensor | None) -> Prediction:
        """The wrapped denoiser's."""
        return self._denoiser.belief(x_t, t, output, variance_fraction)

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The belief at x_t."""
        return self.belief(x_t, t, *self.output(x_t, t))

    @property
    def last(self) -> Prediction:
        """What was believed at the last call, with its gradient."""
        assert self._last is not None
        return self.belief(*self._last)
