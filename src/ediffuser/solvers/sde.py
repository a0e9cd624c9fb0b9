"""Steps of stochastic differential equations dy = a dt + b dw; randomness is the caller's."""

from torch import Tensor

from ediffuser.solvers.tableaux import like


def euler_maruyama(y: Tensor, drift: Tensor, diffusion: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel of one Euler-Maruyama step, of strong order 1/2 and weak order 1.

    Args:
        y: States, shape (B, ...).
        drift: a at the beginning of the step, shape of y.
        diffusion: b there, shape () or (B,).
        h: The step, signed (negative where time runs back), shape () or (B,).

    Returns:
        Mean, shape of y; standard deviation of the noise, broadcastable to it.
    """
    return y + like(h, y) * drift, like(diffusion * h.abs().sqrt(), y)
