"""The variance of a reverse step p(x_s | x_t): given, or learned between its two bounds."""

from typing import Literal

from torch import Tensor

from ediffuser.diffusion.prediction import Prediction
from ediffuser.runtime.errors import BadInputError

ReverseVariance = Literal["auto", "learned", "fixed_large", "fixed_small"]
"""beta of the step (fixed-large), beta-tilde of the posterior (fixed-small), or what the model says; see below."""


def chosen_fraction(variance: ReverseVariance, prediction: Prediction) -> Tensor | float:
    """Where the chosen variance lies between beta-tilde (0) and beta (1), in the log.

    Args:
        variance: "auto" is learned where the model learns it, else fixed-large.
        prediction: What the model believes.

    Returns:
        The learned fraction, shape of x_t and unclamped, or 0 or 1.

    Raises:
        BadInputError: If the learned variance is asked of a model that learns none.

    Source: Eq. 2.30; Nichol & Dhariwal 2021, eq. 15.
    """
    learned = prediction.variance_fraction
    if variance == "fixed_small":
        return 0.0
    if variance == "fixed_large" or (variance == "auto" and learned is None):
        return 1.0
    if learned is None:
        raise BadInputError(
            'variance "learned" needs a model that predicts its variance, and this one does not: '
            '"fixed_large" and "fixed_small" suit every model'
        )
    return learned
