"""Puts a trained model into the zoo, its averaged weights as float16, with the files of its card beside them.

    python scripts/ship_model.py runs/photos --card out/model-card --out src/ediffuser/zoo/photos-128

The card folder holds README.md, and what `scripts/model_card.py` wrote. A model of that name is replaced.
"""

import fnmatch
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from tyro.conf import Positional

from ediffuser import zoo
from ediffuser.cli.options import override
from ediffuser.model import Framing, load_checkpoint, model_files
from ediffuser.runtime.checkpoint import write_checkpoint
from ediffuser.runtime.errors import BadInputError
from ediffuser.tasks.sharpening import Sharpening

LARGEST_BYTES = 40_000_000


@dataclass(frozen=True)
class Shipment:
    """What is shipped, and where to.

    Attributes:
        model: A checkpoint or run directory.
        card: Folder with README.md, quality-*.json and the card's pictures.
        out: The model's folder in the zoo.
        framing: What its training pictures show, where its checkpoint does not say it; None keeps what that says.
        sharpening: The amount by which its pictures are sharpened (`scripts/sharpening.py`); None keeps what its
            checkpoint says.
    """

    model: Positional[Path]
    card: Path
    out: Path
    framing: Framing | None = None
    sharpening: float | None = None


def ship(shipment: Shipment) -> None:
    """Writes the checkpoint, the card's files inside its manifest.

    Raises:
        BadInputError: If the card is incomplete, the sharpening makes no sense, or the weights are too large
            for the package.
    """
    card = {path.name: path.read_bytes() for path in sorted(shipment.card.iterdir()) if path.is_file()}
    for name in (zoo.CARD, zoo.FIGURES):
        if not fnmatch.filter(card, name):
            raise BadInputError(f"{shipment.card} has no {name}; a model is not shipped without its card")
    model = load_checkpoint(zoo.find(shipment.model), "cpu", "float32")
    sharpening = model.config.sharpening
    if shipment.sharpening is not None:
        sharpening = override(sharpening or Sharpening(), [f"amount={shipment.sharpening}"], "sharpening")
    config = replace(model.config, framing=shipment.framing or model.config.framing, sharpening=sharpening)
    files = model_files(config, model.network, torch.float16) | card
    size = sum(map(len, files.values()))
    if size > LARGEST_BYTES:
        raise BadInputError(f"the model takes {size:,} bytes, more than the {LARGEST_BYTES:,} that a package may carry")
    shutil.rmtree(shipment.out, ignore_errors=True)
    write_checkpoint(shipment.out, files)
    print(f"{shipment.out}: {size:,} bytes")


if __name__ == "__main__":
    try:
        ship(tyro.cli(Shipment, description=__doc__))
    except BadInputError as error:
        sys.exit(f"ship_model: {error}")
