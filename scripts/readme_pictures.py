"""The picture at the head of the README: the photo, the hole, and three variations by the shipped model.

python scripts/readme_pictures.py
"""

from pathlib import Path

from PIL import Image

import ediffuser
from ediffuser.editing import inpaint_photo

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "assets" / "astronaut-results.png"
SIDE_PX, GAP_PX = 256, 6


def main() -> None:
    """Paints and writes."""
    photo, mask = ROOT / "examples" / "astronaut.png", ROOT / "examples" / "astronaut-mask.png"
    results = inpaint_photo(ediffuser.load("photos-128"), photo, mask, variations=3, seed=0)
    pictures = [Image.open(photo), Image.open(mask), *results]
    sheet = Image.new("RGB", (len(pictures) * (SIDE_PX + GAP_PX) - GAP_PX, SIDE_PX), "white")
    for number, picture in enumerate(pictures):
        small = picture.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        sheet.paste(small, (number * (SIDE_PX + GAP_PX), 0))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(OUT, optimize=True)


if __name__ == "__main__":
    main()
