"""How sure a classifier is of each picture, and how many classes it sees over all: exp(E KL(p(y|x) || p(y))).

Salimans et al., "Improved techniques for training GANs", 2016, Section 4; the dissertation's 4.1.2. Comparable under
one classifier and one number of pictures only. The arithmetic is torch-fidelity's.
"""

import torch
from scipy.special import stdtrit
from torch import Tensor

from ediffuser.evaluation.optional import optional
from ediffuser.runtime.errors import BadInputError


def inception_score(probabilities: Tensor, splits: int = 10, seed: int = 0) -> tuple[float, float | None, float | None]:
    """The mean score of equal parts of the shuffled pictures, with a 95 % interval.

    Args:
        probabilities: p(y|x), rows of sum 1, shape (N, K).
        splits: How many parts; 10 in the literature, whose "±" is the deviation over them and not this interval.
        seed: Of the shuffle.

    Returns:
        The mean, between 1 and K, and Student's interval of the mean over the parts; None without at least two parts.

    Raises:
        BadInputError: If there are fewer pictures than parts, or torch-fidelity is missing.
    """
    if probabilities.ndim != 2 or not 1 <= splits <= len(probabilities):
        raise BadInputError(f"a score in {splits} parts needs as many pictures, got shape {tuple(probabilities.shape)}")
    metric = optional("torch_fidelity.metric_isc", "torch-fidelity")
    p = probabilities.detach().to("cpu", torch.float64)
    logits = p.clamp(min=torch.finfo(p.dtype).tiny).log()  # of a class that is ruled out: p log p is 0, not NaN
    found = metric.isc_features_to_metric(logits, splits, shuffle=True, rng_seed=seed)
    mean, deviation = found[metric.KEY_METRIC_ISC_MEAN], found[metric.KEY_METRIC_ISC_STD]
    if splits == 1:
        return mean, None, None
    half = float(stdtrit(splits - 1, 0.975)) * deviation / (splits - 1) ** 0.5  # the deviation divides by `splits`
    return mean, mean - half, mean + half
