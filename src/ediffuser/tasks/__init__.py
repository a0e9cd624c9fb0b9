"""Tasks: what is known of the picture. A new one is a file here and its name in the union."""

from typing import Annotated, Union

from pydantic import Field

from ediffuser.tasks.colorization import Colorization
from ediffuser.tasks.inpainting import Inpainting
from ediffuser.tasks.observation import Observation, Task
from ediffuser.tasks.unconditional import Unconditional

AnyTask = Annotated[Union[Colorization, Inpainting, Unconditional], Field(discriminator="kind")]  # noqa: UP007
"""The union of all tasks: the registry that the command line and checkpoints read."""

__all__ = ["AnyTask", "Colorization", "Inpainting", "Observation", "Task", "Unconditional"]
