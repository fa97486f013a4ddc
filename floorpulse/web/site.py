"""What every request shares: settings, poller, viewers, clients; and how a page is rendered with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from fastapi.responses import HTMLResponse, JSONResponse

from floorpulse.clock import now_ms
from floorpulse.web.areas import AREAS, unfolded
from floorpulse.web.live import Viewers, head_of
from floorpulse.web.places import zone_of
from floorpulse.web.templating import DEFINITIONS, helpers

if TYPE_CHECKING:
    from fastapi import Request
    from jinja2 import Environment

    from floorpulse.settings import Settings
    from floorpulse.web.actions import Commands
    from floorpulse.web.clients import Clients
    from floorpulse.web.metrics import WebMetrics
    from floorpulse.web.poller import Live, Poller

DEFAULT_VIEWER = "lead"
THEMES = frozenset({"dark", "light"})
MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class Site:
    """The parts that the routes work with."""

    settings: Settings
    templates: Environment
    poller: Poller
    viewers: Viewers
    clients: Clients
    commands: Commands
    metrics: WebMetrics

    def page(
        self,
        request: Request,
        name: str,
        page: str,
        context: Mapping[str, Any],
        status: int = 200,
        *,
        live: Live | None = None,
        subject: str = "",
    ) -> HTMLResponse:
        """
        A whole page; `page` names the tab, and with it what is updated live.

        `live` is what the context was made of, where that is so: the page is told of all that changed after it.
        `subject` is whom it is about: its times are in that zone, those of other pages in the floor's.
        """
        live = live or self.poller.live
        zone = zone_of(subject, live.registry, live.pulse.clock_ms or now_ms()).key
        areas = [*sorted({"head", page} & AREAS), *(unfolded(live.published) if page == "board" else ())]
        base: dict[str, Any] = {
            "page": page,
            "areas": areas,
            "head": head_of(live, self.settings.clock) | {"zone": zone},
            "stamp": self.viewers.stamp(live),
            "theme": theme_of(request),
            "viewer": viewer_of(request),
            "here": request.url.path if request.method == "GET" else "/",
            "definitions": DEFINITIONS,
            "message": None,
        }
        html = self.templates.get_template(name).render(base | helpers(live.published) | dict(context))
        return HTMLResponse(html, status)


def viewer_of(request: Request) -> str:
    """Who looks: `?as=NAME`, else the cookie, else `lead`."""
    return clean_name(request.query_params.get("as") or unquote(request.cookies.get("viewer", ""))) or DEFAULT_VIEWER


def clean_name(name: str) -> str:
    """A name as it can be written into the ledger; a rule's `rule:` is nobody's name."""
    printable = "".join(letter for letter in name if letter.isprintable()).strip()[:MAX_NAME]
    return "" if printable.startswith("rule:") else printable


def cookie_value(name: str) -> str:
    """A name as a cookie can hold it."""
    return quote(name)


def theme_of(request: Request) -> str:
    """dark, light, or `''` for that of the system."""
    theme = request.cookies.get("theme", "")
    return theme if theme in THEMES else ""


def local_path(path: str) -> str:
    """A path on this site to go back to; `/` for anything else."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def wants_json(request: Request) -> bool:
    """True for a script, which gets JSON where a person gets a page."""
    return "application/json" in request.headers.get("accept", "")


def problem(status: int, detail: str) -> JSONResponse:
    """A problem document (RFC 9457) for something that was not saved."""
    body = {"type": "about:blank", "title": "Not saved", "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
