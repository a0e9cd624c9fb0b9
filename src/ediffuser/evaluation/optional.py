"""What evaluation needs and a plain installation lacks, imported when it is first used."""

from importlib import import_module
from types import ModuleType

from ediffuser.runtime.errors import BadInputError


def optional(module: str, name: str) -> ModuleType:
    """A module of the `eval` extra.

    Args:
        module: Its dotted name, such as "skimage.restoration".
        name: What a person calls it, such as "scikit-image".

    Raises:
        BadInputError: If it is not installed; says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise BadInputError(f"this method needs {name}: pip install 'ediffuser[eval]'") from error
