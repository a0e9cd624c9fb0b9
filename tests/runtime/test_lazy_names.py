"""The package's names cost PyTorch only when they are used."""

import subprocess
import sys

import pytest


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["ediffuser", "ediffuser.editing", "ediffuser.editing.decode"])
def test_import_is_light(module):
    heavy = "{'torch', 'scipy', 'cv2', 'pydantic'} & set(sys.modules)"
    run(f"import sys, {module}; assert not {heavy}, {heavy}")


def test_every_name_is_found_and_listed():
    run(
        "import ediffuser, ediffuser.editing\n"
        "for package in (ediffuser, ediffuser.editing):\n"
        "    assert set(package.__all__) <= set(dir(package)), dir(package)\n"
        "    assert all(getattr(package, name) for name in package.__all__)\n"
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import ediffuser.generate\n",
        "from ediffuser.generate import inpaint\n",
        "import ediffuser.editing.inpaint\n",
    ],
)
def test_generate_is_the_function_whatever_was_imported_before(before):
    run(
        before
        + "import ediffuser, inspect; assert inspect.isfunction(ediffuser.generate)\nfrom ediffuser import generate\n"
        "assert generate is ediffuser.generate is __import__('sys').modules['ediffuser.generate'].generate"
    )


def test_unknown_name():
    import ediffuser

    with pytest.raises(AttributeError, match=r"module 'ediffuser' has no attribute 'genrate'"):
        _ = ediffuser.genrate  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match=r"cannot import name 'genrate'"):
        from ediffuser import genrate  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]
