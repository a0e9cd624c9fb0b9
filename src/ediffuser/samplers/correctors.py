"""Correctors: moves at a fixed time that leave q(x_t) alone and bring samples closer to it."""

from typing import Annotated, Literal, Protocol, Union

import torch
from pydantic import Field
from torch import Tensor

from ediffuser.diffusion.denoiser import Denoiser
from ediffuser.runtime.component import component
from ediffuser.runtime.noise import Noise


class Corrector(Protocol):
    """Moves at a fixed time."""

    steps: int

    def correct(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, scale: Tensor | float, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """Moves a batch `steps` times, one call of the denoiser each.

        Args:
            denoiser: What is believed.
            x_t: The batch at t, shape (B, C, H, W).
            t: Time in (0, 1], shape () or (B,).
            scale: alpha_t / alpha_s of the step that a predictor will take from here; 1 where none follows.
            noise: Randomness, one stream per row.

        Returns:
            The batch, and what it would be without the last move's noise.
        """
        ...


@component
class NoCorrector:
    """Leaves everything to the predictor."""

    kind: Literal["none"] = "none"

    @property
    def steps(self) -> int:
        """No call."""
        return 0

    def correct(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, scale: Tensor | float, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """The batch as it is."""
        return x_t, x_t


@component
class Langevin:
    """Langevin dynamics whose step follows from the lengths of score and noise (Song et al. 2021, algorithms 4-5).

    Attributes:
        snr: Length of the move along the score, as a part of the noise's length.
        steps: Moves at each time.
        norm: "sample" takes the lengths of each picture; "batch", as published, their means over the batch, so that a
            picture then depends on what it is sampled together with.
    """

    kind: Literal["langevin"] = "langevin"
    snr: float = Field(default=0.16, gt=0, le=10)
    steps: int = Field(default=1, ge=1)
    norm: Literal["sample", "batch"] = "sample"

    def correct(
        self, denoiser: Denoiser, x_t: Tensor, t: Tensor, scale: Tensor | float, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        """x_t + step score + sqrt(2 step) z, with step = 2 scale^2 (snr |z| / |score|)^2."""
        mean = x_t
        for _ in range(self.steps):
            score = denoiser(x_t, t).score
            z = noise.normal(x_t.shape[1:]).to(x_t)
            size = 2 * (scale * self.snr * self._length(z) / self._length(score)) ** 2
            mean = x_t + size * score
            x_t = mean + (2 * size).sqrt() * z
        return x_t, mean

    def _length(self, value: Tensor) -> Tensor:
        lengths = torch.linalg.vector_norm(value.flatten(1), dim=1).clamp(min=1e-12)
        lengths = lengths.mean(0, keepdim=True) if self.norm == "batch" else lengths
        return lengths.reshape(-1, *(1,) * (value.ndim - 1))


AnyCorrector = Annotated[Union[Langevin, NoCorrector], Field(discriminator="kind")]  # noqa: UP007
"""The union of all correctors."""
