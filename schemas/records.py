"""
What people and rules ask of a record (`Command`), and what the ledger made of it (`RecordEvent`).

A command is addressed to one stream, `agent:ID` or `alert:ID` for instance; the owner of the stream decides it and
answers with entries of the ledger. A refusal is an entry too.
"""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from schemas.alerts import Opens, Transition
from schemas.errors import InvalidEvent

CaseKind = Literal["coaching", "appraisal_note", "recognition", "training_need"]
Outcome = Literal["improved", "not_improved", "not_needed", "other"]
RecordEventKind = Literal[
    "case_opened",
    "evidence_added",
    "case_acknowledged",
    "plan_written",
    "session_held",
    "case_closed",
    "case_commented",
    "alert_acknowledged",
    "alert_snoozed",
    "alert_escalated",
    "alert_dismissed",
    "command_refused",
    "erased",
]
RefusalReason = Literal[
    "stale",
    "unknown_record",
    "wrong_stream",
    "wrong_state",
    "already_recorded",
    "not_by_rule",
    "in_the_past",
]

RULE = "rule:"
"""How the `by` of a rule's command begins."""
ALERT = "alert:"
"""How the stream of an alert begins."""
ERASED = "erased:"
"""How the stream begins that the entries of somebody who was erased are left in, without their content."""

Id = Annotated[str, Field(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Notes = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]


def _visible(name: str) -> str:
    if not name.isprintable():
        raise ValueError("expected letters that can be seen, in one line")
    return name


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_visible)]


class Frozen(BaseModel):
    """Strict keys, no changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Frozen):
    """The body of a command that says all with its kind."""


class Opening(Frozen):
    """The alert that asks for a case, and which kind of case."""

    transition: Transition
    opens: CaseKind


class Plan(Frozen):
    """What is agreed: the goal in words, optionally as a value of the case's KPI, the actions, the day it is due."""

    goal: Text
    target: Annotated[float | None, Field(allow_inf_nan=False)] = None
    actions: Annotated[list[Line], Field(max_length=50)] = []
    due: date


class Session(Frozen):
    """One coaching session; the agent sees the shared notes only."""

    shared_notes: Text
    private_notes: Notes = ""
    rating: Annotated[int | None, Field(ge=1, le=5)] = None
    """How useful the session was, 1 to 5."""


class Closing(Frozen):
    """How a case ended."""

    outcome: Outcome
    note: Notes = ""


class Comment(Frozen):
    """A remark on a case, of the agent for instance."""

    text: Text


class Snooze(Frozen):
    """Until when an alert shall be quiet."""

    until: AwareDatetime


class Escalation(Frozen):
    """Why somebody else has to look after an alert."""

    reason: Text


class Dismissal(Frozen):
    """Why an alert is none."""

    reason: Text


class CommandBase(Frozen):
    """What every command says: to which stream, by whom, about which record in which version."""

    id: Id
    stream: Annotated[str, Field(pattern=r"(?s)^[a-z]+:.+$", max_length=220)]
    by: Name
    """Work id of a person, or `rule:ID`."""
    at: AwareDatetime | None = None
    """The instant of a rule's command; a person's happens when the broker takes it."""
    record: Id | None = None
    """The case; None where the stream says it all."""
    expected_version: Annotated[int | None, Field(ge=0)] = None
    """The version that the person saw; None: whatever it is now."""

    @property
    def by_rule(self) -> bool:
        """True when no person stands behind it."""
        return self.by.startswith(RULE)

    @model_validator(mode="after")
    def _only_rules_tell_the_time(self) -> CommandBase:
        if self.by_rule != (self.at is not None):
            raise ValueError("at: expected for a command of a rule, and only there")
        return self


class OpenCase(CommandBase):
    """Open a case for an alert, or add the alert to the case that is open already."""

    kind: Literal["open_case"] = "open_case"
    body: Opening


class CaseCommand(CommandBase):
    """Anything done to a case that exists."""

    record: Id


class AcknowledgeCase(CaseCommand):
    """Take a proposed case on."""

    kind: Literal["acknowledge_case"] = "acknowledge_case"
    body: Nothing = Nothing()


class PlanCase(CaseCommand):
    """Write or rewrite the plan."""

    kind: Literal["plan_case"] = "plan_case"
    body: Plan


class HoldSession(CaseCommand):
    """Note a session that was held."""

    kind: Literal["hold_session"] = "hold_session"
    body: Session


class CloseCase(CaseCommand):
    """End a case."""

    kind: Literal["close_case"] = "close_case"
    body: Closing


class CommentCase(CaseCommand):
    """Say something about a case."""

    kind: Literal["comment_case"] = "comment_case"
    body: Comment


class AcknowledgeAlert(CommandBase):
    """Say that somebody looks after an alert."""

    kind: Literal["acknowledge_alert"] = "acknowledge_alert"
    body: Nothing = Nothing()


class SnoozeAlert(CommandBase):
    """Keep an alert quiet for a while."""

    kind: Literal["snooze_alert"] = "snooze_alert"
    body: Snooze


class EscalateAlert(CommandBase):
    """Hand an alert on to the floor manager."""

    kind: Literal["escalate_alert"] = "escalate_alert"
    body: Escalation


class DismissAlert(CommandBase):
    """Say that an alert is none."""

    kind: Literal["dismiss_alert"] = "dismiss_alert"
    body: Dismissal


ChangeOfCase = AcknowledgeCase | PlanCase | HoldSession | CloseCase | CommentCase
ChangeOfAlert = AcknowledgeAlert | SnoozeAlert | EscalateAlert | DismissAlert
Command = Annotated[OpenCase | ChangeOfCase | ChangeOfAlert, Field(discriminator="kind")]
COMMAND_ADAPTER: TypeAdapter[Command] = TypeAdapter(Command)


class RecordEvent(Frozen):
    """One entry of the ledger: the message on `floor.record-events` and a row of `record_events`."""

    stream: str
    sequence: int
    """Place in the stream, from 1."""
    id: str
    kind: RecordEventKind
    at: AwareDatetime
    by: str
    command: str
    """The command it answers."""
    record: str
    """The case or the alert it is about; `''` for a refusal that is about none."""
    version: int
    """Version of that record after it; a refusal makes no new one."""
    body: dict[str, JsonValue]
    previous: str
    """Hash of the entry before it; `''` for the first."""
    hash: str


def open_command(transition: Transition, opens: Opens) -> OpenCase | None:
    """The command of a transition that fires a rule which opens something; None for any other transition."""
    if transition.state != "firing" or opens == "nothing":
        return None
    return OpenCase(
        id=digest(transition.alert, "open"),
        stream=transition.subject,
        by=f"{RULE}{transition.rule}",
        at=transition.at,
        body=Opening(transition=transition, opens=opens),
    )


def erased_stream(stream: str) -> str:
    """Where the entries of a stream are left when its person is erased: to be found by whoever knows the stream."""
    return f"{ERASED}{digest(stream)}"


def case_id(alert: str) -> str:
    """The id of the case that an alert opens: the same alert, the same case."""
    return digest(alert, "case")


def digest(*parts: str) -> str:
    """A short id made of its parts, the same wherever it is made: 20 hex digits."""
    return blake2b("\x1f".join(parts).encode(), digest_size=10).hexdigest()


def decode_command(value: bytes) -> Command:
    """The command in a message of `floor.commands`; InvalidEvent `invalid` names the field."""
    try:
        return COMMAND_ADAPTER.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part not in COMMAND_KINDS) or "message"
        raise InvalidEvent("invalid", f"{place}: {first['msg']}") from None


COMMAND_KINDS: frozenset[str] = frozenset(
    model.model_fields["kind"].default for model in (OpenCase, *get_args(ChangeOfCase), *get_args(ChangeOfAlert))
)
