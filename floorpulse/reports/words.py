"""What a report says about its own figures: definitions, zone, attribution, how far it is counted."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from floorpulse.reports.client import FIGURES, Asked, ClientReport, QueueReport
from schemas.kpis import KPIS, SERVICE_LEVEL_VARIANTS
from schemas.times import from_ms
from schemas.view_kpis import VIEW_KPIS

ATTRIBUTION = (
    "Each thing counts in the interval in which it happened: a contact that is offered at 10:29 and answered at 10:31"
    " is offered in the first half hour and answered in the second. A handled contact counts with all its time in the"
    " interval in which its wrap ended. In progress is who waits in the queue at the end of the interval, so offered"
    " and in progress before = answered + abandoned + flowed out + in progress after."
)
NOTHING = "An empty value means that there was nothing to divide by; it is not a zero."


def names() -> dict[str, str]:
    """Figure -> its name."""
    return {figure: (VIEW_KPIS if figure in VIEW_KPIS else KPIS)[figure].name for figure in FIGURES}


def definitions() -> list[tuple[str, str]]:
    """(name, formula in words) of each figure; the service level is said queue by queue."""
    said = {figure: (VIEW_KPIS if figure in VIEW_KPIS else KPIS)[figure].words for figure in FIGURES}
    said["service_level"] = (
        "By the contract of each queue, as it stands there; over all queues: the same contacts, pooled."
    )
    return [(name, said[figure]) for figure, name in names().items()]


def contract(report: QueueReport) -> str:
    """The service level of a queue's contract in one sentence."""
    goal = report.queue.service_level
    words = SERVICE_LEVEL_VARIANTS[goal.variant][0]
    limits = f"T = {goal.threshold_s} s" + (
        f", S = {goal.short_s} s" if "within S" in words or "after S" in words else ""
    )
    return f"{words} {limits}; goal {goal.goal:.0%}; variant {goal.variant}."


def notes(report: ClientReport) -> list[tuple[str, str]]:
    """(what, words) of the report as a whole."""
    asked = report.asked
    return [
        ("Client", report.name),
        ("From", local(asked.from_ms, asked.zone)),
        ("To", f"{local(asked.to_ms, asked.zone)} (exclusive)"),
        ("Time zone", f"{asked.zone.key}: days and intervals are local; each time has its offset"),
        ("Interval", _interval(asked)),
        ("Counted up to", _freshness(report)),
        ("Attribution", ATTRIBUTION),
        ("Missing values", NOTHING),
        *_kept(report),
        ("Contracts", f"as the registry holds them in revision {report.revision}"),
        ("Made", f"{local(report.made_ms, asked.zone)} by floorpulse"),
    ]


def _kept(report: ClientReport) -> list[tuple[str, str]]:
    if not report.kept_from_ms:
        return []
    since = local(report.kept_from_ms, report.asked.zone)
    words = "before that, who is in progress is left empty, and what does not add up is not said"
    return [("Single contacts", f"known from {since} on: {words}")]


def oddities(report: QueueReport) -> str:
    """What does not add up in a queue; empty where everything does, or where nobody knows any more."""
    said = []
    if report.never_left:
        said.append(f"{report.never_left} offered that were neither answered, abandoned nor flowed out within 12 h")
    if report.never_offered:
        said.append(f"{report.never_offered} that left the queue without being offered")
    return f"Does not add up: {', '.join(said)}." if said else ""


def local(ms: int, zone: ZoneInfo) -> str:
    """An instant in a zone, with its offset, to the second."""
    return instant(ms, zone).isoformat(" ", "seconds")


def instant(ms: int, zone: ZoneInfo) -> datetime:
    """An aware instant in a zone."""
    return from_ms(ms).astimezone(zone)


def _interval(asked: Asked) -> str:
    if asked.step_s == 86_400:
        return "a local day"
    return f"{asked.step_s // 60} min, from local midnight" if asked.step_s else "the whole range"


def _freshness(report: ClientReport) -> str:
    until = local(report.counted_to_ms, report.asked.zone)
    if report.counted_to_ms >= report.asked.to_ms:
        return f"{until}: the range is over, later corrections aside"
    return f"{until}: the range is not over; its last interval is not whole, and later ones are left out"
