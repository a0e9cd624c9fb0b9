"""What the worker tells about a batch while it is painted: steps, and pictures of what is expected."""

import base64
import io
import time
from collections.abc import Callable, Sequence

from PIL import Image
from torch import Tensor

from ediffuser.editing.paint import matched
from ediffuser.runtime.pixels import to_uint8
from ediffuser.server.easel import Row
from ediffuser.server.messages import Previewed, Report, Stepped
from ediffuser.server.painters import Frame

LEAST_SECONDS = 0.03
"""Between two reports of steps: no eye sees more, and fast devices are not held up."""


class Reporter:
    """Reports on one batch."""

    def __init__(self, send: Callable[[Report], None], rows: Sequence[Row], preview_seconds: float) -> None:
        """Begins to measure time."""
        self._send = send
        self._rows = rows
        self._preview_seconds = preview_seconds
        self._reported, self._calls = time.monotonic(), 0
        self._previewed = float("-inf")

    def report(self, frame: Frame, live: Sequence[int]) -> None:
        """Tells what has changed since the last report, about the rows that somebody waits for."""
        now, ended = time.monotonic(), frame.calls == frame.total
        if ended or now - self._reported >= LEAST_SECONDS:
            steps = tuple(self._rows[place].easel.step(self._rows[place].variation, frame) for place in live)
            calls = max(1, frame.calls - self._calls)  # none where the row with the most has ended before others
            seconds = (now - self._reported) / calls / len(self._rows)
            self._send(Stepped(steps, seconds))
            self._reported, self._calls = now, frame.calls
        if not ended and now - self._previewed >= self._preview_seconds:
            self._preview(frame, [self._rows[place] for place in live], list(live))
            self._previewed = now

    def _preview(self, frame: Frame, rows: Sequence[Row], places: list[int]) -> None:
        for row, cells in zip(rows, matched([row.ask for row in rows], frame.x0[places]), strict=True):
            crop = row.ask.crop
            self._send(Previewed(row.job, row.variation, crop.left, crop.top, crop.side, data_url(cells)))


def data_url(cells: Tensor) -> str:
    """A picture in [-1, 1], shape (3, r, r), as the address of a WebP file."""
    file = io.BytesIO()
    Image.fromarray(to_uint8(cells).permute(1, 2, 0).numpy()).save(file, "WEBP", quality=80, method=0)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
