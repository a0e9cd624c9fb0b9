"""A table of faces by how light they are, for `ediffuser evaluate --bias` where nobody has written attributes down.

    python scripts/face_luma.py celeba128-test.zip --out luma.csv
    ediffuser evaluate photos-128 --task inpainting --data celeba128-test.zip --bias luma.csv --group luma

The mean luma of the middle quarter of each picture, where aligned faces have eyes, nose and cheeks; the thirds of the
data are called dark, middle and light. That is skin, light, make-up and camera in one: it can show that a model does
worse on some faces, and cannot say whose.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from tyro.conf import Positional

from ediffuser.data import ImageFolder
from ediffuser.runtime.files import write_atomically
from ediffuser.runtime.pixels import from_uint8
from ediffuser.tasks.colorization import luma

RESOLUTION = 32
NAMES = ("dark", "middle", "light")


@dataclass(frozen=True)
class Options:
    """What is divided.

    Attributes:
        faces: Folder or zip of aligned faces.
        out: The table.
    """

    faces: Positional[str]
    out: Path


def main() -> None:
    """Measures and writes."""
    options = tyro.cli(Options, description=__doc__)
    pictures = ImageFolder(path=options.faces, resolution=RESOLUTION).open()
    middle = slice(RESOLUTION // 4, -RESOLUTION // 4)
    starts = range(0, len(pictures), 256)
    batches = (pictures.batch(range(start, min(start + 256, len(pictures)))) for start in starts)
    levels = np.concatenate([luma(from_uint8(batch)[..., middle, middle]).mean((1, 2, 3)).numpy() for batch in batches])
    thirds = np.digitize(levels, np.quantile(levels, (1 / 3, 2 / 3)))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "luma"])
    table.writerows((name, NAMES[third]) for name, third in zip(pictures.names, thirds, strict=True))
    write_atomically(options.out, text.getvalue().encode())
    print(f"{options.out}: {len(pictures)} faces, {', '.join(f'{np.sum(thirds == k)} {NAMES[k]}' for k in range(3))}")


if __name__ == "__main__":
    main()
