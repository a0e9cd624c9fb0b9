"""The description of the interface is complete, and the committed copy is fresh."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "openapi.py"))
DOCUMENT = json.loads(SCRIPT["document"]())
OPERATIONS = [(path, method, route) for path, routes in DOCUMENT["paths"].items() for method, route in routes.items()]


def test_the_committed_document_is_fresh():
    assert SCRIPT["TARGET"].read_text(encoding="utf-8") == SCRIPT["document"](), "run: python scripts/openapi.py"


@pytest.mark.parametrize(
    ("path", "method", "route"), OPERATIONS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_operations_are_described(path, method, route):
    assert route["summary"]
    assert route["description"]
    assert route["operationId"].isidentifier()
    assert route["tags"]
    for code, answer in route["responses"].items():
        if int(code) >= 400:
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert {"400", "401", "403", "421", "500"} <= set(route["responses"])
    if method in ("post", "put"):
        assert {"413", "415", "422"} <= set(route["responses"])
        assert route["requestBody"]["required"]
    if "{" in path:
        assert {"404", "422"} <= set(route["responses"])


def test_every_reference_leads_somewhere():
    text = json.dumps(DOCUMENT)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in DOCUMENT["components"]["schemas"]
    assert "HTTPValidationError" not in text
    assert {"JobEvents", "JobOptions", "Preview", "Progress"} <= set(DOCUMENT["components"]["schemas"])


def test_the_served_document_is_this_one(client):
    assert client.get("/api/openapi.json").json() == DOCUMENT
