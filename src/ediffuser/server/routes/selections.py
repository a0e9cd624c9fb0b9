"""Selection by clicks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ediffuser.server.bodies import LARGEST_JSON, json_body, json_request
from ediffuser.server.pictures import mask_file
from ediffuser.server.problems import documented
from ediffuser.server.routes.words import as_files, find_image
from ediffuser.server.schemas import SelectionRequest
from ediffuser.server.services import Running

router = APIRouter(prefix="/api/selections", tags=["pictures"])


@router.post(
    "",
    operation_id="select",
    summary="Select the object at some points",
    response_class=Response,
    max_body_size=LARGEST_JSON,
    openapi_extra=json_request(SelectionRequest),
    responses={
        **as_files("White where the object is, 1 bit a pixel, the picture's size.", "image/png"),
        **documented(404, 413, 415, 422),
    },
)
async def select(
    services: Running, request: Annotated[SelectionRequest, Depends(json_body(SelectionRequest))]
) -> Response:
    """A mask of the object that holds the positive points and not the negative ones; the box narrows it down."""
    await find_image(services, request.image)

    def file() -> bytes:
        return mask_file(services.selections.select(request))

    return Response(await services.in_thread(file), media_type="image/png")
