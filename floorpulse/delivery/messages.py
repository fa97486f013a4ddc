"""What is told: notices out of transitions and record events, messages of several notices, marks of what was sent."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.alerts import ReceiverRole, Transition
from schemas.records import RecordEvent, digest
from schemas.times import from_ms, iso, to_ms

MarkState = Literal["claimed", "sent", "failed"]
What = Literal["alert_firing", "alert_resolved", "alert_escalated", "case_opened"]

BUCKET_MS = 5_000
"""Alerts of one receiver within this time go in one message."""
LATEST_MS = 15 * 60_000
"""Older than this behind the wall clock, a notice is of no use to anybody."""
NOTICES_PER_MESSAGE = 40
"""Keeps a message under the 20 kB that receivers of webhooks accept."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell somebody."""

    key: str
    """The same for the same thing, whenever it is read."""
    at_ms: int
    what: What
    team: str
    site: str
    subject: str
    text: str
    receiver: ReceiverRole = "lead"
    """Who is told first."""

    def content(self) -> dict[str, Any]:
        """The notice in the body of a webhook."""
        return {"id": self.key, "what": self.what, "at": iso(self.at_ms), "team": self.team, "site": self.site} | {
            "subject": self.subject,
            "text": self.text,
        }


class Message(BaseModel):
    """What one receiver gets in one go. The same id is the same message, however often it is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    receiver: str
    at: AwareDatetime
    """The instant of its first notice."""
    notices: list[dict[str, Any]]
    """In the order of their instants."""

    def is_late(self, now_ms: int) -> bool:
        """True when all that it tells is too old; as long as one notice is not, it goes out whole, under its one id."""
        return all(now_ms - told_at_ms(notice) > LATEST_MS for notice in self.notices)

    def tells_of(self, subjects: Collection[str]) -> bool:
        """True when one of its notices is about one of the subjects."""
        return any(notice["subject"] in subjects for notice in self.notices)

    def without(self, subjects: Collection[str]) -> Message:
        """The same message without its notices about some subjects; there may be none left."""
        left = [notice for notice in self.notices if notice["subject"] not in subjects]
        return self.model_copy(update={"notices": left})

    @property
    def title(self) -> str:
        """One line about the whole."""
        first = _one_line(self.notices[0])
        return first if len(self.notices) == 1 else f"{first} (and {len(self.notices) - 1} more)"

    @property
    def text(self) -> str:
        """A line for each notice."""
        return "\n".join(map(_one_line, self.notices))

    def payload(self) -> bytes:
        """The body of a webhook."""
        data = {"id": self.id, "notices": self.notices}
        content = {"type": "floorpulse.notices", "timestamp": iso(to_ms(self.at)), "data": data}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


class Mark(BaseModel):
    """The message on `floor.deliveries`: claimed before a message is sent, then sent or failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: MarkState
    message: Message


def message_id(receiver: str, group: str, at_ms: int) -> str:
    """The id of a message: receiver, group (the key of its first notice) and the bucket of that one's instant."""
    return digest(receiver, group, str(at_ms // BUCKET_MS))


def message_of(receiver: str, notices: list[Notice]) -> Message:
    """One message of notices, in the order of their instants."""
    ordered = sorted(notices, key=lambda notice: (notice.at_ms, notice.key))
    first = ordered[0]
    return Message(
        id=message_id(receiver, first.key, first.at_ms),
        receiver=receiver,
        at=from_ms(first.at_ms),
        notices=[notice.content() for notice in ordered],
    )


def told_at_ms(notice: dict[str, Any]) -> int:
    """The instant of a notice in a message."""
    return to_ms(datetime.fromisoformat(notice["at"]))


def of_transition(step: Transition) -> Notice:
    """What a step of an alert tells."""
    what: What = "alert_firing" if step.state == "firing" else "alert_resolved"
    return Notice(
        key=f"{step.alert}/{step.sequence}",
        at_ms=to_ms(step.at),
        what=what,
        team=step.team,
        site=step.site,
        subject=step.subject,
        text=f"{step.state} ({step.severity}): {_numbers(step)}",
        receiver=step.receiver,
    )


def of_record_event(event: RecordEvent) -> Notice | None:
    """
    What an entry of the ledger tells: a case that was opened, an alert that was escalated; None for any other.

    An escalation is told to the floor manager, whoever was told of the alert.
    """
    body: dict[str, Any] = dict(event.body)
    if event.kind == "case_opened":
        step = Transition.model_validate(body["transition"])
        words = f"{body['opens'].replace('_', ' ')} case {event.record} opened"
        return _of_entry(event, "case_opened", step, words, step.receiver)
    if event.kind == "alert_escalated" and "transition" in body:
        step = Transition.model_validate(body["transition"])
        words = f"escalated by {event.by} ({step.severity}, {body['reason']})"
        return _of_entry(event, "alert_escalated", step, words, "manager")
    return None


def _of_entry(event: RecordEvent, what: What, step: Transition, words: str, receiver: ReceiverRole) -> Notice:
    return Notice(
        key=event.id,
        at_ms=to_ms(event.at),
        what=what,
        team=step.team,
        site=step.site,
        subject=step.subject,
        text=f"{words}: {_numbers(step)}",
        receiver=receiver,
    )


def _one_line(notice: dict[str, Any]) -> str:
    """The text of a notice; the ids in it may hold line breaks."""
    return " ".join(str(notice["text"]).split())


def _numbers(step: Transition) -> str:
    value = "-" if step.value is None else _in_words(step.value)
    return f"{step.rule}, {step.subject}: {step.kpi} {value} over {step.window} (limit {step.threshold:g}, n {step.n})"


def _in_words(value: float) -> str:
    """Four digits that tell, but no digit of a whole number cut: 12,345 contacts are not 1.234e+04."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
