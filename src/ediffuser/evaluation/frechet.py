"""The Fréchet distance of two sets of pictures: that of the normal distributions with the moments of their features.

Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017, Eq. 6; the
dissertation's 4.1.1 with the norm squared. It is called FID under the Inception network of 2015-12-05 alone.
"""

import torch
from torch import Tensor

from ediffuser.evaluation.moments import Moments
from ediffuser.runtime.errors import BadInputError


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), with unbiased covariances.

    tr (S_a S_b)^(1/2) is the sum of the singular values of S_a^(1/2) S_b^(1/2). That form needs no matrix that is not
    symmetric and takes no root of the rounding errors of zero eigenvalues, so it stays exact where there are fewer
    pictures than features; the usual one, roots of the eigenvalues of S_a S_b, does not.

    Args:
        a: Moments of one set of pictures, of at least two.
        b: Moments of the other, of features of the same network.

    Returns:
        The distance, at least 0 but for rounding. It is biased upwards by about 1/N: compare at equal N only.

    Raises:
        BadInputError: If a set has fewer than two pictures, or the features differ in length.
    """
    if len(a.mean) != len(b.mean):
        raise BadInputError(f"features of {len(a.mean)} and of {len(b.mean)} numbers cannot be compared")
    cov_a, cov_b = a.covariance, b.covariance
    overlap = torch.linalg.svdvals(_root(cov_a) @ _root(cov_b)).sum()
    shift = (a.mean - b.mean).square().sum()
    return (shift + cov_a.trace() + cov_b.trace() - 2 * overlap).item()


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a positive semi-definite matrix; eigenvalues that are rounding errors become 0."""
    values, vectors = torch.linalg.eigh(covariance)
    noise = len(values) * torch.finfo(values.dtype).eps * values[-1]
    return (vectors * torch.where(values > noise, values, 0).sqrt()) @ vectors.T
