"""`ediffuser models list | show NAME`."""

from typing import Literal

from tyro.conf import Positional

from ediffuser import zoo
from ediffuser.model import ModelConfig, load_config
from ediffuser.runtime.component import to_json
from ediffuser.runtime.errors import BadInputError


def models(action: Positional[Literal["list", "show"]], name: Positional[str | None] = None) -> None:
    """Lists the shipped models, or shows the card and the configuration of one.

    Args:
        action: list, or show with a name.
        name: A shipped model, or a checkpoint or run directory.
    """
    if action == "list":
        for entry in zoo.entries():
            print(f"{entry.name}\t{entry.summary}")
        return
    if name is None:
        raise BadInputError("models show needs a name; 'ediffuser models list' lists the shipped ones")
    path = zoo.find(name)
    for entry in zoo.entries():
        if entry.path == path:
            print(entry.card)
    print(to_json(load_config(path), ModelConfig))
