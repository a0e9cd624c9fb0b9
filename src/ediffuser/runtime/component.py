"""Components that hold only numbers are their own configuration."""

from typing import Any, TypeVar, cast, dataclass_transform

import pydantic
from pydantic.dataclasses import dataclass as _pydantic_dataclass

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def component(cls: type[T]) -> type[T]:
    """Makes a class a frozen, keyword-only dataclass that is validated in its constructor.

    Unknown and ill-typed fields are refused, in the constructor and in JSON alike; equality and hash go by value.
    """
    config = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    return cast(type[T], _pydantic_dataclass(frozen=True, kw_only=True, config=config)(cls))


def to_json(value: Any, annotation: Any) -> str:  # noqa: ANN401 - any component, and the union it belongs to
    """The component as indented JSON text."""
    return pydantic.TypeAdapter(annotation).dump_json(value, indent=2).decode()


def from_json(text: str | bytes, annotation: Any) -> Any:  # noqa: ANN401
    """The component that `to_json` wrote.

    Raises:
        pydantic.ValidationError: If a field is unknown, missing or out of its bounds.
    """
    return pydantic.TypeAdapter(annotation).validate_json(text)
