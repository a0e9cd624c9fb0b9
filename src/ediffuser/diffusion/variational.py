"""The variational bound on the likelihood, term by term, and the reverse variance that its terms depend on.

-log2 p(x_0) <= prior + sum over the steps of KL(q(x_s | x_t, x_0) || p(x_s | x_t)) - log2 p(x_0 | x_t) of the last one,
all in bits per dimension. q and p are both Gaussian with a variance of their own, so each KL is the full one.
"""

import math

import torch
from torch import Tensor

from ediffuser.diffusion.forward import posterior, transition
from ediffuser.diffusion.prediction import Prediction
from ediffuser.diffusion.schedules import Schedule, alpha_sigma

HALF_LEVEL = 1 / 255
"""Half the distance of two 8-bit levels in [-1, 1]."""

EDGE = 0.999
"""Beyond it lies one level alone, the darkest or the brightest; its bin is open."""


def gaussian_kl(mean_q: Tensor, log_variance_q: Tensor, mean_p: Tensor, log_variance_p: Tensor) -> Tensor:
    """KL(q || p) of two Gaussians, number by number, in nats; the arguments are broadcast against each other.

    Source: Kingma & Welling 2014, appendix B; with the erratum of the dissertation's Algorithm 6 (q before p).
    """
    difference = log_variance_q - log_variance_p
    # expm1(d) - d is what equal means leave; it does not cancel where the variances are nearly equal.
    return 0.5 * (torch.expm1(difference) - difference + (mean_q - mean_p) ** 2 * torch.exp(-log_variance_p))


def level_log_likelihood(x0: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """The log probability of an 8-bit level under a Gaussian that is integrated over the level's bin, in nats.

    The 256 bins have the half width 1/255, the first and the last are open: their probabilities sum to 1. The normal
    distribution's integral is exact here, where published code takes a tanh for it, and its logarithm is computed in
    the tails as such: finite however far away the mean lies, and so is its gradient.

    Args:
        x0: Levels k / 127.5 - 1 for k = 0 ... 255, any shape.
        mean: Of the Gaussian, same shape.
        log_deviation: Logarithm of its standard deviation, broadcastable to it.

    Returns:
        Same shape; 0 or less.

    Source: Ho et al. 2020, eq. 13.
    """
    scale = torch.exp(-log_deviation)
    half = HALF_LEVEL * scale
    off = (x0 - mean) * scale
    # The bin is mirrored into the lower tail, where a difference of two integrals keeps its precision.
    nearer, farther = _log_ndtr(half - off.abs()), _log_ndtr(-half - off.abs())
    inside = nearer + torch.log(-torch.expm1(farther - nearer))
    darkest, brightest = _log_ndtr(off + half), _log_ndtr(half - off)
    return torch.where(x0 < -EDGE, darkest, torch.where(x0 > EDGE, brightest, inside))


def reverse_log_variance(
    schedule: Schedule, fraction: Tensor | float, t: Tensor, s: Tensor, before: Tensor | None, like: Tensor
) -> Tensor:
    """The log variance of p(x_s | x_t), from log beta-tilde (fraction 0) to log beta (fraction 1) of the step.

    Both follow from alpha-bar at t and s, whatever grid these belong to. In the last step, s = 0, beta-tilde is 0; its
    place is taken by that of the step before it, from `before` to t. There a fixed variance is that one, the large too
    (Ho et al. 2020, `fixedlarge`, for the sake of the decoder's likelihood).

    Args:
        schedule: The forward process.
        fraction: What the network learned, shape (B, C, H, W), not clamped; or a number for a fixed variance, 0 for the
            small one and 1 for the large one.
        t: Times in (0, 1], shape () or (B,).
        s: Earlier times in [0, 1), shape () or (B,).
        before: The grid's time before t, so a later one; only looked at where s = 0. None says that the grid has but
            one step; its variance is then beta.
        like: A batch whose dtype and number of dimensions the result takes.

    Returns:
        Broadcastable to the batch.

    Raises:
        ValueError: If t, s and `before` are out of order.

    Source: Nichol & Dhariwal 2021, eq. 15; Eq. 2.30 and 5.1-5.2 of the dissertation, with the erratum of 5.1.
    """
    t, s = torch.broadcast_tensors(t.double(), s.double())
    log_beta, log_beta_tilde = _log_variances(schedule, t, s)
    last, instead = s == 0, log_beta
    if before is not None and last.any():
        _, instead = _log_variances(schedule, torch.where(last, before.double(), t), torch.where(last, t, s))
    smallest = torch.where(last, instead, log_beta_tilde)
    span = log_beta - smallest
    if not isinstance(fraction, Tensor):
        span = torch.where(last, 0.0, span)
    shape = (-1,) + (1,) * (like.ndim - 1)
    return smallest.to(like).reshape(shape) + fraction * span.to(like).reshape(shape)


def vlb_term(
    prediction: Prediction,
    schedule: Schedule,
    x0: Tensor,
    t: Tensor,
    s: Tensor,
    before: Tensor | None,
    *,
    fraction: Tensor | float,
    clip: bool,
    weight: Tensor | None = None,
) -> Tensor:
    """One step's term of the variational bound, for a sample x_t of q(x_t | x_0).

    Args:
        prediction: The belief at x_t.
        schedule: The forward process.
        x0: Clean images, 8-bit levels k / 127.5 - 1, shape (B, C, H, W).
        t: Times in (0, 1], shape () or (B,).
        s: Where the step leads, in [0, t), shape () or (B,); 0 is the last step.
        before: The grid's time before t, see `reverse_log_variance`.
        fraction: Of the variance of p(x_s | x_t), see there: `prediction.variance_fraction`, or 0 or 1.
        clip: Whether the expected x_0 is clipped to [-1, 1]: True to evaluate; False to train, for where a value is
            clipped there is no gradient.
        weight: What counts of each picture, shape (B, 1, H, W), e.g. the hole; None counts everything alike.

    Returns:
        Bits per dimension (of what counts), shape (B,): KL(q(x_s | x_t, x_0) || p(x_s | x_t)) where s > 0, and
        -log p(x_0 | x_t) of the decoder where s = 0.

    Source: Eq. 2.9 of the dissertation; Ho et al. 2020, eq. 5 and 13; Nichol & Dhariwal 2021, eq. 4-7.
    """
    t, s = (time.expand(len(x0)) for time in (t, s))
    expected = prediction.x0.clamp(-1, 1) if clip else prediction.x0
    mean_p, _ = posterior(schedule, expected, prediction.x_t, t, s)
    mean_q, _ = posterior(schedule, x0, prediction.x_t, t, s)
    log_variance_p = reverse_log_variance(schedule, fraction, t, s, before, like=x0)
    # Finite where s = 0 too, where the decoder takes the place of the divergence.
    log_variance_q = reverse_log_variance(schedule, 0.0, t, s, before, like=x0)
    nats = gaussian_kl(mean_q, log_variance_q, mean_p, log_variance_p)
    last = s == 0
    if last.any():  # asked where the times are: an accelerator need not be waited for
        last = last.to(x0.device)
        log_deviation = 0.5 * log_variance_p.expand_as(x0)[last]
        nats = nats.index_put((last,), -level_log_likelihood(x0[last], mean_p[last], log_deviation))
    return picture_mean(nats, weight) / math.log(2)


def prior_term(schedule: Schedule, x0: Tensor, weight: Tensor | None = None) -> Tensor:
    """KL(q(x_1 | x_0) || N(0, sigma(1)^2 I)): what is left of the picture where sampling starts.

    Args:
        schedule: The forward process.
        x0: Clean images in [-1, 1], shape (B, C, H, W).
        weight: What counts of each picture, shape (B, 1, H, W); None counts everything alike.

    Returns:
        Bits per dimension, shape (B,).

    Source: Eq. 2.9 of the dissertation, its L_T; Nichol & Dhariwal 2021, eq. 7.
    """
    alpha, sigma = alpha_sigma(schedule, torch.ones((), dtype=torch.float64, device=x0.device), like=x0)
    log_variance = 2 * sigma.log()
    return picture_mean(gaussian_kl(alpha * x0, log_variance, torch.zeros_like(x0), log_variance), weight) / math.log(2)


def picture_mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """The mean of each picture's values (B, C, H, W), or of those that `weight` (B, 1, H, W) counts; shape (B,).

    The sum over what counts is divided by its area, so that a batch's mean does not depend on how it is divided.
    """
    if weight is None:
        return values.flatten(1).mean(1)
    area = weight.flatten(1).sum(1) * values.shape[1]
    return (values * weight).flatten(1).sum(1) / torch.clamp(area, min=1)


def _log_variances(schedule: Schedule, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """log beta and log beta-tilde of the step from t to s, float64, shape of t."""
    _, beta = transition(schedule, t, s, like=t.reshape(-1))
    log_beta = beta.log().reshape(t.shape)
    return log_beta, log_beta + 2 * (schedule.sigma(s).log() - schedule.sigma(t).log())


def _log_ndtr(z: Tensor) -> Tensor:
    """log of the standard normal distribution function.

    torch.special.log_ndtr has the same values, but in the tail its gradient is the exponential of a difference of large
    numbers: in float32 wrong by a thousandth at z = -200 and altogether at -10,000.
    """
    below, above = z.clamp(max=1), z.clamp(min=-1)
    in_tail = torch.log(torch.special.erfcx(-(0.5**0.5) * below) / 2) - below**2 / 2
    return torch.where(z < 0, in_tail, torch.log1p(-torch.special.erfc(0.5**0.5 * above) / 2))
