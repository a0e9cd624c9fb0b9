"""Packages whose names are imported when they are first used (PEP 562), so that a small part costs no PyTorch."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType


def lazy_names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package that imports its names late.

    A name that is both a function and the submodule it comes from (`ediffuser.generate`) always means the function,
    also after somebody else has imported the submodule.

    Args:
        package: The package's `__name__`.
        homes: For each public name, the module that defines it.
    """
    module = sys.modules[package]
    if any(f"{package}.{name}" == home for name, home in homes.items()):
        module.__class__ = _NamesBeforeSubmodules

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(module, name, value)
        return value

    return find, lambda: sorted({*vars(module), *homes})


class _NamesBeforeSubmodules(ModuleType):
    """Importing a submodule sets its name in the package; here a function of that name is set instead."""

    def __setattr__(self, name: str, value: object) -> None:
        submodule = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        super().__setattr__(name, getattr(value, name, value) if submodule else value)
