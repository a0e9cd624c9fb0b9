"""Who may talk to the server: host names, other sites' pages, tokens, clients (X4 to X8, X14, X18)."""

import itertools
import re

import httpx
import pytest
from http_tools import client_of, live_server, refused, submit

from ediffuser.server.messages import StubSettings
from ediffuser.server.settings import ServerSettings

FOREIGN_HOSTS = [
    "evil.com",
    "127.0.0.1.evil.com",
    "evil.com:127.0.0.1",
    "localhost.evil.com",
    "0.0.0.0",
    "0.0.0.0:7860",
    "[::]",
    "[::ffff:127.0.0.1]",
    "localhost.",
    "2130706433",
    "127.1",
    "127.0.0.2",
    "0x7f.1",
    "a@b",
    "user@localhost",
    "localhost/x",
    "localhost:port",
    "localhost:",
    "local host",
    "[::1",
    "::1",
    "-localhost",
    "localhost,evil.com",
    "x" * 10_000,
    "",
]


@pytest.mark.parametrize("number", range(len(FOREIGN_HOSTS)))
def test_hosts_that_are_not_ours(server, number):
    request = b"GET /api/health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % FOREIGN_HOSTS[number].encode()
    assert re.match(rb"HTTP/1.1 4(21|00|31) ", server.raw(request))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "localhost:7860", "[::1]:80"])
def test_hosts_that_are_ours(server, host):
    request = f"GET /api/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert server.raw(request.encode()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("head", ["Host: localhost\r\nHost: evil.com", "Host: evil.com\r\nHost: localhost", "X: y"])
def test_two_hosts_or_none(server, head):
    answer = server.raw(f"GET / HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 4(21|00) ", answer)


METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
SITES = ["same-origin", "same-site", "cross-site", "none", None]
ORIGINS = {"absent": None, "own": "own", "port": "http://127.0.0.1:1", "null": "null", "evil": "http://evil.com"}


@pytest.mark.parametrize("method", METHODS)
def test_requests_of_other_sites_pages(server, client, method):
    for site, origin in itertools.product(SITES, ORIGINS):
        check_foreign(server, client, method, site, origin)


def check_foreign(server, client, method, site, origin):
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    if origin != "absent":
        headers["Origin"] = server.url if origin == "own" else ORIGINS[origin]
    foreign = site in ("same-site", "cross-site") or origin not in ("absent", "own")
    for path in ("/api/jobs", "/api/jobs/" + "x" * 22 + "/events"):
        status = client.request(method, path, headers=headers).status_code
        assert (status == 403) == foreign, status
    page = client.request(method, "/", headers=headers).status_code
    assert (page == 403) == (foreign and method not in ("GET", "HEAD", "OPTIONS"))


def test_a_websocket_is_not_to_be_had(server):
    upgrade = (
        b"GET /api/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 101 " not in server.raw(upgrade, most=20)


def test_no_cors_whatever_is_asked(client):
    for origin in ("http://evil.com", "null", "*"):
        for method in ("GET", "OPTIONS", "POST"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            answer = client.request(method, "/api/images", headers=headers)  # the client looks for CORS headers
            assert answer.status_code == 403


PATHS = [
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/assets/../../server/app.py",
    "/assets/%2e%2e/%2e%2e/app.py",
    "/..\\..\\etc\\passwd",
    "/%5c..%5c..%5cetc%5cpasswd",
    "//etc/passwd",
    "/C:/Windows/win.ini",
    "/index.html%00.png",
    "/etc/passwd",
    "/.git/config",
    "/app.py",
    "/__pycache__",
    "/./index.html/..",
]
IDS = [
    "..",
    "%2e%2e",
    "..%2f..%2fqueue.sqlite",
    "....//",
    "%00",
    "/etc/passwd",
    "C:%5cx",
    "x" * 22,
    "x" * 5000,
    "%ff%fe",
    "*",
    "~root",
    ".",
    "a%0d%0ab",
    "uploads",
]
ADDRESSES = ["/api/images/{}", "/api/jobs/{}", "/api/jobs/{}/results/0", "/api/models/{}"]


def test_no_way_out_of_the_folders(server):
    secret = server.settings.data.parent / "secret.txt"
    secret.write_text("sentinel")
    before = sorted(path for path in server.settings.data.parent.rglob("*") if path.parent.name != "jobs")
    paths = [*PATHS, *(address.format(identity) for address in ADDRESSES for identity in IDS)]
    for path in paths:
        request = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode()
        answer = server.raw(request)
        head, _, body = answer.partition(b"\r\n\r\n")
        listed = b'"default_sampler"' in body or path.endswith(("/.", "/..")) or body.startswith(b"[")
        assert re.match(rb"HTTP/1.1 4\d\d ", head) or listed, (path, head[:60])
        assert b"sentinel" not in body
        assert b"root:" not in body
        assert b"SQLite" not in body
    assert sorted(path for path in server.settings.data.parent.rglob("*") if path.parent.name != "jobs") == before


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A server with a token."""
    settings = ServerSettings(
        data=tmp_path_factory.mktemp("locked"), stub=StubSettings(), token="t0ken" * 8, own_address=True, grace=0.5
    )
    with live_server(settings) as live:
        yield live


def test_without_the_token_only_health_answers(locked):
    with client_of(locked) as client:
        assert client.get("/api/health").status_code == 200
        for path in ("/", "/api/jobs", "/api/models", "/api/openapi.json", "/assets/x.js"):
            answer = client.get(path)
            refused(answer, 401, "token-needed")
            assert answer.headers["www-authenticate"] == "Bearer"
        for bad in ("Bearer wrong", "Basic " + "t0ken" * 8, "Bearer", "Bearer \u00e9", "t0ken" * 8):
            refused(client.get("/api/jobs", headers={"Authorization": bad.encode()}), 401)
        refused(client.get("/?token=wrong"), 401)
        refused(client.get("/", headers={"Cookie": "ediffuser_token=" + "t0ken" * 8}), 401)


def test_the_token_as_bearer_or_once_in_the_address(locked):
    with client_of(locked) as client:
        assert client.get("/api/jobs", headers={"Authorization": "Bearer " + "t0ken" * 8}).status_code == 200
        refused(client.get("/api/jobs"), 401)
        answer = client.get("/?token=" + "t0ken" * 8)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert "t0ken" not in cookie
        assert client.get("/api/jobs").status_code == 200
        assert client.get("/").status_code == 200


def test_a_browser_gets_a_cookie_once(server):
    with client_of(server) as client:
        first = client.get("/api/health")
        cookie = first.headers["set-cookie"]
        assert re.fullmatch(r"ediffuser_client=[\w-]{22}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict", cookie)
        assert "set-cookie" not in client.get("/api/health").headers
    with client_of(server, headers={"X-Client-Id": "a-program"}) as client:
        assert "set-cookie" not in client.get("/api/jobs").headers
    with client_of(server, headers={"X-Client-Id": "no good"}) as client:
        refused(client.get("/api/jobs"), 400, "bad-client-id")


def test_jobs_of_others_do_not_show(server, stored, mask):
    with client_of(server) as one, client_of(server) as other:
        job = submit(one, stored, mask).json()["id"]
        assert [info["id"] for info in one.get("/api/jobs").json()] == [job]
        assert other.get("/api/jobs").json() == []
        unknown = other.get("/api/jobs/" + "x" * 22)
        for path in ("", "/events", "/mask", "/results/0", "/results/0/patch"):
            answer = other.get(f"/api/jobs/{job}{path}")
            assert (answer.status_code, answer.content) == (404, unknown.content)
        assert other.delete(f"/api/jobs/{job}").content == unknown.content
        answer = other.post(f"/api/images/{stored}/composed", json={"job": job, "variation": 0})
        assert answer.content == unknown.content


def test_a_forwarded_address_changes_nothing(server):
    with client_of(server) as client:
        client.get("/api/health")
        forwarded = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.com", "X-Forwarded-Proto": "https"}
        assert client.get("/api/jobs", headers=forwarded).json() == []


def test_methods_and_addresses_that_are_not_there(client):
    refused(client.get("/api/nothing"), 404, "not-found")
    refused(client.get("/nothing.js"), 404, "not-found")
    answer = client.put("/api/jobs")
    refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"]
    refused(client.request("TRACE", "/api/jobs"), 405)


def test_answers_to_broken_http(server):
    for request in (b"nonsense\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        answer = server.raw(request)
        assert re.match(rb"HTTP/1.1 4(00|21) ", answer)
        assert b"Traceback" not in answer


def test_nothing_is_said_of_the_machine_when_we_fail(server, client, monkeypatch, caplog):
    def fail(_):
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(server.services.store, "client_of", fail)
    with httpx.Client(base_url=server.url) as unchecked:
        answer = unchecked.get("/api/jobs/" + "x" * 22)
    assert answer.status_code == 500
    assert answer.json()["type"] == "internal-error"
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "the secret reason" in caplog.text
