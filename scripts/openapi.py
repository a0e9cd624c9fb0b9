"""Writes web/openapi.json, from which the page's types are made; `python scripts/openapi.py`."""

import json
from pathlib import Path

from ediffuser.server.app import create_app
from ediffuser.server.settings import ServerSettings

TARGET = Path(__file__).parents[1] / "web" / "openapi.json"


def document() -> str:
    """The OpenAPI document as it is committed."""
    return json.dumps(create_app(ServerSettings(data=Path("unused"))).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    print(TARGET)
