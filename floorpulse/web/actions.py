"""What a person does on a page, as commands on the ledger's streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from pydantic import ValidationError

from floorpulse.clock import utc_now
from floorpulse.commands import Outcome, new_command_id, send_command
from floorpulse.settings import Settings
from schemas.errors import InputError
from schemas.records import ALERT, COMMAND_ADAPTER, Command

SNOOZE = timedelta(minutes=30)
DONE_WORDS = {
    "acknowledge_alert": "You have this alert now.",
    "snooze_alert": "Quiet for 30 minutes.",
    "escalate_alert": "Handed on to the floor manager, with your reason.",
    "dismiss_alert": "Dismissed, with your reason on record.",
    "acknowledge_case": "You have this case now.",
    "plan_case": "The plan is written.",
    "hold_session": "The session is on record.",
    "close_case": "The case is closed.",
    "comment_case": "Your comment is on record.",
}
FIELD_WORDS = {
    "goal": "Goal: say what shall be reached",
    "actions": "Actions: expected at most 50 lines of 500 letters",
    "due": "Due: expected a date",
    "shared_notes": "Notes: say what you spoke about",
    "outcome": "Outcome: choose one",
    "text": "Comment: say something",
    "reason": "Reason: say why",
    "target": "Target: expected a number",
}


class Commands(Protocol):
    """Where commands go."""

    def send(self, command: Command) -> Outcome:
        """Send one command and wait a few seconds for its outcome; Unavailable when nobody takes it."""


class LedgerCommands:
    """Commands by way of Kafka to the ledger."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, command: Command) -> Outcome:
        """See `Commands.send`."""
        return send_command(self._settings, command)


def alert_command(kind: str, alert: str, by: str, version: int | None, fields: dict[str, str]) -> Command:
    """A person's step about an alert; InputError names the field that is missing."""
    body: dict[str, Any] = {}
    if kind == "snooze_alert":
        body = {"until": (utc_now() + SNOOZE).isoformat()}
    elif kind in {"escalate_alert", "dismiss_alert"}:
        body = {"reason": fields.get("reason", "")}
    return _command(kind, f"{ALERT}{alert}", by, {"record": alert, "expected_version": version, "body": body})


def case_command(kind: str, stream: str, case: str, by: str, version: int | None, fields: dict[str, str]) -> Command:
    """A person's step about a case; InputError names the field that is missing or wrong."""
    bodies: dict[str, dict[str, Any]] = {
        "plan_case": {
            "goal": fields.get("goal", ""),
            "target": fields.get("target") or None,
            "actions": [line for line in fields.get("actions", "").splitlines() if line.strip()],
            "due": fields.get("due", ""),
        },
        "hold_session": {
            "shared_notes": fields.get("shared_notes", ""),
            "private_notes": fields.get("private_notes", ""),
        },
        "close_case": {"outcome": fields.get("outcome", ""), "note": fields.get("note", "")},
        "comment_case": {"text": fields.get("text", "")},
    }
    values = {"record": case, "expected_version": version, "body": bodies.get(kind, {})}
    return _command(kind, stream, by, values)


def _command(kind: str, stream: str, by: str, values: dict[str, Any]) -> Command:
    try:
        return COMMAND_ADAPTER.validate_python(
            {"id": new_command_id(), "kind": kind, "stream": stream, "by": by, **values}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "step")
        raise InputError(f"{FIELD_WORDS.get(name, name)} ({first['msg']}).") from None
