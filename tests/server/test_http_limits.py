"""How much the server takes: bytes, parts, disk; and what is left of a request that breaks off."""

import errno
import socket
import sqlite3
import threading
import time

import numpy as np
import pytest
from http_tools import HEIGHT, WIDTH, client_of, live_server, refused, submit
from photo_files import encoded, picture

from ediffuser.server.bodies import FORM_OVERHEAD, LARGEST_JSON
from ediffuser.server.images import ImageStore
from ediffuser.server.messages import StubSettings
from ediffuser.server.problems import from_bad_input
from ediffuser.server.settings import LARGEST_FILE, ServerSettings

HEAD = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
FORM = "multipart/form-data; boundary=b"


def head_of_upload(*more: str) -> bytes:
    lines = ["POST /api/images HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def sent_until_closed(server, head: bytes, part: bytes) -> int:
    """How many bytes of a far too large body the server takes."""
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        try:
            connection.sendall(head)
            while sent < 3 * LARGEST_FILE:
                connection.sendall(part)
                sent += len(part)
        except (ConnectionResetError, BrokenPipeError):
            pass
    return sent


def test_row_11_one_byte_too_many(client):
    content = encoded(picture()) + bytes(LARGEST_FILE)
    refused(client.post("/api/images", files={"image": content[:LARGEST_FILE]}), (201, 422))
    refused(client.post("/api/images", files={"image": content[: LARGEST_FILE + 1]}), 413, "too-many-bytes")


def test_row_11_a_large_body_is_refused_unread(server):
    request = head_of_upload(f"Content-Length: {10 * LARGEST_FILE}")
    answer = server.raw(request, most=100)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_row_11_chunks_without_a_length(server):
    # The rest of what was sent lies in the sockets' buffers.
    part = b"10000\r\n" + bytes(64 * 1024) + b"\r\n"
    sent = sent_until_closed(server, head_of_upload("Transfer-Encoding: chunked"), part)
    assert sent <= 1.2 * LARGEST_FILE + 10 * 2**20


def test_row_11_far_too_long(server):
    part = bytes(64 * 1024)
    assert sent_until_closed(server, head_of_upload("Content-Length: 10000000000"), part) <= 20 * 2**20


def test_row_11_a_false_length(server, photo):
    body = HEAD + photo + TAIL
    short = server.raw(head_of_upload(f"Content-Length: {len(body) - 20}", "Connection: close") + body)
    assert short.startswith(b"HTTP/1.1 400 ")
    for length in ("-1", "x", "1, 2"):
        answer = server.raw(head_of_upload(f"Content-Length: {length}", "Connection: close") + body, most=100)
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_large_body_where_none_is_wanted(server, client):
    refused(
        client.post("/api/selections", content=bytes(LARGEST_JSON + 1), headers={"Content-Type": "application/json"}),
        413,
    )
    request = f"DELETE /api/jobs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**9}\r\n\r\n"
    assert server.raw(request.encode(), most=100).startswith(b"HTTP/1.1 404 ")


def test_a_mask_is_limited_too(client, stored):
    refused(submit(client, stored, bytes(LARGEST_FILE + 1)), 413, "too-many-bytes")


def test_forms_with_too_much_in_them(client, photo):
    began = time.monotonic()
    many = [("image", (f"{number}.png", photo)) for number in range(1000)]
    refused(client.post("/api/images", files=many), 400)
    refused(client.post("/api/images", files={"image": (None, "x" * (LARGEST_JSON + 1))}), 400)
    long_header = HEAD.replace(b"x.png", b"x" * 100_000) + photo + TAIL
    refused(client.post("/api/images", content=long_header, headers={"Content-Type": FORM}), (201, 400, 413))
    long_boundary = "multipart/form-data; boundary=" + "b" * 20_000
    refused(client.post("/api/images", content=b"x", headers={"Content-Type": long_boundary}), (400, 422))
    refused(client.post("/api/images", content=HEAD + photo, headers={"Content-Type": FORM}), 400, "broken-form")
    assert time.monotonic() - began < 30
    assert FORM_OVERHEAD > 1000


def test_an_upload_that_breaks_off_leaves_nothing(server, photo):
    def state():
        return {path for path in server.settings.data.rglob("*") if path.parent.name in ("images", "uploads")}

    before, body = state(), HEAD + photo + TAIL
    random = np.random.default_rng(0)
    for cut in random.integers(0, len(body), 20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head_of_upload(f"Content-Length: {len(body)}") + body[:cut])
    time.sleep(0.5)
    assert state() == before
    with client_of(server) as client:
        assert client.get("/api/health").status_code == 200


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(server, client, photo, mask, stored, monkeypatch, number):
    def full(*_, **__):
        raise OSError(number, "No space left on device", "/secret/path")

    before = set((server.settings.data / "images").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("ediffuser.server.images.shutil.copyfileobj", full)
        refused(client.post("/api/images", files={"image": photo}), 507, "disk-full")
    with monkeypatch.context() as patch:
        patch.setattr("ediffuser.server.images.sync_directory", full)
        patch.setattr("ediffuser.server.images.os.rename", full)
        refused(client.post(f"/api/images/{stored}/extended", json={"top": 1}), 507, "disk-full")
    with monkeypatch.context() as patch:
        patch.setattr("ediffuser.server.storage.write_atomically", full)
        refused(submit(client, stored, mask), 507, "disk-full")
    assert set((server.settings.data / "images").iterdir()) == before
    assert not list((server.settings.data / "uploads").iterdir())
    assert client.post("/api/images", files={"image": photo}).status_code == 201


def test_a_full_queue_says_when_to_come_back(tmp_path, photo, mask):
    settings = ServerSettings(data=tmp_path / "data", queue=2, stub=StubSettings(seconds=5.0), grace=0.1)
    with live_server(settings) as live, client_of(live) as client:
        image = client.post("/api/images", files={"image": photo}).json()["id"]
        answers = [submit(client, image, mask) for _ in range(6)]
        full = [answer for answer in answers if answer.status_code != 202]
        assert full
        for answer in full:
            refused(answer, 503, "queue-full")
            assert int(answer.headers["retry-after"]) > 0


class Canary:
    """A server that counts who comes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.hits = 0
        threading.Thread(target=self._count, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/canary"

    def _count(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.hits += 1


def test_nothing_is_fetched_for_anybody(client, stored, mask, photo):
    canary = Canary()
    url, ids = canary.url, "x" * 22
    client.post("/api/images", files={"image": (None, url)})
    client.post("/api/images", files={"image": (url, photo)})
    client.post("/api/jobs", data={"image": url, "image_id": url, "mask": url, "options": url})
    client.post("/api/jobs", data={"image_id": stored, "options": f'{{"model": "{url}"}}'}, files={"mask": mask})
    sampler = f'{{"sampler": {{"kind": "{url}"}}}}'
    client.post("/api/jobs", data={"image_id": stored, "options": sampler}, files={"mask": mask})
    submit(client, stored, mask, **{"Idempotency-Key": url, "Referer": url, "Forwarded": url})
    client.post("/api/selections", json={"image": url, "points": [{"x": 1, "y": 1}]})
    client.post(f"/api/images/{ids}/composed", json={"job": url, "variation": 0})
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'.encode()
    client.post("/api/images", files={"image": svg})
    for path in ("models", "images", "jobs"):
        client.get(f"/api/{path}/{url}")
    time.sleep(0.2)
    canary.socket.close()
    assert canary.hits == 0


def test_the_log_has_no_names_and_no_bytes(client, server, caplog, capfd):
    sentinel = "sentinel-of-the-log"
    caplog.set_level("DEBUG")
    for content in (b"", sentinel.encode(), b"\x89PNG\r\n\x1a\n" + sentinel.encode(), encoded(picture())):
        client.post("/api/images", files={"image": (f"{sentinel}.png", content)})
    client.post("/api/selections", content=f'{{"{sentinel}": NaN}}', headers={"Content-Type": "application/json"})
    client.get(f"/api/models/{sentinel}", headers={"X-Client-Id": sentinel})
    said = capfd.readouterr()
    others = ("httpx", "httpcore", "uvicorn.access", "python_multipart")  # the client's, and what is off when serving
    mine = [record.getMessage() for record in caplog.records if not record.name.startswith(others)]
    assert not [line for line in mine if sentinel in line]
    assert sentinel not in said.out + said.err


def test_damaged_files_of_all_kinds(client):
    """Small cousins of the corpus of malformed pictures: every answer is 201 or a problem (the client looks)."""
    random = np.random.default_rng(1)
    seeds = [encoded(picture(), "PNG"), encoded(picture(), "JPEG", progressive=True), encoded(picture(), "WEBP")]
    for number in range(12):
        content = bytearray(seeds[number % 3])
        for _ in range(1 + number % 4):
            content[random.integers(len(content))] ^= 1 << random.integers(8)
        if number % 5 == 0:
            content = content[: random.integers(len(content))]
        answer = client.post("/api/images", files={"image": bytes(content)})
        assert answer.status_code in (201, 415, 422)


def test_old_pictures_go_and_needed_ones_stay(tmp_path):
    now = [1e9]
    store = ImageStore(tmp_path, clock=lambda: now[0])
    old, needed, used = (store.add(_photo(seed), generated=False).id for seed in range(3))
    now[0] += 1000
    assert store.find(used)
    store.prune({needed}, age=10, size=10**9)
    assert store.find(old)  # younger than an hour
    now[0] += 3500
    assert store.find(used)
    now[0] += 1000
    store.prune({needed}, age=4000, size=10**9)
    assert store.find(old) is None
    assert store.find(needed)
    assert store.find(used)
    now[0] += 5000
    store.prune({needed}, age=10**9, size=1)
    assert store.find(used) is None
    assert store.find(needed)
    for name in ("..", "", "x" * 22, "a/b", "\0"):
        assert store.find(name) is None


def _photo(seed):
    from ediffuser.editing.photo import Photo

    return Photo(picture(WIDTH, HEIGHT, seed=seed))


def test_a_full_database_is_a_full_disk():
    from ediffuser.runtime.errors import BadInputError

    error = BadInputError("cannot write")
    error.__cause__ = OSError(errno.ENOSPC, "full")
    assert from_bad_input(error).status_code == 507
    assert issubclass(sqlite3.OperationalError, Exception)
