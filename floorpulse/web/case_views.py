"""Coaching cases as the pages show them, folded out of the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from floorpulse.web.formats import kpi_figure, kpi_name, subject_words
from records.core.coaching import STEPS, Case, apply_case
from schemas.alerts import Transition
from schemas.records import RecordEvent
from schemas.times import to_ms

KIND_WORDS = {
    "coaching": "Coaching case",
    "appraisal_note": "Appraisal note",
    "recognition": "Recognition",
    "training_need": "Training need",
}
STATE_WORDS = {
    "open": "open",
    "proposed": "proposed",
    "acknowledged": "acknowledged",
    "planned": "planned",
    "session_held": "session held",
    "closed": "closed",
}
OUTCOME_WORDS = {
    "improved": "improved",
    "not_improved": "not improved",
    "not_needed": "not needed",
    "other": "other",
}
ENTRY_WORDS = {
    "case_opened": "Case opened",
    "evidence_added": "Evidence added",
    "case_acknowledged": "Case acknowledged",
    "plan_written": "Plan written",
    "session_held": "Session held",
    "case_closed": "Case closed",
    "case_commented": "Comment",
    "alert_acknowledged": "Alert acknowledged",
    "alert_snoozed": "Alert snoozed",
    "alert_escalated": "Alert escalated",
    "alert_dismissed": "Alert dismissed",
    "command_refused": "Refused",
}


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case in the list."""

    id: str
    kind: str
    subject: str
    kpi: str
    state: str
    state_words: str
    owner: str
    team: str
    opened_ms: int
    changed_ms: int
    due: str
    outcome: str
    version: int
    alerts: int

    @property
    def urgency(self) -> tuple[bool, int]:
        """Open cases first, the newest first within."""
        return self.state == "closed", -self.opened_ms


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline."""

    at_ms: int
    by: str
    words: str
    lines: tuple[tuple[str, str], ...]
    """(what, text) of its details."""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """One alert behind a case, as it was copied into it: it cannot be edited."""

    transition: Transition
    value: str
    threshold: str
    what: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case, whole."""

    row: CaseRow
    case: Case
    proofs: tuple[Proof, ...]
    timeline: tuple[Entry, ...]
    steps: tuple[str, ...]


def fold_cases(entries: Iterable[RecordEvent]) -> dict[str, Case]:
    """Every case by its id, out of the entries of the ledger in their order."""
    cases: dict[str, Case] = {}
    for entry in entries:
        case = apply_case(cases.get(entry.record), entry) if entry.record else None
        if case is not None:
            cases[case.id] = case
    return cases


def case_of_alert(cases: Mapping[str, Case]) -> dict[str, str]:
    """Alert -> the case that holds it."""
    return {alert: case.id for case in cases.values() for alert in case.alerts}


def case_rows(cases: Iterable[Case]) -> list[CaseRow]:
    """The list of cases: open ones first, the newest first."""
    return sorted((_row(case) for case in cases), key=lambda row: row.urgency)


def case_view(entries: Sequence[RecordEvent]) -> CaseView | None:
    """One case out of its own entries; None when they open none."""
    case = None
    for entry in entries:
        case = apply_case(case, entry)
    if case is None:
        return None
    return CaseView(
        row=_row(case),
        case=case,
        proofs=tuple(_proof(entry) for entry in entries if entry.kind in {"case_opened", "evidence_added"}),
        timeline=timeline(entries),
        steps=STEPS[case.state],
    )


def timeline(entries: Iterable[RecordEvent]) -> tuple[Entry, ...]:
    """What happened, the newest first."""
    found = [
        Entry(
            at_ms=to_ms(entry.at),
            by=entry.by,
            words=ENTRY_WORDS.get(entry.kind, entry.kind),
            lines=_lines(entry),
            is_private=bool(entry.body.get("private_notes")),
        )
        for entry in entries
    ]
    return tuple(sorted(found, key=lambda entry: -entry.at_ms))


def _row(case: Case) -> CaseRow:
    return CaseRow(
        id=case.id,
        kind=KIND_WORDS.get(case.kind, case.kind),
        subject=subject_words(case.stream),
        kpi=kpi_name(case.kpi),
        state=case.state,
        state_words=STATE_WORDS[case.state],
        owner=case.owner,
        team=case.team,
        opened_ms=case.opened_ms,
        changed_ms=case.changed_ms,
        due=str((case.plan or {}).get("due", "")),
        outcome=OUTCOME_WORDS.get(case.outcome, case.outcome),
        version=case.version,
        alerts=len(case.alerts),
    )


def _proof(entry: RecordEvent) -> Proof:
    transition = Transition.model_validate(entry.body["transition"])
    return Proof(
        transition=transition,
        value=kpi_figure(transition.kpi, transition.value),
        threshold=kpi_figure(transition.kpi, transition.threshold),
        what=kpi_name(transition.kpi),
    )


def _lines(entry: RecordEvent) -> tuple[tuple[str, str], ...]:
    body: dict[str, Any] = dict(entry.body)
    if "transition" in body and entry.kind != "alert_escalated":
        step = body["transition"]
        value, limit = kpi_figure(step["kpi"], step["value"]), kpi_figure(step["kpi"], step["threshold"])
        return (("Why", f"{kpi_name(step['kpi'])} {value} against {limit}, n {step['n']}, rule {step['rule']}"),)
    named = (
        ("goal", "Goal"),
        ("actions", "Actions"),
        ("due", "Due"),
        ("shared_notes", "Notes"),
        ("private_notes", "Private notes"),
        ("outcome", "Outcome"),
        ("note", "Note"),
        ("text", "Said"),
        ("reason", "Reason"),
        ("detail", "Detail"),
        ("until", "Until"),
    )
    return tuple((name, _text(key, body[key])) for key, name in named if body.get(key))


def _text(key: str, value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return OUTCOME_WORDS.get(value, str(value)) if key == "outcome" else str(value)
