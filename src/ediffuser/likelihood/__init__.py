"""Likelihood in bits per dimension: exact by the ODE of a continuous model, bounded term by term for a discrete one."""

from ediffuser.likelihood.ode import (
    BIN_BITS,
    AnyTrace,
    ExactTrace,
    Hutchinson,
    Likelihood,
    Trace,
    dequantised,
    ode_bits_per_dim,
    ode_log_density,
)

__all__ = [
    "BIN_BITS",
    "AnyTrace",
    "ExactTrace",
    "Hutchinson",
    "Likelihood",
    "Trace",
    "dequantised",
    "ode_bits_per_dim",
    "ode_log_density",
]
