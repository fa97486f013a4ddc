"""The rest of the KPI catalogue: figures that need single facts, and come from a view of their own."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.kpi_model import Better, Unit


@dataclass(frozen=True, slots=True)
class ViewKpi:
    """A figure that needs single facts rather than sums of panes: a view of ClickHouse makes it."""

    id: str
    name: str
    words: str
    unit: Unit
    better: Better
    view: str
    source: str = ""


VIEW_KPIS: dict[str, ViewKpi] = {
    kpi.id: kpi
    for kpi in (
        ViewKpi(
            "first_contact_resolution",
            "First contact resolution (by window)",
            "Contacts of known customers without another contact of the same customer within N days, divided by"
            " contacts of known customers whose N days are over.",
            "share",
            "higher",
            "repeats",
            "SQM, opsdog",
        ),
        ViewKpi(
            "repeat_rate",
            "Repeat contacts",
            "1 less first contact resolution by window.",
            "share",
            "lower",
            "repeats",
        ),
        ViewKpi(
            "in_progress",
            "In progress",
            "Offered and neither answered, abandoned nor flowed out at the end of the interval.",
            "count",
            "none",
            "queue_balance",
        ),
        ViewKpi(
            "backlog",
            "Backlog",
            "Tickets open at the end of the interval: created and reopened less solved.",
            "count",
            "lower",
            "backlog",
        ),
        ViewKpi(
            "first_reply_s",
            "First reply",
            "From a ticket's creation to the first reply; by the calendar, and within the queue's business hours.",
            "s",
            "lower",
            "tickets",
            "Zendesk",
        ),
        ViewKpi(
            "resolution_s",
            "Resolution",
            "From a ticket's creation to its first, and to its last, solution; by the calendar, and in business hours.",
            "s",
            "lower",
            "tickets",
            "Zendesk",
        ),
    )
}
