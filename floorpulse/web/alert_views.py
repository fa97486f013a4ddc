"""Alerts as the pages show them: the steps of a rule joined with what people did about them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from floorpulse.web.formats import kpi_figure, kpi_name, subject_words
from floorpulse.web.record_queries import AlertRow
from records.core.alerts import ALERT_STEPS, Handling, apply_alert
from schemas.records import ALERT, RecordEvent
from schemas.registry import Registry
from schemas.times import to_ms

WINDOW_WORDS = {"now": "now", "day": "today", "shift": "this shift"}
RULE_STATES = {"firing": "firing", "resolved": "over"}


@dataclass(frozen=True, slots=True)
class Marks:
    """What people did about one alert."""

    handling: Handling = field(default_factory=Handling)
    until_ms: int = 0
    """Until when it is snoozed."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert on a page."""

    id: str
    state: str
    """firing, acknowledged, escalated, snoozed, dismissed or over."""
    severity: str
    subject: str
    subject_name: str
    what: str
    kpi: str
    value: str
    threshold: str
    n: int
    started_ms: int
    at_ms: int
    team: str
    who: str
    rule: str
    case: str
    version: int
    steps: tuple[str, ...]
    """What can be done with it."""
    window: str

    @property
    def needs_a_person(self) -> bool:
        """True while it fires and nobody said that it can wait."""
        return self.state in {"firing", "acknowledged", "escalated"}

    @property
    def handling_words(self) -> str:
        """Who has it, or who did what with it; empty while nobody did."""
        if not self.who:
            return ""
        return f"{self.who} has it" if self.state == "acknowledged" else f"{self.state} by {self.who}"

    @property
    def urgency(self) -> tuple[int, int, int]:
        """Sorts what needs somebody first to the top, the newest first within."""
        order = ("firing", "escalated", "acknowledged", "snoozed", "over", "dismissed").index(self.state)
        return order, 0 if self.severity == "act" else 1, -self.started_ms


def marks_of(entries: Iterable[RecordEvent]) -> dict[str, Marks]:
    """What people did, by alert, out of the entries of the ledger in their order."""
    found: dict[str, Marks] = {}
    for entry in entries:
        if entry.stream.startswith(ALERT):
            alert = entry.stream.removeprefix(ALERT)
            before = found.get(alert, Marks())
            until = before.until_ms
            if entry.kind == "alert_snoozed":
                until = to_ms(datetime.fromisoformat(str(entry.body["until"])))
            found[alert] = Marks(apply_alert(before.handling, entry), until)
    return found


def alert_views(
    rows: Iterable[AlertRow],
    marks: Mapping[str, Marks],
    cases: Mapping[str, str],
    registry: Registry,
    now_ms: int,
) -> list[AlertView]:
    """The latest step of each alert with its handling, the most urgent first; `cases` is alert -> case."""
    latest: dict[str, AlertRow] = {}
    for row in rows:
        if row.alert not in latest or row.sequence > latest[row.alert].sequence:
            latest[row.alert] = row
    views = [
        alert_view(row, marks.get(row.alert, Marks()), cases.get(row.alert, ""), registry, now_ms)
        for row in latest.values()
    ]
    return sorted(views, key=lambda view: view.urgency)


def alert_view(row: AlertRow, marks: Marks, case: str, registry: Registry, now_ms: int) -> AlertView:
    """One alert by its latest step."""
    state = state_of(row, marks, now_ms)
    return AlertView(
        id=row.alert,
        state=state,
        severity=row.severity,
        subject=row.subject,
        subject_name=subject_name(row.subject, registry),
        what=kpi_name(row.kpi),
        kpi=row.kpi,
        value=kpi_figure(row.kpi, row.value),
        threshold=kpi_figure(row.kpi, row.threshold),
        n=row.n,
        started_ms=row.started_ms,
        at_ms=row.at_ms,
        team=row.team,
        who=marks.handling.by if state in {"acknowledged", "snoozed", "escalated", "dismissed"} else "",
        rule=row.rule,
        case=case,
        version=marks.handling.version,
        steps=ALERT_STEPS[marks.handling.state] if row.state == "firing" else (),
        window=window_words(row),
    )


def state_of(row: AlertRow, marks: Marks, now_ms: int) -> str:
    """The state a lead sees: a snooze that ran out is firing again, a resolved alert is over unless dismissed."""
    handled = marks.handling.state
    if handled == "dismissed":
        return "dismissed"
    if row.state == "resolved":
        return "over"
    if handled == "snoozed":
        return "snoozed" if marks.until_ms > now_ms else "firing"
    return "firing" if handled == "new" else handled


def window_words(row: AlertRow) -> str:
    """The window in words: last 30 min, today, 14 days."""
    if row.window in WINDOW_WORDS:
        return WINDOW_WORDS[row.window]
    if row.window.endswith("m"):
        return f"last {row.window[:-1]} min"
    return f"{row.window[:-1]} days" if row.window.endswith("d") else row.window


def subject_name(subject: str, registry: Registry) -> str:
    """The subject in words, a queue or team by its name: `Queue Billing`, `Agent a0412`."""
    kind, _, id_ = subject.partition(":")
    if kind == "queue" and id_ in registry.queues:
        return subject_words(f"queue:{registry.queues[id_].name or id_}")
    if kind == "team" and id_ in registry.teams:
        return subject_words(f"team:{registry.teams[id_].name or id_}")
    return subject_words(subject)
