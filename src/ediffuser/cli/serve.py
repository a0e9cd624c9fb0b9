"""`ediffuser serve`: the editor in the browser."""

import secrets
from pathlib import Path
from typing import Any

from tyro.conf import UseAppendAction

from ediffuser.runtime.device import PrecisionName
from ediffuser.runtime.errors import BadInputError
from ediffuser.zoo import AUTO

LEAST_TOKEN = 16
NEW = "new"


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    data: Path = Path("~/.local/share/ediffuser"),
    model: str = AUTO,
    device: str = "auto",
    precision: PrecisionName = "auto",
    batch_rows: int | None = None,
    queue: int = 64,
    segmenter: Path | None = None,
    open: bool = False,
    token: str | None = None,
    allow_host: UseAppendAction[tuple[str, ...]] = (),
) -> None:
    """Serves the editor: a page to paint holes in photos, and the HTTP interface behind it.

    Example: ediffuser serve --open

    Args:
        host: Address to listen on; beyond this computer a token is needed.
        port: Port to listen on; 0 takes any free one.
        data: Where pictures and jobs are kept; one server at a time.
        model: A shipped model (`ediffuser models list`), or a checkpoint or run directory; auto takes, for each hole,
            the shipped one that suits it.
        device: auto, cpu, cuda ...
        precision: auto, float32 or bf16.
        batch_rows: Most variations painted at once; chosen by the device if not given.
        queue: Most jobs that wait.
        segmenter: A segmentation network, ONNX, for selection by clicks; without one a classical method is used.
        open: Open the page in the browser.
        token: Secret that clients must know, at least 16 letters and digits; "new" makes one.
        allow_host: Further host names by which browsers may address the server, such as that of a proxy.
    """
    if port not in range(65_536):
        raise BadInputError(f"port {port} does not exist: choose one from 1 to 65535, or 0 for any that is free")
    if queue < 1 or (batch_rows is not None and batch_rows < 1):
        raise BadInputError("--queue and --batch-rows must be at least 1")
    run, settings_type, loopback = _server()
    beyond = not run.is_loopback(host)
    settings = settings_type(
        data=data.expanduser().absolute(),
        model=model,
        device=device,
        precision=precision,
        batch_rows=batch_rows,
        queue=queue,
        segmenter=segmenter,
        token=_token(token, host, beyond),
        hosts=(*loopback, *(name.lower() for name in allow_host)),
        own_address=beyond,
    )
    run.run_server(settings, run.listen(host, port), open_page=open)


def _token(token: str | None, host: str, beyond: bool) -> str | None:
    if token is None and beyond:
        raise BadInputError(
            f"--host {host} lets other computers in, so a token is needed: add --token new, or use --host 127.0.0.1"
        )
    if token is not None and token != NEW and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isalnum()):
        raise BadInputError(f"--token must be {NEW!r}, or at least {LEAST_TOKEN} letters and digits")
    return secrets.token_hex(32) if token == NEW else token


def _server() -> tuple[Any, Any, tuple[str, ...]]:
    """What serving takes; the other commands work without it."""
    try:
        from ediffuser.server import run
        from ediffuser.server.settings import LOOPBACK, ServerSettings
    except ModuleNotFoundError as error:
        needed = "fastapi, uvicorn and python-multipart"
        raise BadInputError(f"serving needs {needed}: install them with pip install 'ediffuser[serve]'") from error
    return run, ServerSettings, LOOPBACK
