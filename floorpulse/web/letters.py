"""The pages on dead letters: what could not be taken, why, and what to do about each."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from floorpulse.access import note_looks
from floorpulse.clock import now_ms
from floorpulse.redrive import refusal
from floorpulse.web.pages import not_found
from floorpulse.web.site import Site, viewer_of
from schemas.telemetry import DEAD_REASON_MEANINGS
from sinks.letters import LetterQuery, StoredLetter, count_letters, find_letters

SHOWN = 50
_LONGEST_VALUE = 4_000


def letter_routes(site: Site) -> APIRouter:
    """`/dead-letters`, with `?reason=` and `?source=`, and a page for each letter."""
    routes = APIRouter(default_response_class=HTMLResponse)

    @routes.get("/dead-letters")
    def letters(request: Request, reason: str = "", source: str = "") -> Response:
        """How many by reason and source, and the newest of them."""
        with site.clients.borrow() as client:
            counts = count_letters(client, LetterQuery())
            newest = find_letters(client, LetterQuery(reason=reason, source=source, limit=SHOWN))
        context = {
            "counts": counts,
            "total": sum(count for _, _, _, count, _, _ in counts),
            "letters": newest,
            "chosen": {"reason": reason, "source": source},
            "meanings": DEAD_REASON_MEANINGS,
        }
        return site.page(request, "dead_letters.html", "data-quality", context)

    @routes.get("/dead-letters/{place:path}")
    def letter(request: Request, place: str) -> Response:
        """One letter whole; a look at one that tells of an agent is logged."""
        now = now_ms()
        with site.clients.borrow() as client:
            found = find_letters(client, LetterQuery(place=place))
            note_looks(client, viewer_of(request), found, site.poller.live.registry, place, now)
        if not found:
            return not_found(site, request, "dead letter", place)
        context = {"letters": [_shown(one, now) for one in found], "meanings": DEAD_REASON_MEANINGS}
        return site.page(request, "dead_letter.html", "data-quality", context)

    return routes


def _shown(letter: StoredLetter, now: int) -> dict[str, Any]:
    try:
        value = letter.value.decode("utf-8")
    except UnicodeDecodeError:
        value = letter.value.hex(" ")
    cut = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}..."
    return {"letter": letter, "value": cut, "size": len(letter.value), "refused": refusal(letter, now)}
