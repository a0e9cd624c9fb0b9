import dataclasses
from typing import Literal

import pydantic
import pytest
from pydantic import Field

from ediffuser.runtime.component import component, from_json, to_json


@component
class Inner:
    kind: Literal["inner"] = "inner"
    steps: int = Field(default=3, ge=1)


@component
class Outer:
    inner: Inner = Inner()
    sides: tuple[int, ...] = (1, 2)
    rate: float = 0.5
    choice: Literal["a", "b"] = "a"


def test_json_brings_back_an_equal_component():
    for value in (Outer(), Outer(inner=Inner(steps=9), sides=(4,), rate=1e-7, choice="b")):
        back = from_json(to_json(value, Outer), Outer)
        assert back == value
        assert hash(back) == hash(value)
        assert isinstance(back.sides, tuple)


@pytest.mark.parametrize(
    "fields",
    [
        {"step": 3},
        {"inner": {"steps": 0}},
        {"inner": {"stepps": 3}},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"choice": "c"},
        {"sides": ("x",)},
    ],
)
def test_unknown_and_ill_typed_fields_are_refused(fields):
    with pytest.raises(pydantic.ValidationError):
        Outer(**fields)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"stepps": 3}', '{"steps": "many"}', '{"steps": 0}', '{"kind": "x"}']
)
def test_json_that_does_not_fit_is_refused(text):
    with pytest.raises(pydantic.ValidationError):
        from_json(text, Inner)


def test_components_are_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outer().rate = 1.0
    with pytest.raises(pydantic.ValidationError):
        Inner("inner", 3)
    assert dataclasses.replace(Outer(), rate=1.0) == Outer(rate=1.0)
