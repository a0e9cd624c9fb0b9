"""The functions phi of exponential integrators, which solve y' = y + g(t) exactly where g is a polynomial.

Source: Hochbruck & Ostermann 2010, eq. 2.10-2.11.
"""

import math

SERIES_BELOW = 1.0
"""Nearer to 0 the recurrence cancels, and twenty terms of the series are exact to the last bit."""


def phi(k: int, z: float) -> float:
    """phi_k(z), the sum of z^n / (n + k)! over n = 0, 1, ...

    phi_0 = exp and phi_{k+1}(z) = (phi_k(z) - 1/k!) / z; for k >= 1 the integral over u in [0, 1] of
    exp((1 - u) z) u^(k-1) / (k-1)!.

    Args:
        k: Which of them, at least 0.
        z: A finite number.
    """
    if abs(z) < SERIES_BELOW:
        return math.fsum(z**n / math.factorial(n + k) for n in range(20))
    if k < 2:
        return math.expm1(z) / z if k else math.exp(z)
    return (phi(k - 1, z) - 1 / math.factorial(k - 1)) / z
