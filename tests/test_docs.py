"""What the documents name exists."""

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from ediffuser.conditioning import AnyConditioning
from ediffuser.diffusion.losses import AnyObjective, AnyWeighting
from ediffuser.diffusion.schedules import AnySchedule
from ediffuser.likelihood import AnyTrace
from ediffuser.samplers import AnyCorrector, AnyPredictor, AnySampler

UNIONS = [
    AnyConditioning,
    AnyCorrector,
    AnyObjective,
    AnyPredictor,
    AnySampler,
    AnySchedule,
    AnyTrace,
    AnyWeighting,
]
"""The methods."""

ROOT = Path(__file__).parents[1]
NAMES = re.findall(r"`(ediffuser(?:\.\w+)+)`", (ROOT / "docs" / "equations.md").read_text())
TRAPS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "traps.md").read_text())
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]


@pytest.mark.parametrize("name", NAMES)
def test_every_function_of_an_equation_exists(name):
    module, _, member = name.rpartition(".")
    assert getattr(import_module(module), member).__doc__


@pytest.mark.parametrize(
    "member",
    [member for union in UNIONS for member in get_args(get_args(union)[0])],
    ids=lambda member: member.__name__,
)
def test_every_method_has_its_line_in_the_table_of_equations(member):
    assert member.__name__ in {name.rpartition(".")[2] for name in NAMES}


@pytest.mark.parametrize(("file", "test"), TRAPS)
def test_every_trap_has_the_test_that_is_named(file, test):
    assert f"def {test}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing
