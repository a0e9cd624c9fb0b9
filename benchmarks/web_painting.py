"""Painting on a photo of 24 megapixels in the browser: how long each frame takes.

    python benchmarks/web_painting.py

Headless Chromium without a graphics card draws a stroke of 200 moves of the mouse, 125 a second. Aims: no frame over
50 ms, 95 of 100 within 16 ms. `work` is what the page does for a frame (events, mask, drawing); `interval` is the time
from frame to frame, which also contains what the browser does to show it, on the processor here.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from machine import report

ROOT = Path(__file__).parents[1]
HARNESS = ROOT / "web" / "e2e" / "harness"


def main() -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        subprocess.run([sys.executable, HARNESS / "pictures.py", pictures], check=True)
        port = free_port()
        command = [sys.executable, HARNESS / "serve.py", str(port), str(Path(folder) / "data"), "1", "0.01"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                url = f"http://127.0.0.1:{port}/"
                wait(f"{url}api/ready")
                time.sleep(2)
                script = ["node", Path(__file__).with_suffix(".mjs"), url, pictures / "photo24.jpg"]
                output = subprocess.run(script, check=True, capture_output=True, text=True).stdout
            finally:
                server.terminate()
    measured = json.loads(output)
    rows = [row(run, what) for run in measured["runs"] for what in ("work", "intervals")]
    report("Painting on a photo of 6000 x 4000, 200 moves", rows, browser=measured["browser"])


def row(run: dict, what: str) -> dict:
    """A line of the table."""
    times = sorted(run[what])
    return {
        "zoom": run["zoom"],
        "brush, px": run["size"],
        "of a frame": what.removesuffix("s"),
        "frames": len(times),
        "median, ms": statistics.median(times),
        "p95, ms": times[int(0.95 * (len(times) - 1))],
        "longest, ms": times[-1],
        "over 50 ms": sum(time > 50 for time in times),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def wait(url: str, limit: float = 120.0) -> None:
    """Returns when the address answers with success."""
    deadline = time.monotonic() + limit
    while True:
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
