"""The forward process between any two times: how noise is added, and what it looked like a step before."""

import torch
from torch import Tensor

from ediffuser.diffusion.schedules import Schedule, alpha_sigma


def noised(schedule: Schedule, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """A sample of q(x_t | x_0).

    Args:
        schedule: The forward process.
        x0: Clean images in [-1, 1], shape (B, C, H, W).
        eps: Standard normal noise, same shape.
        t: Times in [0, 1], shape () or (B,).

    Returns:
        alpha(t) x_0 + sigma(t) eps, same shape.

    Source: Ho et al. 2020, eq. 4.
    """
    alpha_t, sigma_t = alpha_sigma(schedule, t, like=x0)
    return alpha_t * x0 + sigma_t * eps


def transition(schedule: Schedule, t: Tensor, s: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel q(x_t | x_s) for s < t: scale alpha_t / alpha_s, and its variance (the beta of that step).

    Args:
        schedule: The forward process.
        t: Later times in [0, 1], shape () or (B,).
        s: Earlier times in [0, 1], shape () or (B,).
        like: A batch whose dtype and number of dimensions the result takes.

    Returns:
        Scale and variance, each broadcastable to the batch.

    Raises:
        ValueError: If s >= t.
    """
    if (s >= t).any():
        raise ValueError(f"a step must go back in time: s < t is needed, got s = {s.tolist()} and t = {t.tolist()}")
    # In log-SNR the variance of the step is sigma_t^2 (1 - SNR_t / SNR_s) without cancellation.
    log_ratio = schedule.log_snr(t) - schedule.log_snr(s)
    scale = schedule.alpha(t) / schedule.alpha(s)
    variance = schedule.sigma(t) ** 2 * -torch.expm1(log_ratio)
    shape = (-1,) + (1,) * (like.ndim - 1)
    return scale.to(like).reshape(shape), variance.to(like).reshape(shape)


def posterior(schedule: Schedule, x0: Tensor, x_t: Tensor, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of q(x_s | x_t, x_0) for s < t.

    Args:
        schedule: The forward process.
        x0: Clean images in [-1, 1], shape (B, C, H, W).
        x_t: Noisy images, shape (B, C, H, W).
        t: Later times in [0, 1], shape () or (B,).
        s: Earlier times in [0, 1], shape () or (B,).

    Returns:
        Mean, shape (B, C, H, W); variance, broadcastable to it, 0 when s = 0.

    Raises:
        ValueError: If s >= t.

    Source: Ho et al. 2020, eq. 6-7, written for any pair (s, t).
    """
    scale, beta = transition(schedule, t, s, like=x_t)
    alpha_s, sigma_s = alpha_sigma(schedule, s, like=x_t)
    _, sigma_t = alpha_sigma(schedule, t, like=x_t)
    mean = (alpha_s * beta * x0 + scale * sigma_s**2 * x_t) / sigma_t**2
    return mean, beta * sigma_s**2 / sigma_t**2
