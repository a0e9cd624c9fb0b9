"""Studies: models x samplers x figures, each with its report. A new one is a function and its name in the table."""

from collections.abc import Callable, Mapping

from ediffuser.runtime.errors import unknown_name
from ediffuser.studies.celebahq import celebahq_inpainting, celebahq_unconditional
from ediffuser.studies.cifar10 import cifar10_color, cifar10_unconditional
from ediffuser.studies.study import SIZES, Size, Study
from ediffuser.studies.variance_or_ode import variance_or_ode

STUDIES: Mapping[str, Callable[[Size], Study]] = {
    "cifar10-unconditional": cifar10_unconditional,
    "cifar10-color": cifar10_color,
    "celebahq-unconditional": celebahq_unconditional,
    "celebahq-inpainting": celebahq_inpainting,
    "variance-or-ode": variance_or_ode,
}
"""By name."""


def study(name: str, size: Size) -> Study:
    """The study of this name and size.

    Raises:
        BadInputError: If there is none; names the nearest.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    return STUDIES[name](size)


__all__ = ["SIZES", "STUDIES", "Size", "Study", "study"]
