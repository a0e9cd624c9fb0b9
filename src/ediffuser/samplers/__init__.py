"""Samplers: ways from noise to a picture. A new one is a file here and its name in the union."""

from typing import Annotated, Union

from pydantic import Field

from ediffuser.samplers.ancestral import Ancestral
from ediffuser.samplers.base import Sampler, Step, StepSampler
from ediffuser.samplers.ddim import Ddim

AnySampler = Annotated[Union[Ancestral, Ddim], Field(discriminator="kind")]  # noqa: UP007
"""The union of all samplers: the registry that the command line and, later, the web form read."""

__all__ = ["Ancestral", "AnySampler", "Ddim", "Sampler", "Step", "StepSampler"]
