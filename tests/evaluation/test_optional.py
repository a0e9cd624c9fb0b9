import pytest

from ediffuser.evaluation.optional import optional
from ediffuser.runtime.errors import BadInputError


def test_a_missing_library_is_named_with_what_installs_it():
    with pytest.raises(BadInputError, match=r"this method needs Nothing: pip install 'ediffuser\[eval\]'"):
        optional("no_such_module.inside", "Nothing")


def test_a_module_within_a_package_is_found():
    assert optional("importlib.metadata", "Python").version("torch")
