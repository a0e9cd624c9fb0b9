"""Four edits in the editor, before and after, for the README: docs/assets/edits.jpg.

    python scripts/edits.py

The photos and holes are those of examples/, chosen before any result was seen. A browser opens each photo in the
editor, uploads the mask, presses Generate, and saves the results; the first three are shown, whatever they look like.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from screenshots import ROOT, served
from torch import Tensor

from ediffuser.evaluation.grid import picture_grid

EXAMPLES = ROOT / "examples"
OUT = ROOT / "docs" / "assets" / "edits.jpg"
SHOWN, SIDE_PX = 3, 224
TINT = (229, 0, 122)


@dataclass(frozen=True)
class Edit:
    """One edit, and the square of the photo that is shown: left, top and side in pixels."""

    name: str
    photo: str
    mask: str
    left: int
    top: int
    side: int

    def shown(self, picture: Image.Image) -> Tensor:
        """The square, reduced: uint8, shape (3, SIDE_PX, SIDE_PX)."""
        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        small = picture.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, box)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)


EDITS = (
    Edit("glasses", "hopper.jpg", "hopper-mask.png", 116, 40, 300),
    Edit("half", "astronaut.png", "astronaut-half-mask.png", 106, 0, 260),
    Edit("boulder", "meadow.jpg", "meadow-mask.png", 288, 212, 300),
    Edit("cables", "bridge.jpg", "bridge-mask.png", 70, 0, 400),
)


def main() -> None:
    """Edits, and writes the picture."""
    rows = []
    with served() as url:
        for edit in EDITS:
            rows.append(row(edit, url))
            print(f"{edit.photo}: edited")
    columns = ["photo", "hole", *(f"result {k + 1}" for k in range(SHOWN))]
    sheet = picture_grid(rows, columns, [edit.name for edit in EDITS])
    sheet.save(OUT, quality=88, optimize=True)
    print(f"{OUT.relative_to(ROOT)}: {OUT.stat().st_size // 1000} kB")


def row(edit: Edit, url: str) -> list[Tensor]:
    """The photo, the hole and the first results of one edit."""
    photo, mask = Image.open(EXAMPLES / edit.photo).convert("RGB"), Image.open(EXAMPLES / edit.mask).convert("L")
    painted = photo.copy()
    painted.paste(TINT, mask=mask)
    with tempfile.TemporaryDirectory() as folder:
        command = ["node", Path(__file__).with_suffix(".mjs"), url, EXAMPLES / edit.photo, EXAMPLES / edit.mask, folder]
        subprocess.run(command, check=True)
        results = [edit.shown(Image.open(Path(folder) / f"{k}.png")) for k in range(SHOWN)]
    return [edit.shown(photo), edit.shown(painted), *results]


if __name__ == "__main__":
    main()
