"""Pictures: upload, look at, extend, and results that become pictures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from starlette.datastructures import FormData

from ediffuser.editing.extend import extend
from ediffuser.server.bodies import (
    FORM_OVERHEAD,
    LARGEST_JSON,
    file_of,
    form_body,
    form_request,
    json_body,
    json_request,
)
from ediffuser.server.pictures import MEDIA_TYPES, encoded, shrunk
from ediffuser.server.problems import ProblemError, documented
from ediffuser.server.routes.results import Format, Quality, compose_result, result_of
from ediffuser.server.routes.words import ImageId, as_files, find_image, find_job
from ediffuser.server.schemas import LARGEST_SIDE, ImageInfo, Margins, ResultName
from ediffuser.server.services import ClientName, Running
from ediffuser.server.settings import LARGEST_FILE

FILE = {"type": "string", "format": "binary", "description": "Still JPEG, PNG or WebP, at most 100 MB."}

router = APIRouter(prefix="/api/images", tags=["pictures"])


@router.post(
    "",
    status_code=201,
    operation_id="uploadImage",
    summary="Upload a picture",
    max_body_size=LARGEST_FILE + FORM_OVERHEAD,
    openapi_extra=form_request({"image": FILE}, ["image"]),
    responses=documented(413, 415, 422, 507),
)
async def upload_image(services: Running, form: Annotated[FormData, Depends(form_body("image"))]) -> ImageInfo:
    """Stores a picture for selections and jobs. Bytes decide the format; sides 16 to 16,384, at most 50 megapixels."""
    return await services.in_thread(services.images.add_upload, file_of(form, "image").file)


@router.get(
    "/{image}",
    operation_id="readImage",
    summary="A stored picture",
    response_class=Response,
    responses={**as_files("The picture, upright.", *MEDIA_TYPES.values()), **documented(404, 422)},
)
async def read_image(
    services: Running,
    image: ImageId,
    format: Format = "png",
    quality: Quality = None,
    max_side: Annotated[
        int | None, Query(ge=1, le=LARGEST_SIDE, description="Shrinks the picture so that no side is longer.")
    ] = None,
) -> Response:
    """The stored picture as a file of any format, at full size or smaller."""
    info = await find_image(services, image)

    def file() -> bytes:
        photo = shrunk(services.images.photo(info.id), max_side or LARGEST_SIDE)
        return encoded(photo, format, quality, generated=services.images.is_generated(info.id))

    return Response(await services.in_thread(file), media_type=MEDIA_TYPES[format])


@router.post(
    "/{image}/extended",
    status_code=201,
    operation_id="extendImage",
    summary="Extend the canvas of a picture",
    max_body_size=LARGEST_JSON,
    openapi_extra=json_request(Margins),
    responses=documented(404, 413, 415, 422, 507),
)
async def extend_image(
    services: Running, image: ImageId, margins: Annotated[Margins, Depends(json_body(Margins))]
) -> ImageInfo:
    """A new picture with a larger canvas; what is new is filled softly, and is yours to paint over."""
    info = await find_image(services, image)

    def work() -> ImageInfo:
        photo, _ = extend(services.images.photo(info.id), **margins.model_dump())
        return services.images.add(photo, generated=services.images.is_generated(info.id))

    return await services.in_thread(work)


@router.post(
    "/{image}/composed",
    status_code=201,
    operation_id="composeImage",
    summary="Make a result a picture of its own",
    max_body_size=LARGEST_JSON,
    openapi_extra=json_request(ResultName),
    responses=documented(404, 413, 415, 422, 507),
)
async def compose_image(
    services: Running, client: ClientName, image: ImageId, name: Annotated[ResultName, Depends(json_body(ResultName))]
) -> ImageInfo:
    """A new picture: the result of a job on this picture. To go on from it."""
    info = find_job(services, client, name.job)
    if info.image.id != image:
        raise ProblemError(422, "other-picture", "The job painted in another picture than the one in the address.")
    result = result_of(info, name.variation)

    def work() -> ImageInfo:
        return services.images.add(compose_result(services, info, result), generated=True)

    return await services.in_thread(work)
