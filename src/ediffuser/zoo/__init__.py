"""Names of models: the shipped weights with their cards, and any checkpoint directory by its path."""

import json
from dataclasses import dataclass
from pathlib import Path

from ediffuser.runtime.checkpoint import MANIFEST, newest_checkpoint
from ediffuser.runtime.errors import BadInputError, unknown_name

SHIPPED = Path(__file__).parent
AUTO = "auto"
"""No model's name: stands for the shipped one that suits a hole, see `ediffuser.editing.choice`."""

CARD, FIGURES = "README.md", "quality-*.json"


@dataclass(frozen=True)
class Entry:
    """A shipped model: its name, its directory, and the card that says what it is and is not."""

    name: str
    path: Path

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.path / CARD).read_text(encoding="utf-8")

    @property
    def summary(self) -> str:
        """The first sentence of the card after its title."""
        lines = [line for line in self.card.splitlines() if line and not line.startswith("#")]
        return lines[0] if lines else ""

    @property
    def figures(self) -> dict:
        """The held-out figures, as `scripts/model_card.py` wrote them, by the name of the data."""
        files = sorted(self.path.glob(FIGURES))
        return {path.stem.split("-", 1)[1]: json.loads(path.read_text(encoding="utf-8")) for path in files}


def entries() -> list[Entry]:
    """The shipped models, by name."""
    return [Entry(path.parent.name, path.parent) for path in sorted(SHIPPED.glob(f"*/{MANIFEST}"))]


def find(model: str | Path) -> Path:
    """The checkpoint directory of a name in the zoo, of a run directory (its newest checkpoint), or of a path.

    Raises:
        BadInputError: If there is no such model; names the nearest shipped one.
    """
    shipped = {entry.name: entry.path for entry in entries()}
    if str(model) in shipped:
        return shipped[str(model)]
    path = Path(model)
    if path.is_dir():
        return newest_checkpoint(path) or path
    if path.exists():
        raise BadInputError(f"model {path} is a file; a model is a checkpoint directory or a name in the zoo")
    raise unknown_name("model", str(model), shipped)
