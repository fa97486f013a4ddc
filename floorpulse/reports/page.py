"""A client's report as one HTML file that needs nothing else: to be sent, opened anywhere and printed."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from floorpulse.reports.client import FIGURES, ClientReport
from floorpulse.reports.words import contract, definitions, instant, names, notes, oddities
from floorpulse.web.formats import NOTHING, duration
from schemas.kpis import KPIS


def as_html(report: ClientReport) -> bytes:
    """The whole page, UTF-8."""
    env = Environment(
        loader=PackageLoader("floorpulse", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    zone = report.asked.zone
    env.filters["clock"] = lambda ms: instant(ms, zone).isoformat(" ", "minutes")
    env.filters["iso"] = lambda ms: instant(ms, zone).isoformat()
    env.filters["contract"] = contract
    env.filters["oddities"] = oddities
    page = env.get_template("client.html").render(
        report=report,
        figures=FIGURES,
        names=names(),
        notes=notes(report),
        definitions=definitions(),
        shown=shown,
    )
    return page.encode("utf-8")


def shown(figure: str, value: float | None) -> str:
    """A figure as people read it: 81.1 %, 0:42, 1,204; a dash where there is none."""
    if value is None:
        return NOTHING
    unit = KPIS[figure].unit if figure in KPIS else "count"
    if unit == "share":
        return f"{value * 100:.1f} %"
    return duration(value) if unit == "s" else f"{value:,.0f}"
