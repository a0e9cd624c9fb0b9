"""Jobs: send, look at, follow, cancel."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, BinaryIO

import numpy as np
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.datastructures import FormData

from ediffuser.editing.child import decode_mask_in_child
from ediffuser.generate import DEFAULT_SAMPLER
from ediffuser.server.bodies import FORM_OVERHEAD, LARGEST_JSON, file_of, form_body, form_request, parse_json, text_of
from ediffuser.server.images import decoding, missing_image
from ediffuser.server.problems import ProblemError, documented
from ediffuser.server.quick_mask import quick_mask
from ediffuser.server.records import KeyReusedError, QueueFullError
from ediffuser.server.routes.images import FILE
from ediffuser.server.routes.words import OwnJob, find_image
from ediffuser.server.schemas import LARGEST_SEED, ImageInfo, JobInfo, JobOptions
from ediffuser.server.services import ClientName, Running, Services
from ediffuser.server.settings import LARGEST_FILE
from ediffuser.server.storage import read_pixels
from ediffuser.zoo import AUTO

PARTS = {
    "image_id": {"type": "string", "description": "Id of a stored picture; or else `image`."},
    "image": FILE,
    "mask": {"type": "string", "format": "binary", "description": "White = paint; the size of the upright picture."},
    "options": {
        "type": "string",
        "description": "JSON text of JobOptions.",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": "#/components/schemas/JobOptions"},
    },
}
FOLLOWED = {
    200: {
        "description": (
            "Server-sent events. First `snapshot`, then every stored event (queued, started, variation, done, failed, "
            "cancelled) after Last-Event-ID, then position, step and preview as they happen. Ends after done, failed "
            "or cancelled. `data` is JSON: the property of JobEvents that has the event's name."
        ),
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "itemSchema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "event": {"type": "string"},
                        "data": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "contentSchema": {"$ref": "#/components/schemas/JobEvents"},
                        },
                    },
                },
            }
        },
    }
}

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Random text: the same key and body, sent again, give the same job.",
    ),
]

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    operation_id="submitJob",
    summary="Paint a hole",
    max_body_size=2 * LARGEST_FILE + LARGEST_JSON + FORM_OVERHEAD,
    openapi_extra=form_request(PARTS, ["mask"]),
    responses={
        202: {"headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}}},
        **documented(404, 409, 413, 415, 422, 503, 507),
    },
)
async def submit_job(
    services: Running,
    client: ClientName,
    response: Response,
    form: Annotated[FormData, Depends(form_body(*PARTS))],
    key: Key = None,
) -> JobInfo:
    """Takes a job into the queue: a picture, the hole to paint in it, and how."""
    options = _options(services, text_of(form, "options"))
    upload, mask = _picture_file(form), file_of(form, "mask").file
    fingerprint = await services.in_light_thread(_fingerprint, form)
    if upload is None:
        image = await find_image(services, text_of(form, "image_id") or "")
    else:
        image = await services.in_thread(services.images.add_upload, upload)
    hole = await services.in_thread(_hole, services, mask, image)
    if options.model == AUTO:
        options = await services.in_thread(_settled, services, options, image, hole)
    try:
        info, created = await services.in_light_thread(
            services.store.submit,
            client=client,
            key=key,
            fingerprint=fingerprint,
            image=image,
            options=options,
            hole=hole,
        )
    except QueueFullError as error:
        retry = {"Retry-After": str(error.retry_after)}
        title = f"The queue is full: try again in {error.retry_after} seconds."
        raise ProblemError(503, "queue-full", title, retry) from error
    except KeyReusedError as error:
        title = "This Idempotency-Key was used for another request: take a new one for each."
        raise ProblemError(409, "key-reused", title) from error
    if created:
        services.supervisor.wake()
    response.headers["Location"] = f"/api/jobs/{info.id}"
    return info


@router.get("", operation_id="listJobs", summary="Your jobs, newest first", responses=documented())
async def list_jobs(services: Running, client: ClientName) -> list[JobInfo]:
    """All jobs of this browser, or of the program that sends this X-Client-Id."""
    return services.supervisor.of_client(client)


@router.get("/{job}", operation_id="readJob", summary="A job as it stands", responses=documented(404, 422))
async def read_job(info: OwnJob) -> JobInfo:
    """State, progress and finished variations of a job."""
    return info


@router.delete("/{job}", operation_id="cancelJob", summary="Cancel a job", responses=documented(404, 422))
async def cancel_job(services: Running, info: OwnJob) -> JobInfo:
    """Stops a job that has not ended; its finished variations stay. To cancel twice does no harm."""
    return await services.supervisor.cancel(info.id) or info


@router.get(
    "/{job}/events",
    operation_id="followJob",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={**FOLLOWED, **documented(404, 422)},
)
async def follow_job(
    services: Running,
    info: OwnJob,
    last_event_id: Annotated[
        int | None, Query(ge=0, lt=2**63, description="For clients that cannot send the header Last-Event-ID.")
    ] = None,
    last_event: Annotated[str, Header(alias="Last-Event-ID", description="Id of the last event seen.")] = "",
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a job, as it happens."""
    seen = int(last_event) if last_event.isascii() and last_event.isdecimal() and len(last_event) < 19 else None
    after = last_event_id if seen is None else seen
    async with aclosing(services.supervisor.subscribe(info.id, after or 0)) as events:  # type: ignore[type-var]
        async for event in events:
            yield ServerSentEvent(raw_data=event.data, event=event.name, id=str(event.id))


def _options(services: Services, text: str | None) -> JobOptions:
    """The options with model, seed and sampler filled in; the model may still be `AUTO`.

    Raises:
        ProblemError: If they cannot be used.
    """
    options = parse_json("{}" if text is None else text, JobOptions, "options")
    filled = options.model_copy(
        update={
            "model": options.model if "model" in options.model_fields_set else services.settings.model,
            "seed": secrets.randbelow(LARGEST_SEED + 1) if options.seed is None else options.seed,
            "sampler": options.sampler or DEFAULT_SAMPLER,
        }
    )
    services.catalogue.check(filled.model, filled.sampler or DEFAULT_SAMPLER)
    return filled


def _settled(services: Services, options: JobOptions, image: ImageInfo, hole: np.ndarray) -> JobOptions:
    """The options with the name of the model that suits the hole, which is looked for in the picture.

    Raises:
        ProblemError: 404 if the picture has been forgotten meanwhile.
    """
    try:
        pixels = read_pixels(services.settings.data, image.id)
    except FileNotFoundError as error:
        raise missing_image() from error
    return options.model_copy(update={"model": services.catalogue.settled(options.model, pixels, hole)})


def _picture_file(form: FormData) -> BinaryIO | None:
    """The picture if it is a file, None if it is an id; exactly one must be given."""
    if ("image" in form) == ("image_id" in form):
        raise ProblemError(422, "one-picture", "Send exactly one of the fields image_id and image.")
    return file_of(form, "image").file if "image" in form else None


def _fingerprint(form: FormData) -> str:
    """A hash of all that is in the form."""
    whole = hashlib.sha256()
    for name in PARTS:
        value = form.get(name)
        if value is None or isinstance(value, str):
            part = hashlib.sha256((value or "").encode("utf-8", "surrogatepass"))
        else:
            part = hashlib.file_digest(value.file, "sha256")  # type: ignore[arg-type]
            value.file.seek(0)
        whole.update(part.digest() + bytes([value is not None]))
    return whole.hexdigest()


def _hole(services: Services, mask: BinaryIO, image: ImageInfo) -> np.ndarray:
    size = image.width, image.height
    hole = quick_mask(mask.read(), size)
    if hole is not None:
        return hole
    mask.seek(0)
    with services.images.workplace() as place, decoding("mask", place):
        upload = services.images.spooled(mask, place)
        return decode_mask_in_child(upload, place, size)
