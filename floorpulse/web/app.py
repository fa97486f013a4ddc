"""The web application: routes, headers and the poller's life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles

from floorpulse.web.actions import Commands
from floorpulse.web.clients import Clients
from floorpulse.web.forms import form_routes
from floorpulse.web.fragments import renderer
from floorpulse.web.letters import letter_routes
from floorpulse.web.live import Viewers
from floorpulse.web.metrics import WebMetrics
from floorpulse.web.pages import page_routes, system_routes
from floorpulse.web.poller import Poller
from floorpulse.web.proof import Proof
from floorpulse.web.quality import quality_routes
from floorpulse.web.site import Site, problem, wants_json
from floorpulse.web.templating import templates
from schemas.errors import FloorpulseError
from sources.readers.origin import is_known_host, is_of_another_site

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from floorpulse.settings import Settings

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
MAX_BODY = 100_000
"""Forms are small; anything larger is no form of ours."""
_FOR_PROGRAMS = frozenset({"/healthz", "/readyz", "/metrics"})
"""They tell of nobody, and whoever watches may call a machine as it likes."""


def create_web(
    settings: Settings,
    client_factory: Callable[[], Client],
    commands: Commands,
    proof_factory: Callable[[], Client] | None = None,
) -> FastAPI:
    """
    The web of one floor; its poller lives from the application's start to its end.

    `proof_factory`: clients for the proof, whose questions take longer than those of a page; None: the same.
    """
    env, metrics = templates(), WebMetrics()
    viewers = Viewers(uuid4().hex[:8], settings.clock, metrics.viewers.set)
    poller = Poller(client_factory, renderer(env), metrics, settings.clock)
    poller.listen(viewers.tell)
    clients = Clients(client_factory)
    proof = Proof(proof_factory or client_factory, metrics, settings.retention())
    site = Site(settings, env, poller, viewers, clients, commands, metrics)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        poller.start()
        proof.start()
        yield
        proof.stop()
        poller.stop()
        clients.close()

    app = FastAPI(title="floorpulse", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for routes_of in (form_routes, page_routes, quality_routes, letter_routes, system_routes):
        app.include_router(routes_of(site))
    _guard(app, site)
    return app


def _guard(app: FastAPI, site: Site) -> None:
    names = site.settings.names()

    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuse names of other sites, their forms and large bodies; count and mark every answer."""
        refused = _refused(request, names)
        response = refused if refused is not None else await call_next(request)
        for name, value in HEADERS.items():
            response.headers[name] = value
        if not request.url.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-store"
            site.metrics.requests.labels(_label(request), response.status_code).inc()
        else:
            response.headers["Cache-Control"] = "no-cache"
        return response

    @app.exception_handler(FloorpulseError)
    async def unavailable(request: Request, error: FloorpulseError) -> Response:
        """Say that a part of the floor does not answer; the live parts of the page go on."""
        structlog.get_logger(__name__).warning("page_failed", path=request.url.path, reason=str(error))
        if wants_json(request):
            return problem(503, f"Not saved: {error}.")
        context = {"title": "Not now", "detail": f"{error}. Nothing is lost; try again in a moment."}
        return site.page(request, "problem.html", "problem", context, 503)

    @app.exception_handler(404)
    async def unknown(request: Request, _: Exception) -> Response:
        """The page for a path that is none."""
        context = {"title": "No such page", "detail": f"{request.url.path} is no page of this floor."}
        return site.page(request, "problem.html", "problem", context, 404)


def _refused(request: Request, names: frozenset[str]) -> Response | None:
    host = request.headers.get("host", "")
    if request.url.path not in _FOR_PROGRAMS and not is_known_host(host, names):
        return PlainTextResponse("refused: this name is not in the setting host_names of this floor\n", 421)
    if request.method in {"GET", "HEAD"}:
        return None
    if is_of_another_site(request.headers, names):
        return PlainTextResponse("refused: this form was sent by another site\n", 403)
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MAX_BODY:
        return PlainTextResponse(f"refused: a form of at most {MAX_BODY} bytes was expected\n", 413)
    return None


def _label(request: Request) -> str:
    """The kind of page: a label for each id would never end."""
    first = request.url.path.split("/")[1]
    pages = {"", "alerts", "cases", "data-quality", "dead-letters", "viewer"}
    known = pages | {"find", "live", "healthz", "readyz", "metrics"}
    return (first or "board") if first in known else "other"
