"""Four edits in the editor, before and after, for the README: docs/assets/edits.jpg.

    python scripts/edits.py

The photos and holes are those of examples/, chosen before any result was seen. A browser opens each photo in the
editor, uploads the mask, presses Generate, and saves the results; the first three are shown, whatever they look like.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from screenshots import ROOT, served

EXAMPLES = ROOT / "examples"
OUT = ROOT / "docs" / "assets" / "edits.jpg"
SHOWN, SIDE_PX, GAP_PX, HEAD_PX = 3, 232, 6, 18
TINT = (229, 0, 122)


@dataclass(frozen=True)
class Edit:
    """One edit, and the square of the photo that is shown: left, top and side in pixels."""

    photo: str
    mask: str
    left: int
    top: int
    side: int

    def shown(self, picture: Image.Image) -> Image.Image:
        """The square, reduced."""
        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        return picture.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, box)


EDITS = (
    Edit("hopper.jpg", "hopper-mask.png", 116, 40, 300),
    Edit("astronaut.png", "astronaut-half-mask.png", 106, 0, 260),
    Edit("meadow.jpg", "meadow-mask.png", 288, 212, 300),
    Edit("bridge.jpg", "bridge-mask.png", 70, 0, 400),
)


def main() -> None:
    """Edits, and writes the picture."""
    rows = []
    with served() as url:
        for edit in EDITS:
            rows.append(row(edit, url))
            print(f"{edit.photo}: edited")
    columns = ["photo", "hole", *(f"result {k + 1}" for k in range(SHOWN))]
    step = SIDE_PX + GAP_PX
    sheet = Image.new("RGB", (len(columns) * step - GAP_PX, HEAD_PX + len(rows) * step - GAP_PX), "white")
    for x, title in enumerate(columns):
        ImageDraw.Draw(sheet).text((x * step + 2, 2), title, fill="black")
    for y, pictures in enumerate(rows):
        for x, picture in enumerate(pictures):
            sheet.paste(picture, (x * step, HEAD_PX + y * step))
    sheet.save(OUT, quality=88, optimize=True)
    print(f"{OUT.relative_to(ROOT)}: {OUT.stat().st_size // 1000} kB")


def row(edit: Edit, url: str) -> list[Image.Image]:
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
