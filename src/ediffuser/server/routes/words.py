"""What several routes share: ids in addresses, and how files are answered with."""

from typing import Annotated, Any

from fastapi import Depends, Path, Response

from ediffuser.server.images import ID, missing_image
from ediffuser.server.problems import ProblemError
from ediffuser.server.schemas import MOST_VARIATIONS, ImageInfo, JobInfo
from ediffuser.server.services import ClientName, Running, Services

ImageId = Annotated[str, Path(description="Id of a stored picture.")]
JobId = Annotated[str, Path(description="Id of a job.")]
Variation = Annotated[int, Path(ge=0, lt=MOST_VARIATIONS, description="Number of a variation, from 0.")]


async def find_image(services: Services, image: str) -> ImageInfo:
    """What is known of a picture.

    Raises:
        ProblemError: 404 if there is none of this id.
    """
    info = await services.in_light_thread(services.images.find, image)
    if info is None:
        raise missing_image()
    return info


def find_job(services: Services, client: str, job: str) -> JobInfo:
    """A job of this client as it stands.

    Raises:
        ProblemError: 404 if the client has none of this id; that another one has does not show.
    """
    info = services.supervisor.info(job) if ID.fullmatch(job) and services.store.client_of(job) == client else None
    if info is None:
        raise ProblemError(404, "unknown-job", "There is no job of this id: it may have been removed for its age.")
    return info


async def own_job(services: Running, client: ClientName, job: JobId) -> JobInfo:
    """A dependency: the job in the address. Not in a thread, as the supervisor belongs to the event loop."""
    return find_job(services, client, job)


OwnJob = Annotated[JobInfo, Depends(own_job, use_cache=False)]


def as_files(description: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of an answer that is a file."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {name: {"schema": schema} for name in media_types}}}


class PngResponse(Response):
    """A PNG file."""

    media_type = "image/png"
