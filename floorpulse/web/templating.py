"""Jinja2 with the filters of the pages; nothing in a template is trusted but the pieces made here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from floorpulse.web.areas import ROWS, unfolded
from floorpulse.web.formats import LIVE_NAMES
from floorpulse.web.fragments import Published
from schemas.kpis import KPIS, LIVE_KPIS
from schemas.times import utc_minute

DEFINITIONS: tuple[tuple[str, str, str], ...] = (
    *((kpi.id, kpi.name, kpi.words) for kpi in KPIS.values() if kpi.id != "service_level"),
    ("service_level", "Service level", "Answered within T seconds, by the variant that each queue's contract names."),
    ("waiting", "Waiting", "Contacts that entered a queue and were neither answered nor gave up yet."),
    *((kpi, LIVE_NAMES[kpi], words) for kpi, words in LIVE_KPIS.items()),
)


def templates() -> Environment:
    """The environment of all pages."""
    env = Environment(
        loader=PackageLoader("floorpulse.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["utc"] = utc_minute
    return env


def helpers(published: Published) -> dict[str, Callable[..., object]]:
    """What a page needs to put itself together from the pieces of one state."""
    return {
        "piece": lambda piece: Markup(published.html(piece)),
        "order": published.order,
        "all": partial(_all, published),
    }


def teams_html(published: Published) -> Markup:
    """The teams with their heads in their places, and the rows of those that begin unfolded."""
    filled = frozenset(unfolded(published))
    return Markup("").join(_team(published, id_, filled) for id_ in published.order("teams"))


def _all(published: Published, container: str) -> Markup:
    return Markup("\n").join(Markup(published.html(id_)) for id_ in published.order(container))


def _team(published: Published, id_: str, filled: frozenset[str]) -> Markup:
    safe = escape(id_)
    head, rows = f'<div id="head-{safe}"></div>', f'<tbody id="{ROWS}{safe}" data-order></tbody>'
    html = published.html(id_).replace(head, published.html(f"head-{id_}"))
    if ROWS + id_ in filled:
        html = html.replace(rows, rows.replace("></tbody>", f">{_all(published, ROWS + id_)}</tbody>"))
    return Markup(html)
