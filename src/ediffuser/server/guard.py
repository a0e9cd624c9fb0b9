"""Who may talk to the server, and what every answer carries. Outside everything else, so that nothing escapes it.

A page of another site can make a browser send requests to this computer. Three checks stop that: the host name must be
ours (against DNS rebinding), the request must not come from another site's page (Fetch Metadata, with Origin where a
browser sends none), and beyond loopback the token must be known.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ediffuser.server.problems import MEDIA_TYPE, ProblemError, plain_problem, problem_response
from ediffuser.server.settings import ServerSettings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CLIENT_COOKIE, TOKEN_COOKIE = "ediffuser_client", "ediffuser_token"
OPEN_TO_ALL = ("/api/health",)
YEAR_S = 365 * 86_400
MOST_DISCARDED = 200_000_000  # bytes of a body that nobody reads

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?")
_CLIENT = re.compile(r"[A-Za-z0-9_-]{1,64}")

logger = logging.getLogger("ediffuser.server")


@dataclass(frozen=True)
class Client:
    """Whose request it is: jobs are listed, and take turns, by client."""

    name: str
    new: bool


class Guard:
    """An ASGI middleware."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        """`app` is what it guards."""
        self._app = app
        self._settings = settings
        # The cookie holds a hash: on this host it also goes to servers on other ports.
        self._pass = None if settings.token is None else _hash(settings.token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it with a problem."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        cookies = _cookies(headers.get("cookie", ""))
        outlet = _Outlet(scope, receive, send)
        try:
            self._check_host(scope, headers)
            _check_origin(scope, headers)
            if self._shows_token(scope):
                await self._let_in(scope, receive, outlet)
                return
            self._check_token(scope, headers, cookies)
            outlet.client = _client(headers, cookies)
            scope.setdefault("state", {})["client"] = outlet.client.name
            await self._app(scope, receive, outlet)
        except ProblemError as problem:
            await problem_response(problem)(scope, receive, outlet)
        except ClientDisconnect:
            pass
        except Exception:
            logger.exception("a request failed")
            if not outlet.started:
                await problem_response(plain_problem(500))(scope, receive, outlet)

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        names = headers.getlist("host")
        match = _HOST.fullmatch(names[0].lower()) if len(names) == 1 else None
        host = match.group(1) if match else None
        own = scope["server"][0] if self._settings.own_address and scope.get("server") else None
        allowed = (*self._settings.hosts, own, f"[{own}]")
        if host is None or host not in allowed:
            raise plain_problem(421)

    def _shows_token(self, scope: Scope) -> bool:
        """Whether the page's address carries the right token."""
        if self._settings.token is None or scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return _equal(given, self._settings.token)

    async def _let_in(self, scope: Scope, receive: Receive, outlet: "_Outlet") -> None:
        response = RedirectResponse("/", 303)
        response.set_cookie(TOKEN_COOKIE, self._pass or "", max_age=YEAR_S, httponly=True, samesite="strict")
        await response(scope, receive, outlet)

    def _check_token(self, scope: Scope, headers: Headers, cookies: Mapping[str, str]) -> None:
        if self._pass is None or self._settings.token is None or scope["path"] in OPEN_TO_ALL:
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _equal(given.strip(), self._settings.token):
            return
        if not _equal(cookies.get(TOKEN_COOKIE, ""), self._pass):
            problem = plain_problem(401)
            problem.headers = {"WWW-Authenticate": "Bearer"}
            raise problem


class _Outlet:
    """Sends an answer with all the headers that answers have, and turns foreign error pages into problems."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._replaced = False
        self.started = False
        self.client: Client | None = None

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if message["status"] >= 400 and headers.get("content-type") != MEDIA_TYPE:
                await problem_response(plain_problem(message["status"]))(self._scope, self._receive, self)
                self._replaced = True
                return
            self.started = True
            self._complete(headers)
            if message["status"] >= 400 and _is_endless(self._scope):
                headers["Connection"] = "close"
        await self._send(message)

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers[name] = value
        if self._scope["path"].startswith("/api/"):
            headers["Cache-Control"] = "no-store"
        if self.client is not None and self.client.new:
            cookie = f"{CLIENT_COOKIE}={self.client.name}; Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Strict"
            headers.append("Set-Cookie", cookie)


def _is_endless(scope: Scope) -> bool:
    """Whether a refused request should not be heard to its end, although clients look for an answer only then."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not length.isdecimal() or int(length) > MOST_DISCARDED


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuses what another site's page makes a browser send: anything but a look at our page."""
    if scope["method"] in SAFE_METHODS and not scope["path"].startswith("/api/"):
        return
    site = headers.get("sec-fetch-site", "none").lower()
    origin = headers.get("origin")
    own = [f"{scheme}://{headers['host'].lower()}" for scheme in ("http", "https")]
    if site not in ("same-origin", "none") or (origin is not None and origin.lower() not in own):
        raise plain_problem(403)


def _client(headers: Headers, cookies: Mapping[str, str]) -> Client:
    """A program says who it is in a header; a browser gets a cookie."""
    program = headers.get("x-client-id")
    if program is not None:
        if not _CLIENT.fullmatch(program):
            raise ProblemError(400, "bad-client-id", "X-Client-Id must be 1 to 64 letters, digits, - or _.")
        return Client(f"program-{program}", new=False)
    known = cookies.get(CLIENT_COOKIE, "")
    if _CLIENT.fullmatch(known):
        return Client(known, new=False)
    return Client(secrets.token_urlsafe(16), new=True)


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _hash(token: str) -> str:
    return hmac.new(token.encode(), b"cookie of the ediffuser editor", hashlib.sha256).hexdigest()
