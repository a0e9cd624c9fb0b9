"""`ediffuser serve` in a process of its own: address, refusals, signals, and the page's files."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time

import httpx
import pytest
from fastapi import FastAPI
from http_tools import client_of, submit

from ediffuser.cli import main
from ediffuser.server.routes.page import page_router
from ediffuser.server.run import address_of, listen
from ediffuser.server.settings import ServerSettings

SCRIPT = textwrap.dedent("""
    import sys
    from pathlib import Path

    from ediffuser.server.messages import StubSettings
    from ediffuser.server.run import listen, run_server
    from ediffuser.server.settings import ServerSettings

    if __name__ == "__main__":
        stub = StubSettings(seconds=float(sys.argv[2]))
        settings = ServerSettings(data=Path(sys.argv[1]), stub=stub, grace=float(sys.argv[3]))
        run_server(settings, listen("127.0.0.1", 0))
""")


@pytest.fixture
def started(tmp_path):
    """Starts servers with a stub, and ends them."""
    script, processes = tmp_path / "serve.py", []
    script.write_text(SCRIPT)

    def start(*, seconds=0.02, grace=3.0):
        command = [sys.executable, str(script), str(tmp_path / "data"), str(seconds), str(grace)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        found = re.fullmatch(r"EDIFFUSER editor: (http://127\.0\.0\.1:\d+/)\n", line)
        assert found, line + process.stderr.read()
        return process, found.group(1)

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def refusal(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["serve", *arguments])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    assert len(said.err.strip().splitlines()) == 1
    return said.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_no_other_computer_without_a_token(capsys, host):
    assert "--token" in refusal(capsys, "--host", host)


def test_other_arguments_that_cannot_be_used(capsys, tmp_path):
    assert "port" in refusal(capsys, "--port", "70000")
    assert "16" in refusal(capsys, "--token", "short")
    assert "at least 1" in refusal(capsys, "--queue", "0")
    assert "no-such-host" in refusal(capsys, "--host", "no-such-host.invalid", "--token", "new")
    data = ["--data", str(tmp_path), "--port", "0"]
    assert "unknown model 'photos-12'" in refusal(capsys, *data, "--model", "photos-12")


def test_a_port_in_use(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}" in refusal(capsys, "--port", str(port), "--data", str(tmp_path))


def test_a_data_directory_in_use(capsys, server):
    assert str(server.settings.data) in refusal(capsys, "--port", "0", "--data", str(server.settings.data))


def test_the_address(tmp_path):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(ServerSettings(data=tmp_path), taken) == f"http://127.0.0.1:{port}/"
        assert address_of(ServerSettings(data=tmp_path, token="x" * 16), taken).endswith("/?token=" + "x" * 16)
    with listen("0.0.0.0", 0) as taken:
        assert address_of(ServerSettings(data=tmp_path), taken).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_gracefully(started, photo, mask, sent):
    process, url = started(seconds=1.0, grace=1.0)
    with httpx.Client(base_url=url, timeout=30) as client:
        image = client.post("/api/images", files={"image": photo}).json()["id"]
        job = submit(client, image, mask, {"variations": 8}).json()["id"]
        with client.stream("GET", f"/api/jobs/{job}/events") as events:
            lines = events.iter_lines()
            assert next(lines) == "event: snapshot"
            process.send_signal(sent)
            began = time.monotonic()
            assert process.wait(timeout=30) == 0
            list(lines)  # the stream ends, it does not break off
        assert time.monotonic() - began < 20
    assert process.stderr.read() == ""


def test_a_second_signal_ends_it_at_once_and_the_job_is_still_there(started, photo, mask):
    process, url = started(seconds=1.0, grace=60.0)
    with httpx.Client(base_url=url, timeout=30, headers={"X-Client-Id": "me"}) as client:
        image = client.post("/api/images", files={"image": photo}).json()["id"]
        job = submit(client, image, mask, {"variations": 8}).json()["id"]
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 128 + signal.SIGTERM
    _, url = started()
    with httpx.Client(base_url=url, timeout=30, headers={"X-Client-Id": "me"}) as client:
        assert client.get(f"/api/jobs/{job}").json()["state"] in ("queued", "running", "done")
        assert client.get(f"/api/images/{image}").status_code == 200


def test_the_page(tmp_path):
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>")
    (page / "assets" / "index-abc123.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(tmp_path / "secret.txt", page / "link.txt")
    app = FastAPI()
    app.include_router(page_router(page))
    root = answer_of(app, "/")
    assert (root.text, root.headers["cache-control"]) == ("<!doctype html>", "no-cache")
    assert root.headers["content-type"].startswith("text/html")
    script = answer_of(app, "/assets/index-abc123.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    for missing in ("/link.txt", "/secret.txt", "/../secret.txt", "/assets", "/assets/", "/assets/other.js"):
        assert answer_of(app, missing).status_code == 404


def test_a_page_that_is_not_built(tmp_path):
    app = FastAPI()
    app.include_router(page_router(tmp_path / "nothing"))
    assert "make page" in answer_of(app, "/").text


def answer_of(app, path):
    import asyncio

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_the_served_page_answers(server):
    with client_of(server) as client:
        assert client.get("/").status_code == 200
        assert client.head("/").status_code == 200
