"""Cases: coaching goes from proposed to closed step by step; notes, recognitions and needs are open or closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from records.core.chain import Draft, refusal
from schemas.records import CaseKind, ChangeOfCase, OpenCase, RecordEvent, RecordEventKind, case_id
from schemas.times import to_ms

CaseState = Literal["open", "proposed", "acknowledged", "planned", "session_held", "closed"]
CaseStep = Literal["acknowledge_case", "plan_case", "hold_session", "close_case", "comment_case"]

STEPS: dict[CaseState, tuple[CaseStep, ...]] = {
    "open": ("close_case", "comment_case"),
    "proposed": ("acknowledge_case", "close_case", "comment_case"),
    "acknowledged": ("plan_case", "close_case", "comment_case"),
    "planned": ("plan_case", "hold_session", "close_case", "comment_case"),
    "session_held": ("plan_case", "hold_session", "close_case", "comment_case"),
    "closed": ("comment_case",),
}
"""What a person can do in each state."""

_ENTRY: dict[CaseStep, RecordEventKind] = {
    "acknowledge_case": "case_acknowledged",
    "plan_case": "plan_written",
    "hold_session": "session_held",
    "close_case": "case_closed",
    "comment_case": "case_commented",
}
STATE_AFTER: dict[RecordEventKind, CaseState] = {
    "case_acknowledged": "acknowledged",
    "plan_written": "planned",
    "session_held": "session_held",
    "case_closed": "closed",
}
"""The state that an entry leads to; the other entries leave it as it is."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case as its entries leave it."""

    id: str
    kind: CaseKind
    stream: str
    kpi: str
    rule: str
    team: str
    site: str
    state: CaseState
    version: int
    alerts: tuple[str, ...]
    opened_ms: int
    changed_ms: int
    owner: str = ""
    """Who acknowledged it."""
    plan: dict[str, Any] | None = None
    sessions: int = 0
    outcome: str = ""

    @property
    def is_open(self) -> bool:
        """True until somebody closes it."""
        return self.state != "closed"


def first_state(kind: str) -> CaseState:
    """The state in which a case of this kind begins."""
    return "proposed" if kind == "coaching" else "open"


def decide_opening(cases: dict[str, Case], command: OpenCase) -> Draft:
    """
    What an alert that asks for a case comes to.

    An alert that is in a case of the stream already, open or closed, opens nothing; an open case of the same kind
    and KPI takes it as evidence.
    """
    transition, opens = command.body.transition, command.body.opens
    if transition.subject != command.stream:
        return refusal("", 0, "wrong_stream", f"the alert is about {transition.subject}, not {command.stream}")
    body: dict[str, Any] = {"opens": opens, "transition": transition.model_dump(mode="json")}
    known = next((case for case in cases.values() if transition.alert in case.alerts), None)
    if known is not None:
        return refusal(known.id, known.version, "already_recorded", f"the alert is in case {known.id} already")
    for case in cases.values():
        if case.is_open and (case.kind, case.kpi) == (opens, transition.kpi):
            return Draft("evidence_added", case.id, case.version + 1, body)
    return Draft("case_opened", case_id(transition.alert), 1, body)


def decide_case(case: Case | None, command: ChangeOfCase) -> Draft:
    """What a person's step comes to; refused when a rule asks, the record changed meanwhile or the state forbids."""
    if case is None:
        return refusal("", 0, "unknown_record", f"no case {command.record} in {command.stream}")
    if command.by_rule:
        return refusal(case.id, case.version, "not_by_rule", "only a person can do this")
    if command.expected_version not in {None, case.version}:
        detail = f"the case changed meanwhile: version {case.version}, you saw {command.expected_version}"
        return refusal(case.id, case.version, "stale", detail)
    if command.kind not in STEPS[case.state]:
        allowed = ", ".join(STEPS[case.state])
        detail = f"{command.kind} is not possible while the case is {case.state}: expected {allowed}"
        return refusal(case.id, case.version, "wrong_state", detail)
    return Draft(_ENTRY[command.kind], case.id, case.version + 1, command.body.model_dump(mode="json"))


def apply_case(case: Case | None, entry: RecordEvent) -> Case | None:
    """The case after an entry about it; None while there is none."""
    if entry.kind == "case_opened":
        return _opened(entry)
    if case is None or entry.kind == "command_refused":
        return case
    state = STATE_AFTER.get(entry.kind, case.state)
    case = replace(case, state=state, version=entry.version, changed_ms=to_ms(entry.at))
    return _with_body(case, entry, dict(entry.body))


def _opened(entry: RecordEvent) -> Case:
    body: dict[str, Any] = dict(entry.body)
    transition = body["transition"]
    at_ms = to_ms(entry.at)
    return Case(
        id=entry.record,
        kind=body["opens"],
        stream=entry.stream,
        kpi=transition["kpi"],
        rule=transition["rule"],
        team=transition["team"],
        site=transition["site"],
        state=first_state(body["opens"]),
        version=entry.version,
        alerts=(transition["alert"],),
        opened_ms=at_ms,
        changed_ms=at_ms,
    )


def _with_body(case: Case, entry: RecordEvent, body: dict[str, Any]) -> Case:
    match entry.kind:
        case "evidence_added":
            return replace(case, alerts=(*case.alerts, body["transition"]["alert"]))
        case "case_acknowledged":
            return replace(case, owner=entry.by)
        case "plan_written":
            return replace(case, plan=body)
        case "session_held":
            return replace(case, sessions=case.sessions + 1)
        case "case_closed":
            return replace(case, outcome=body["outcome"])
        case _:
            return case
