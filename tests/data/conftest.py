import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ("b/3.webp", "b/1.PNG", "a/deep/2.jpg", "a/10.jpeg")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of four noise pictures of different sizes and formats, with a few files that are no pictures."""
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for number, name in enumerate(NAMES):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20 + number, 24, 3), np.uint8)).save(file)
    (folder / "README.txt").write_text("about these pictures")
    (folder / "b" / "._3.webp").write_text("a Mac's shadow file")
    return folder


@pytest.fixture
def photos_zip(photos: Path, tmp_path: Path) -> Path:
    """The same as a zip, its members in another order."""
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((path for path in photos.rglob("*") if path.is_file()), reverse=True):
            archive.write(file, file.relative_to(photos))
        archive.writestr("__MACOSX/b/3.webp", "a Mac's shadow file")
    return packed
