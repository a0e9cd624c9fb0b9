"""The application: the routes behind the guard, with every error a problem and every answer described."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ediffuser.server import problems
from ediffuser.server.guard import Guard
from ediffuser.server.routes import catalogue, images, jobs, results, selections
from ediffuser.server.routes.page import page_router
from ediffuser.server.schemas import JobEvents, JobOptions, Margins, Problem, ResultName, SelectionRequest
from ediffuser.server.services import running
from ediffuser.server.settings import ServerSettings

VERSION = "0.1.0"
TITLE = "EDIFFUSER editor"
SUMMARY = "Paint holes in photos with a diffusion model. Errors are problem+json; `type` is a stable word."
# What routes refer to by name.
NAMED = (JobEvents, JobOptions, Margins, Problem, ResultName, SelectionRequest)


def create_app(settings: ServerSettings) -> FastAPI:
    """The server's application. It opens the data directory and starts the worker when it is started itself."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        version=VERSION,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    problems.install(app)
    app.add_middleware(Guard, settings=settings)
    for router in (images.router, selections.router, jobs.router, results.router, catalogue.router, page_router()):
        app.include_router(router)
    app.openapi = lambda: described(app)
    return app


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=TITLE, version=VERSION, summary=SUMMARY, routes=app.routes)
        _, definitions = models_json_schema(
            [(model, "validation") for model in NAMED], ref_template="#/components/schemas/{model}"
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in definitions["$defs"].items():
            schemas.setdefault(name, schema)
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = document
    return app.openapi_schema
