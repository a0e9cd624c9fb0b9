"""Errors as `application/problem+json` (RFC 9457). What a client sent is never repeated in one."""

import errno
import logging
import sqlite3
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ediffuser.editing.photo import PhotoError
from ediffuser.runtime.errors import BadInputError
from ediffuser.server.records import StorageFullError
from ediffuser.server.schemas import Problem

MEDIA_TYPE = "application/problem+json"
EVERYWHERE = (400, 401, 403, 421, 500)  # what the guard and a fault of ours may answer on every route

# Words and sentences where there is nothing more exact to say.
BY_STATUS = {
    400: ("broken-request", "The request cannot be read: send it as the documentation says."),
    401: ("token-needed", "This server needs its token: open the address that it printed when it started."),
    403: ("foreign-page", "The request comes from another site's page, which may not use this server."),
    404: ("not-found", "There is nothing here: the address is wrong, or what was here has been removed."),
    405: ("method-not-allowed", "This address does not know the method; the header Allow lists those that it knows."),
    413: ("too-many-bytes", "The request is too large: a photo or a mask may have at most 100 MB."),
    415: ("unsupported-media-type", "The content type of the request does not suit this address."),
    421: ("unknown-host", "The server does not go by this host name: use the address that it printed."),
    422: ("invalid-request", "The request has a value that does not fit."),
    500: ("internal-error", "Something went wrong on our side; the server's log says what."),
    507: ("disk-full", "The server's disk is full: free some space and try again."),
}

# Where the library's sentence would quote the file, or name an option of the command line.
SENTENCES = {
    "empty-mask": "the mask has no white pixel, so nothing is to be painted: paint the hole white",
    "damaged": "the {what} is damaged or cut short: save or copy the picture anew",
    "unreadable-file": "the {what} cannot be read: save or copy the picture anew",
}

logger = logging.getLogger("ediffuser.server")


class ProblemError(HTTPException):
    """An answer that is an error: a stable word for programs, one sentence for people."""

    def __init__(self, status: int, kind: str, title: str, headers: dict[str, str] | None = None) -> None:
        """`kind` is in kebab-case; `title` says what is wrong, where, and what would be right."""
        super().__init__(status, title, headers)
        self.kind = kind


def plain_problem(status: int) -> ProblemError:
    """The error of a status code about which there is nothing more exact to say."""
    kind, title = BY_STATUS.get(status, ("error", HTTPStatus(status).phrase))
    return ProblemError(status, kind, title)


def problem_response(error: ProblemError) -> Response:
    """The error as it goes over the wire."""
    problem = Problem(type=error.kind, title=error.detail, status=error.status_code)
    return Response(problem.model_dump_json(), error.status_code, error.headers, MEDIA_TYPE)


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its OpenAPI description."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        code: {"description": BY_STATUS[code][1], "content": {MEDIA_TYPE: {"schema": schema}}}
        if code in BY_STATUS
        else {"description": HTTPStatus(code).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for code in sorted({*codes, *EVERYWHERE})
    }


def from_photo_error(error: PhotoError, what: str = "photo") -> ProblemError:
    """The refusal of an uploaded file: 415 for another format, 422 for wrong content."""
    title = SENTENCES[error.kind].format(what=what) if error.kind in SENTENCES else str(error)
    return ProblemError(415 if error.kind == "unsupported-format" else 422, error.kind, title)


def from_bad_input(error: BadInputError) -> ProblemError:
    """An error of the library, of which the disk may be the cause."""
    if isinstance(error, PhotoError):
        return from_photo_error(error)
    if isinstance(error.__cause__, OSError):
        return from_os_error(error.__cause__)
    return ProblemError(422, "invalid-request", str(error))


def from_os_error(error: OSError) -> ProblemError:
    """A full disk is the person's to mend; all else is a fault of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return plain_problem(507)
    logger.error("a file could not be read or written", exc_info=error)
    return plain_problem(500)


def from_faults(faults: Iterable[Any]) -> ProblemError:
    """What pydantic found, without the value that it found it in."""
    fault = next(iter(faults))
    where = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        where, said = where[:-1], "has a field that is not known"  # its name is the client's
    elif fault["type"] == "union_tag_invalid":
        said = f"{fault['ctx']['discriminator']} should be one of {fault['ctx']['expected_tags']}"
    elif fault["type"] in ("value_error", "assertion_error", "json_invalid"):
        said = "does not fit"
    else:
        said = fault["msg"][:1].lower() + fault["msg"][1:]
    return ProblemError(422, "invalid-request", f"{'.'.join(where) or 'The request'}: {said}.")


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem."""
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_faults)
    app.add_exception_handler(BadInputError, _answer_bad_input)
    app.add_exception_handler(StorageFullError, _answer_full)
    app.add_exception_handler(OSError, _answer_os_error)
    app.add_exception_handler(sqlite3.OperationalError, _answer_sqlite)


async def _answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, ProblemError):
        return problem_response(error)
    answer = plain_problem(error.status_code)
    answer.headers = error.headers
    return problem_response(answer)


async def _answer_faults(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(from_faults(error.errors()))


async def _answer_bad_input(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadInputError)
    return problem_response(from_bad_input(error))


async def _answer_os_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return problem_response(from_os_error(error))


async def _answer_full(_: Request, __: Exception) -> Response:
    return problem_response(plain_problem(507))


async def _answer_sqlite(_: Request, error: Exception) -> Response:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return problem_response(plain_problem(507))
    logger.error("the queue's database failed", exc_info=error)
    return problem_response(plain_problem(500))
