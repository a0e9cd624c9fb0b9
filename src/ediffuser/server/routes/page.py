"""The page: what Vite has built, looked up by its exact name."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, PlainTextResponse, Response

from ediffuser.server.problems import plain_problem

PAGE = Path(__file__).parents[1] / "page"
NOT_BUILT = "The page is not built yet: run `make page`, or use the interface described in /api/openapi.json.\n"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


def page_router(folder: Path = PAGE) -> APIRouter:
    """Routes for the files in a folder; /assets/ holds those whose names contain a hash of their content."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/{name:path}", methods=["GET", "HEAD"])
    def read_page(name: str) -> Response:
        path = _files(folder).get(name or "index.html")
        if path is None and not name:
            return PlainTextResponse(NOT_BUILT)
        if path is None:
            raise plain_problem(404)
        kept = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        media_type = TYPES.get(path.suffix, "application/octet-stream")
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": kept})

    return router


def _files(folder: Path) -> dict[str, Path]:
    """All files by their names in addresses. A name is looked up, never joined to a path."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path for path in files}
