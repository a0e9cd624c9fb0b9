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
from ediffuser.likelihood.vlb import Vlb, VlbTerm, vlb_bits_per_dim, vlb_terms

__all__ = [
    "BIN_BITS",
    "AnyTrace",
    "ExactTrace",
    "Hutchinson",
    "Likelihood",
    "Trace",
    "Vlb",
    "VlbTerm",
    "dequantised",
    "ode_bits_per_dim",
    "ode_log_density",
    "vlb_bits_per_dim",
    "vlb_terms",
]
