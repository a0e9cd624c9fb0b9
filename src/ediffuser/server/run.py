"""A server from its first to its last moment: address, start, signals, end."""

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from ediffuser.runtime.errors import BadInputError
from ediffuser.server.app import create_app
from ediffuser.server.settings import ServerSettings

LAST_MOMENT_S = 1.0  # what answers get to end in, after running jobs had their time


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        BadInputError: If the address cannot be had; says why.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            taken.listen(128)
        except BaseException:
            taken.close()
            raise
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInputError(
            f"cannot listen on {host} port {port}: {reason}; choose another --port, or --host 127.0.0.1"
        ) from error
    return taken


def is_loopback(host: str) -> bool:
    """Whether only this computer can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run_server(settings: ServerSettings, taken: socket.socket, *, open_page: bool = False) -> None:
    """Serves until a signal: the first lets running jobs end for `settings.grace` seconds, the second ends at once.

    Raises:
        BadInputError: If the data directory or the model cannot be used.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.WARNING)
    with taken:
        asyncio.run(_serve(settings, taken, open_page))


def address_of(settings: ServerSettings, taken: socket.socket) -> str:
    """Where the page is; the token is in it."""
    host, port = taken.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    name = f"[{host}]" if ":" in host else host
    query = "" if settings.token is None else f"?token={settings.token}"
    return f"http://{name}:{port}/{query}"


async def _serve(settings: ServerSettings, taken: socket.socket, open_page: bool) -> None:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",  # it runs below, so that its errors arrive here
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=round(settings.grace + LAST_MOMENT_S),
    )
    server = uvicorn.Server(config)
    with _signals(server):
        async with app.router.lifespan_context(app):
            address = address_of(settings, taken)
            serving = asyncio.create_task(server.serve(sockets=[taken]))
            print(f"EDIFFUSER editor: {address}", flush=True)  # noqa: T201 - the one line that people need
            if open_page:
                await asyncio.to_thread(webbrowser.open, address)
            while not (server.should_exit or serving.done()):
                await asyncio.sleep(0.1)
            # Ends the event streams, for which the server would wait.
            await app.state.services.supervisor.stop(settings.grace)
            await serving


@contextmanager
def _signals(server: uvicorn.Server) -> Iterator[None]:
    """Handles signals from before the server starts to after it has ended, when jobs may still run."""

    def stop(sig: int, frame: FrameType | None) -> None:
        if server.should_exit:
            os._exit(128 + sig)  # nothing is lost: the queue is on the disk, and the worker ends with its pipe
        server.should_exit = True

    server.handle_exit = stop
    before = {sig: signal.signal(sig, stop) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
