"""Pictures of the editor for the README, made with the shipped model: docs/assets/editor-*.png.

python scripts/screenshots.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples" / "astronaut.png"
ASSETS = ROOT / "docs" / "assets"
SERVE = "from ediffuser.cli import main; main()"
COLOURS = 256  # of a picture: it stays under 400 kB


def main() -> None:
    """Starts a server, lets the browser walk through the editor, and makes the pictures small."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, data = Path(folder) / "pictures", Path(folder) / "data"
        pictures.mkdir()
        command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--data", str(data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                url = server.stdout.readline().split(": ", 1)[1].strip()
                script = Path(__file__).with_suffix(".mjs")
                subprocess.run(["node", script, url, PHOTO, pictures], check=True)
            finally:
                server.terminate()
        for path in sorted(pictures.iterdir()):
            out = ASSETS / path.name
            with Image.open(path) as picture:
                picture.convert("RGB").quantize(COLOURS).save(out, optimize=True)
            print(f"{out.relative_to(ROOT)}: {out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
