"""Pictures of the editor for the README, made with the shipped model: docs/assets/editor-*.png.

python scripts/screenshots.py
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples" / "astronaut.png"
ASSETS = ROOT / "docs" / "assets"
SERVE = "from ediffuser.cli import main; main()"
COLOURS = 256  # of a picture: it stays under 400 kB


def main() -> None:
    """Lets the browser walk through the editor, and makes the pictures small."""
    with tempfile.TemporaryDirectory() as folder, served() as url:
        subprocess.run(["node", Path(__file__).with_suffix(".mjs"), url, PHOTO, folder], check=True)
        for path in sorted(Path(folder).iterdir()):
            out = ASSETS / path.name
            with Image.open(path) as picture:
                picture.convert("RGB").quantize(COLOURS).save(out, optimize=True)
            print(f"{out.relative_to(ROOT)}: {out.stat().st_size // 1000} kB")


@contextmanager
def served() -> Iterator[str]:
    """The address of an editor with the shipped models and a queue of its own, which ends with the block."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--data", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().split(": ", 1)[1].strip()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
