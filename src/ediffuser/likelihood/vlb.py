"""The variational bound on the likelihood of a discrete model, at any respacing, term by term.

-log2 p(x_0) <= prior + the sum of KL(q(x_s | x_t, x_0) || p(x_s | x_t)) over all steps but the last - log2 p(x_0 | x_t)
of the last.

Each term is an expectation over x_t of q(x_t | x_0), estimated here by one sample per picture: the mean over pictures
is unbiased, and its error falls with their number. The pictures are 8-bit levels and not dequantised, since the last
term is the probability of a level, not a density.

Source: Ho et al. 2020, eq. 5 and 13; Nichol & Dhariwal 2021, eq. 4-7.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ediffuser.diffusion.denoiser import CountingDenoiser, Denoiser
from ediffuser.diffusion.forward import noised
from ediffuser.diffusion.respacing import trailing_times
from ediffuser.diffusion.reverse_variance import ReverseVariance, chosen_fraction
from ediffuser.diffusion.variational import prior_term, vlb_term
from ediffuser.likelihood.levels import require_levels
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import from_uint8


@dataclass(frozen=True)
class VlbTerm:
    """What one step adds to the bound.

    Attributes:
        t: Where the step starts, in (0, 1], shape ().
        value: Bits per dimension, float64, shape (B,).
        calls: Calls of the denoiser so far, int64, shape (B,).
        progress: Part of the work done, monotone in (0, 1].
    """

    t: Tensor
    value: Tensor
    calls: Tensor
    progress: float


@dataclass(frozen=True)
class Vlb:
    """The bound and what it is made of, all in bits per dimension, float64.

    Attributes:
        prior: What is left of the picture at pure noise, KL(q(x_1 | x_0) || N(0, sigma(1)^2 I)), shape (B,).
        kl: Of each step but the last, in the order of `times`, shape (B, S - 1).
        decoder: -log2 p(x_0 | x_t) of the last step, shape (B,).
        times: Where each step starts, from 1 down, the decoder's last, shape (S,).
        calls: Calls of the denoiser, int64, shape (B,).
    """

    prior: Tensor
    kl: Tensor
    decoder: Tensor
    times: Tensor
    calls: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of the terms, an upper bound on each picture's negative log likelihood, shape (B,)."""
        return self.prior + self.kl.sum(1) + self.decoder


def vlb_bits_per_dim(
    denoiser: Denoiser,
    levels: Tensor,
    noise: Noise,
    *,
    steps: int | None = None,
    variance: ReverseVariance = "auto",
    clip: bool = True,
    weight: Tensor | None = None,
) -> Vlb:
    """The variational bound on the negative log likelihood of 8-bit pictures.

    Args:
        denoiser: What is believed.
        levels: Whole numbers 0 ... 255, shape (B, C, H, W).
        noise: Randomness, one stream per row: one draw for each step.
        steps: Number of steps; None takes every step the model was trained on.
        variance: Of the reverse steps; "auto" is learned where the model learns it, else fixed-large.
        clip: Whether the expected x_0 is clipped to [-1, 1], as it is wherever pictures are made; not in training.
        weight: What counts of each picture, shape (B, 1, H, W), e.g. the hole; None counts everything alike.

    Returns:
        The terms and their sum, per dimension of what counts.

    Raises:
        BadInputError: If the levels are none, the steps are more than the model has or not given for a model of
            continuous time, or the variance should be the learned one and the model learns none.
    """
    require_levels(levels)
    x0 = from_uint8(levels)
    terms = list(vlb_terms(denoiser, x0, noise, steps=steps, variance=variance, clip=clip, weight=weight))
    *kl, decoder = (term.value for term in terms)
    return Vlb(
        prior=prior_term(denoiser.schedule, x0, weight).double(),
        kl=torch.stack(kl, dim=1) if kl else decoder.new_zeros(len(x0), 0),
        decoder=decoder,
        times=torch.stack([term.t for term in terms]),
        calls=terms[-1].calls,
    )


@torch.no_grad()
def vlb_terms(
    denoiser: Denoiser,
    x0: Tensor,
    noise: Noise,
    *,
    steps: int | None = None,
    variance: ReverseVariance = "auto",
    clip: bool = True,
    weight: Tensor | None = None,
) -> Iterator[VlbTerm]:
    """The terms of `vlb_bits_per_dim` but the prior's, one after the other, for progress; the last is the decoder's.

    Args:
        x0: Pictures k / 127.5 - 1 of levels k = 0 ... 255, shape (B, C, H, W).
    """
    counting = CountingDenoiser(denoiser)
    times, before = trailing_times(denoiser.schedule, steps), None
    for done, (t, s) in enumerate(pairwise(times), start=1):
        eps = noise.normal(x0.shape[1:]).to(x0)
        prediction = counting(noised(denoiser.schedule, x0, eps, t), t)
        fraction = chosen_fraction(variance, prediction)
        value = vlb_term(
            prediction, denoiser.schedule, x0, t, s, before, fraction=fraction, clip=clip, weight=weight
        ).double()
        yield VlbTerm(t, value, counting.calls(len(x0)), done / (len(times) - 1))
        before = t
