"""The pages: board, inbox, cases, and what is live on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse

from floorpulse.access import note_look
from floorpulse.clock import now_ms
from floorpulse.web.areas import Found, find_agents
from floorpulse.web.details import alert_page, case_page
from floorpulse.web.live import answers
from floorpulse.web.places import site_of_floor
from floorpulse.web.site import Site, viewer_of
from floorpulse.web.templating import teams_html
from schemas.registry import DEFAULT_SITE, Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_FOUND = 12
"""Whoever gets so many types another letter."""


def page_routes(site: Site) -> APIRouter:
    """What can be looked at."""
    routes = APIRouter(default_response_class=HTMLResponse)

    @routes.get("/")
    def board(request: Request) -> Response:
        """The floor board."""
        live = site.poller.live
        context = {"teams": teams_html(live.published), "site": _name_of(live.registry)}
        return site.page(request, "board.html", "board", context, live=live)

    @routes.get("/alerts")
    def alerts(request: Request) -> Response:
        """The inbox."""
        return site.page(request, "alerts.html", "alerts", {"alert": None, "plot": None})

    @routes.get("/alerts/{alert:path}")
    def alert(request: Request, alert: str) -> Response:
        """One alert with its evidence."""
        return show_alert(site, request, alert)

    @routes.get("/cases")
    def cases(request: Request) -> Response:
        """All cases."""
        return site.page(request, "cases.html", "cases", {"case": None, "plot": None})

    @routes.get("/cases/{case:path}")
    def case(request: Request, case: str) -> Response:
        """One case."""
        return show_case(site, request, case)

    return routes


def system_routes(site: Site) -> APIRouter:
    """The live stream, health and metrics."""
    routes = APIRouter()

    @routes.get("/live")
    async def live(request: Request, since: str = "") -> Response:
        """Server-sent events with what changes in each `area` given, and all of each `fresh` one first."""
        last = request.headers.get("last-event-id", since)
        areas, fresh = (request.query_params.getlist(name) for name in ("area", "fresh"))
        stream = site.viewers.stream(site.poller.live, site.viewers.since(last), areas, fresh)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    @routes.get("/find")
    def find(text: Annotated[str, Query(min_length=1, max_length=200)]) -> list[Found]:
        """The agents on the board whose id or name holds a text."""
        return find_agents(site.poller.live.published, text, MOST_FOUND)

    @routes.get("/healthz")
    async def healthz() -> Response:
        """Alive."""
        return PlainTextResponse("ok\n")

    @routes.get("/readyz")
    async def readyz() -> Response:
        """Ready: ClickHouse answered a moment ago."""
        fresh = answers(site.poller.live)
        return PlainTextResponse("ready\n" if fresh else "ClickHouse does not answer\n", 200 if fresh else 503)

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return PlainTextResponse(site.metrics.text(), media_type="text/plain; version=0.0.4")

    return routes


def show_alert(
    site: Site, request: Request, alert: str, extra: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    """The page of an alert; a look at an agent's is logged."""
    live = site.poller.live
    with site.clients.borrow() as client:
        context = alert_page(client, live, alert, now_ms())
        if context is None:
            return not_found(site, request, "alert", alert)
        if context["subject"].startswith("agent:"):
            note_look(client, viewer_of(request), context["subject"], "alert", alert, now_ms())
    merged, subject = _merged(context, extra), context["subject"]
    return site.page(request, "alerts.html", "alerts", merged, status, live=live, subject=subject)


def show_case(
    site: Site, request: Request, case: str, extra: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    """The page of a case; each look is logged."""
    live = site.poller.live
    with site.clients.borrow() as client:
        context = case_page(client, live, case, now_ms())
        if context is None:
            return not_found(site, request, "case", case)
        note_look(client, viewer_of(request), context["subject"], "case", case, now_ms())
    merged, subject = _merged(context, extra), context["subject"]
    return site.page(request, "cases.html", "cases", merged, status, live=live, subject=subject)


def not_found(site: Site, request: Request, what: str, id_: str) -> Response:
    """The page for an id that nobody knows."""
    context = {"title": f"No such {what}", "detail": f"There is no {what} {id_!r}. It may belong to another floor."}
    return site.page(request, "problem.html", "problem", context, 404)


def _merged(context: dict[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """What somebody typed stays in the form when it could not be saved."""
    more = dict(extra or {})
    typed = context["typed"] | more.pop("typed", {})
    return context | more | {"typed": typed}


def _name_of(registry: Registry) -> str:
    site = site_of_floor(registry)
    return "Floor" if site == DEFAULT_SITE else f"Floor {site}"
