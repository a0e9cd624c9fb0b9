"""What can be chosen from, and how the server is."""

from fastapi import APIRouter

from ediffuser.server.catalogue import samplers
from ediffuser.server.problems import ProblemError, documented
from ediffuser.server.schemas import Health, ModelCard, ModelInfo, Readiness, SamplerInfo
from ediffuser.server.services import Running

router = APIRouter(prefix="/api", tags=["catalogue"])


@router.get("/models", operation_id="listModels", summary="The models", responses=documented())
async def list_models(services: Running) -> list[ModelInfo]:
    """All models that a job may name."""
    return services.catalogue.models()


@router.get("/models/{name}", operation_id="readModel", summary="A model and its card", responses=documented(404, 422))
async def read_model(services: Running, name: str) -> ModelCard:
    """What a model is, was trained on, can do and cannot do."""
    card = services.catalogue.model(name)
    if card is None:
        raise ProblemError(404, "unknown-model", "There is no model of this name.")
    return card


@router.get("/samplers", operation_id="listSamplers", summary="The samplers", responses=documented())
async def list_samplers() -> list[SamplerInfo]:
    """The ways from noise to a picture, with the JSON Schema of their settings."""
    return samplers()


@router.get("/health", operation_id="readHealth", summary="Whether the server lives", responses=documented())
async def read_health() -> Health:
    """Answers as long as the server does; asks for no token."""
    return Health()


@router.get("/ready", operation_id="readReadiness", summary="Whether jobs are painted", responses=documented(503))
async def read_readiness(services: Running) -> Readiness:
    """Whether the worker has loaded its model; jobs are taken in before that too, and wait."""
    readiness = services.supervisor.readiness()
    if isinstance(readiness, str):
        raise ProblemError(503, "not-ready", readiness, {"Retry-After": "2"})
    return readiness
