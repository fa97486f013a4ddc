"""
What people did about an alert: acknowledged, snoozed, escalated, dismissed.

The alert itself fires and resolves by its rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from records.core.chain import Draft, refusal
from schemas.alerts import Transition
from schemas.records import ALERT, ChangeOfAlert, EscalateAlert, RecordEvent, RecordEventKind, SnoozeAlert
from schemas.times import iso, to_ms

HandlingState = Literal["new", "acknowledged", "snoozed", "escalated", "dismissed"]
AlertStep = Literal["acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"]

ALERT_STEPS: dict[HandlingState, tuple[AlertStep, ...]] = {
    "new": ("acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"),
    "acknowledged": ("snooze_alert", "escalate_alert", "dismiss_alert"),
    "snoozed": ("acknowledge_alert", "snooze_alert", "escalate_alert", "dismiss_alert"),
    "escalated": ("acknowledge_alert", "snooze_alert", "dismiss_alert"),
    "dismissed": (),
}
"""What a person can do in each state."""

_ENTRY: dict[AlertStep, RecordEventKind] = {
    "acknowledge_alert": "alert_acknowledged",
    "snooze_alert": "alert_snoozed",
    "escalate_alert": "alert_escalated",
    "dismiss_alert": "alert_dismissed",
}
_STATE_AFTER: dict[RecordEventKind, HandlingState] = {
    "alert_acknowledged": "acknowledged",
    "alert_snoozed": "snoozed",
    "alert_escalated": "escalated",
    "alert_dismissed": "dismissed",
}


@dataclass(frozen=True, slots=True)
class Handling:
    """An alert as people left it."""

    state: HandlingState = "new"
    version: int = 0
    by: str = ""
    changed_ms: int = 0


def refuse_unknown(command: ChangeOfAlert) -> Draft:
    """What a step about an alert comes to that does not exist."""
    return refusal("", 0, "unknown_record", f"no alert {command.stream.removeprefix(ALERT)}")


def decide_alert(handling: Handling, command: ChangeOfAlert, now_ms: int, fired: Transition | None = None) -> Draft:
    """
    What a person's step comes to; refused when a rule asks, it changed meanwhile or the state forbids.

    `fired`: how the alert fired, for an escalation: it goes with it, for those who have not seen the alert.
    """
    alert, version = command.stream.removeprefix(ALERT), handling.version
    if not command.stream.startswith(ALERT):
        return refusal("", 0, "wrong_stream", f"{command.stream} is no alert: expected {ALERT}ID")
    if command.by_rule:
        return refusal(alert, version, "not_by_rule", "only a person can do this")
    if command.expected_version not in {None, version}:
        detail = f"the alert changed meanwhile: version {version}, you saw {command.expected_version}"
        return refusal(alert, version, "stale", detail)
    if command.kind not in ALERT_STEPS[handling.state]:
        detail = f"{command.kind} is not possible: the alert is {handling.state} already"
        return refusal(alert, version, "wrong_state", detail)
    if isinstance(command, SnoozeAlert) and to_ms(command.body.until) <= now_ms:
        return refusal(alert, version, "in_the_past", f"until: expected an instant after {iso(now_ms)}")
    body = command.body.model_dump(mode="json")
    if isinstance(command, EscalateAlert) and fired is not None:
        body["transition"] = fired.model_dump(mode="json")
    return Draft(_ENTRY[command.kind], alert, version + 1, body)


def apply_alert(handling: Handling, entry: RecordEvent) -> Handling:
    """The handling after an entry about the alert; a refusal leaves it."""
    if entry.kind not in _STATE_AFTER:
        return handling
    return replace(
        handling, state=_STATE_AFTER[entry.kind], version=entry.version, by=entry.by, changed_ms=to_ms(entry.at)
    )
