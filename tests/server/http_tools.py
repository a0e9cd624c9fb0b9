"""A real server in a thread, with a stub in the place of a model, and a client that checks every answer it gets."""

import asyncio
import json
import socket
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from ediffuser.server.app import create_app
from ediffuser.server.guard import SECURITY_HEADERS
from ediffuser.server.run import listen
from ediffuser.server.services import Services
from ediffuser.server.settings import ServerSettings

sys.path.append(str(Path(__file__).parents[1] / "editing"))  # photo_files

GIVEAWAYS = ("Traceback", "site-packages", "pydantic", "starlette", "PIL", 'File "', "/tmp", "sqlite")
WIDTH, HEIGHT = 40, 30


@dataclass
class Live:
    """A running server."""

    settings: ServerSettings
    port: int
    services: Services

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def raw(self, request: bytes, *, most: int = 10**6) -> bytes:
        """What comes back for these bytes, until the server closes, a problem is complete, or enough has come."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            try:
                connection.sendall(request)
                while len(answer) < most and (part := connection.recv(65536)):
                    answer += part
            except (ConnectionResetError, BrokenPipeError, TimeoutError):
                pass
        return answer


@contextmanager
def live_server(settings: ServerSettings):
    """Serves from a thread."""
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    app = create_app(settings)
    options = {
        "lifespan": "off",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
    }
    server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", timeout_graceful_shutdown=2, **options))
    started, failed = threading.Event(), []

    async def serve():
        async with app.router.lifespan_context(app):
            started.set()
            await server.serve(sockets=[taken])

    def run():
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            taken.close()
            started.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert started.wait(60)
        if failed:
            raise failed[0]
        yield Live(settings, port, app.state.services)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def client_of(live: Live, **options):
    """A browser or program that looks at every answer it gets."""

    def check(response: httpx.Response):
        for name, value in SECURITY_HEADERS.items():
            assert response.headers[name] == value
        assert "server" not in response.headers
        assert not [name for name in response.headers if name.startswith("access-control")]
        if response.url.path.startswith("/api/"):
            assert response.headers["cache-control"] == "no-store"
        if response.status_code >= 400:
            check_problem(response, live)

    options |= {"timeout": 60, "event_hooks": {"response": [check]}, "verify": False, "trust_env": False}
    with httpx.Client(base_url=live.url, **options) as client:
        yield client


def check_problem(response: httpx.Response, live: Live):
    assert response.status_code < 500 or response.status_code in (503, 507), response.read()
    assert response.headers["content-type"] == "application/problem+json"
    response.read()
    if response.request.method == "HEAD":
        return
    problem = response.json()
    assert set(problem) == {"type", "title", "status"}
    assert problem["status"] == response.status_code
    assert problem["type"] == problem["type"].lower()
    assert " " not in problem["type"]
    assert not [word for word in (*GIVEAWAYS, str(live.settings.data)) if word in response.text]


def refused(response: httpx.Response, status: int | tuple[int, ...], kind: str | None = None):
    """The answer is this problem."""
    statuses = status if isinstance(status, tuple) else (status,)
    assert response.status_code in statuses, response.text
    if kind is not None:
        assert response.json()["type"] == kind, response.text


def submit(client: httpx.Client, image: str, mask: bytes, options: dict | None = None, **headers) -> httpx.Response:
    """Sends a job of one variation, unless the options say otherwise."""
    data = {"image_id": image, "options": json.dumps({"variations": 1} | (options or {}))}
    return client.post("/api/jobs", data=data, files={"mask": mask}, headers=headers)


def ended(client: httpx.Client, job: str, seconds: float = 60) -> dict:
    """The job once it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        info = client.get(f"/api/jobs/{job}").json()
        if info["state"] not in ("queued", "running"):
            return info
        time.sleep(0.05)
    raise AssertionError(f"job has not ended: {info}")
