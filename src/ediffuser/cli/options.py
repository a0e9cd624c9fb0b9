"""Components written on the command line: `ddim steps=10 eta=0.5`, and dotted overrides of an experiment."""

import difflib
import json
from collections.abc import Iterable
from typing import Any, TypeVar, get_args

import pydantic

from ediffuser.runtime.errors import BadInputError, unknown_name

T = TypeVar("T")


def parse_component(text: str, union: Any, kind: str) -> Any:  # noqa: ANN401 - a member of the union
    """The component that `NAME key=value ...` stands for.

    Args:
        text: The name, which is the component's `kind` (hyphens may stand for underscores), and its settings.
        union: The annotated union it belongs to, such as `AnySampler`.
        kind: What it is called in messages, such as "sampler".

    Raises:
        BadInputError: If the name, a setting or a value is not known; names the nearest right one.
    """
    name, *settings = text.split() or [""]
    members = {member.__dataclass_fields__["kind"].default: member for member in _members(union)}
    kind_of_member = name.replace("-", "_")
    if kind_of_member not in members:
        raise unknown_name(kind, name, members)
    return override(members[kind_of_member](), settings, f"{kind} '{name}'")


def override(component: T, settings: Iterable[str], what: str) -> T:
    """The component with some of its fields replaced.

    Args:
        component: A pydantic dataclass, possibly nested.
        settings: `key=value` or `outer.inner=value`; values are JSON, or else plain text.
        what: What it is called in messages.

    Raises:
        BadInputError: If a key does not exist (names the nearest right one) or a value does not fit.
    """
    adapter = pydantic.TypeAdapter(type(component))
    tree = adapter.dump_python(component, mode="json")
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise BadInputError(f"{what}: '{setting}' is not an override; write it key=value")
        _set(tree, key, _value(value), what)
    try:
        return adapter.validate_python(tree)
    except pydantic.ValidationError as error:
        raise BadInputError(f"{what}: {first_fault(error)}") from error


def first_fault(error: pydantic.ValidationError) -> str:
    """The first fault that pydantic found, as one sentence: where, what, and what was given."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    simple = isinstance(given, str | int | float | bool)
    return f"{where}: {message}, got {given!r}" if where and simple else message


def _set(tree: dict[str, Any], key: str, value: Any, what: str) -> None:  # noqa: ANN401
    *outer, last = key.split(".")
    node = tree
    for part in outer:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        nearest = difflib.get_close_matches(key, _paths(tree), n=1, cutoff=0.3)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else f"; it has {', '.join(_paths(tree))}"
        raise BadInputError(f"{what} has no setting '{key}'{hint}")
    node[last] = value


def _paths(tree: dict[str, Any], prefix: str = "") -> list[str]:
    paths = []
    for key, value in tree.items():
        paths += [prefix + key] + (_paths(value, f"{prefix}{key}.") if isinstance(value, dict) else [])
    return paths


def _value(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _members(union: Any) -> tuple[Any, ...]:  # noqa: ANN401
    inner = get_args(union)[0]
    return get_args(inner) or (inner,)
