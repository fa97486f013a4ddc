"""The page on trouble with clocks and data: what `floorpulse data-quality` says, for the last day, week or all time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from floorpulse.web.numbers import number_of
from floorpulse.web.site import Site
from schemas.times import HOUR_MS
from sinks.quality import Finding, all_time, read_quality

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SPANS = {24: "24 hours", 168: "7 days", 0: "All time"}
"""Hours before the floor's time; 0: everything that is kept."""


def quality_routes(site: Site) -> APIRouter:
    """`/data-quality`, with `?hours=` of `SPANS`."""
    routes = APIRouter(default_response_class=HTMLResponse)

    @routes.get("/data-quality")
    def data_quality(request: Request, hours: str = "24") -> Response:
        """Each rule, how often it struck, an example, and what to do."""
        asked = number_of(hours)
        span = asked if asked is not None and asked in SPANS else 24
        with site.clients.borrow() as client:
            findings = _findings(client, span)
        context = {"findings": findings, "spans": SPANS, "span": span, "found": sum(map(is_trouble, findings))}
        return site.page(request, "data_quality.html", "data-quality", context)

    return routes


def is_trouble(finding: Finding) -> bool:
    """True for what somebody should look at: duplicates are harmless, and every feed is silent at times."""
    return finding.n != 0 and finding.check.id not in {"duplicates", "silence"}


def _findings(client: Client, hours: int) -> list[Finding]:
    first, last = all_time(client)
    return read_quality(client, max(first, last - hours * HOUR_MS) if hours else first, last)
