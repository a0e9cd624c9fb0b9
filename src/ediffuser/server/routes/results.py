"""What a job has painted, as files."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ediffuser.editing.photo import Photo
from ediffuser.server import storage
from ediffuser.server.images import missing_image
from ediffuser.server.pictures import MEDIA_TYPES, composed, encoded, mask_file
from ediffuser.server.problems import ProblemError, documented
from ediffuser.server.routes.words import OwnJob, Variation, as_files
from ediffuser.server.schemas import FileFormat, JobInfo, ResultInfo
from ediffuser.server.services import Running, Services

Format = Annotated[FileFormat, Query(description="PNG is lossless; so is WebP without a quality.")]
Quality = Annotated[int | None, Query(ge=1, le=100, description="Of JPEG and WebP; larger is better.")]

router = APIRouter(prefix="/api/jobs/{job}", tags=["results"])


@router.get(
    "/mask",
    operation_id="readMask",
    summary="Where a job paints",
    response_class=Response,
    responses={
        **as_files("White where it paints, 1 bit a pixel, the picture's size.", "image/png"),
        **documented(404, 422),
    },
)
async def read_mask(services: Running, info: OwnJob) -> Response:
    """The hole of a job as it was taken in."""

    def file() -> bytes:
        return mask_file(storage.read_mask(services.settings.data, info.id, info.image.width))

    return Response(await services.in_thread(file), media_type="image/png")


@router.get(
    "/results/{variation}/patch",
    operation_id="readPatch",
    summary="The painted rectangle of a variation",
    response_class=Response,
    responses={**as_files("The hole's bounding box of the finished picture.", "image/png"), **documented(404, 422)},
)
async def read_patch(services: Running, info: OwnJob, variation: Variation) -> Response:
    """The part of the picture that differs; `box` of the result says where it lies."""
    result_of(info, variation)
    path = storage.patch_path(services.settings.data, info.id, variation)
    return Response(await services.in_light_thread(path.read_bytes), media_type="image/png")


@router.get(
    "/results/{variation}",
    operation_id="readResult",
    summary="A finished picture, to save",
    response_class=Response,
    responses={
        **as_files("The whole picture, as an attachment. Says that a model painted in it.", *MEDIA_TYPES.values()),
        **documented(404, 422),
    },
)
async def read_result(
    services: Running, info: OwnJob, variation: Variation, format: Format = "png", quality: Quality = None
) -> Response:
    """Upright, without EXIF, with the colour profile. In PNG and lossless WebP nothing outside the hole differs."""
    result = result_of(info, variation)

    def file() -> bytes:
        return encoded(compose_result(services, info, result), format, quality, generated=True)

    content = await services.in_thread(file)
    ending = "jpg" if format == "jpeg" else format
    name = f"ediffuser-{result.seed}-{variation}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA_TYPES[format], headers=headers)


def result_of(info: JobInfo, variation: int) -> ResultInfo:
    """A finished variation of a job.

    Raises:
        ProblemError: 404 if it is not finished.
    """
    for result in info.results:
        if result.variation == variation:
            return result
    raise ProblemError(404, "unknown-result", "The job has no finished variation of this number, or not yet.")


def compose_result(services: Services, info: JobInfo, result: ResultInfo) -> Photo:
    """The whole picture of a variation, from the stored photo and the patch.

    Raises:
        ProblemError: 404 if the photo has been removed.
    """
    data = services.settings.data
    try:
        photo = services.images.photo(info.image.id)
    except FileNotFoundError as error:
        raise missing_image() from error
    hole = storage.read_mask(data, info.id, info.image.width)
    return composed(photo, hole, storage.patch_path(data, info.id, result.variation))
