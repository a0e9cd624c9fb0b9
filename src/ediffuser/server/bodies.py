"""Bodies of requests, read strictly: JSON into a model, and multipart forms without a field too few or too many."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ediffuser.server.problems import ProblemError, from_faults
from ediffuser.server.settings import LARGEST_FILE

Model = TypeVar("Model", bound=BaseModel)

LARGEST_JSON = 64 * 1024
FORM_OVERHEAD = 64 * 1024  # boundaries and headers of the parts
BROKEN_JSON = "The JSON text cannot be read: it must be UTF-8, without NaN and without a key twice."


def parse_json(text: bytes | str, model: type[Model], where: str = "body") -> Model:
    """A model from JSON text; numbers in quotes, NaN, unknown and repeated keys are refused.

    Raises:
        ProblemError: 400 if it is not JSON, 422 if a value does not fit.
    """
    try:
        json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8, and numbers of thousands of digits
        raise ProblemError(400, "broken-json", BROKEN_JSON) from error
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise from_faults([{**fault, "loc": (where, *fault["loc"])} for fault in faults]) from error
    except UnicodeError as error:  # a lone surrogate
        raise ProblemError(400, "broken-json", BROKEN_JSON) from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _refuse(_: str) -> None:
    raise ValueError("not a number")


def json_body(model: type[Model]) -> Callable[[Request], Any]:
    """A dependency: the request's JSON body as a model."""

    async def read(request: Request) -> Model:
        require_type(request, "application/json")
        return parse_json(await request.body(), model)

    return read


def form_body(*names: str) -> Callable[[Request], AsyncIterator[FormData]]:
    """A dependency: the request's multipart form, which has each field at most once, and no others than these."""

    async def read(request: Request) -> AsyncIterator[FormData]:
        require_type(request, "multipart/form-data")
        form = await _parsed(request, len(names))
        try:
            given = [name for name, _ in form.multi_items()]
            for name in names:
                if given.count(name) > 1:
                    raise ProblemError(422, "repeated-field", f"The form has the field {name} more than once.")
            if set(given) - set(names):
                raise ProblemError(422, "unknown-field", f"The form may have the fields {', '.join(names)} only.")
            yield form
        finally:
            await form.close()

    return read


async def _parsed(request: Request, fields: int) -> FormData:
    """The form of a request; one field more than allowed is let in, to be refused with a better sentence."""
    limits = {"max_files": fields + 1, "max_fields": fields + 1, "max_part_size": LARGEST_JSON}
    parser, ended = MultiPartParser(request.headers, request.stream(), **limits), []
    parser.on_end = lambda: ended.append(True)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ProblemError(400, "broken-form", "The form cannot be read, or has too many fields.") from error
    if not ended:  # Starlette takes a form that breaks off, and leaves open the file in which it does
        for file in parser._files_to_close_on_error:
            file.close()
        raise ProblemError(400, "broken-form", "The form breaks off before its end.")
    return form


def require_type(request: Request, media_type: str) -> None:
    """Refuses a body of another content type.

    Raises:
        ProblemError: 415.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        raise ProblemError(415, "unsupported-media-type", f"The body of this request must be {media_type}.")


def file_of(form: FormData, name: str) -> UploadFile:
    """The file in a field of a form.

    Raises:
        ProblemError: 422 if it is missing or text, 413 if it is too large.
    """
    value = form.get(name)
    if value is None:
        raise ProblemError(422, "missing-field", f"The form lacks the field {name}: send it as a file.")
    if not isinstance(value, UploadFile):
        raise ProblemError(422, "not-a-file", f"The field {name} must be a file, not text; nothing is fetched by URL.")
    if (value.size or 0) > LARGEST_FILE:
        megabytes = LARGEST_FILE // 1_000_000
        raise ProblemError(413, "too-many-bytes", f"The file in the field {name} has more than {megabytes} MB.")
    return value


def text_of(form: FormData, name: str) -> str | None:
    """The text in a field of a form, None if it is missing.

    Raises:
        ProblemError: 422 if it is a file.
    """
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise ProblemError(422, "not-text", f"The field {name} must be text, not a file.")
    return value


def json_request(model: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of a JSON body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def form_request(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The OpenAPI description of a multipart body."""
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
