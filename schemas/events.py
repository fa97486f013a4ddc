"""
What happened on the floor, and the decoder of its log, in which control records (`schemas.controls`) stand too.

The models are the decoder too: one message is validated on its own by `decode`. An event says who saw it
(`source`), which fact it is (`id`, unique within the source), in which state of correction (`revision`) and when
it happened (`at`, ISO 8601 with offset). Names are past tense. One fact has one owner: its key is an agent or a
queue, and where both need to know, the reader emits two events.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from typing_extensions import TypeIs

from schemas.controls import Control, Id, Record, is_control
from schemas.errors import InvalidEvent
from schemas.times import to_ms

MAX_EVENT_BYTES = 32_768

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
Instant = Annotated[AwareDatetime, Field(ge=EARLIEST)]
"""No floor is older; programs say "no time" by the years 1, 1601, 1899 or 1970."""
Seconds = Annotated[float, Field(ge=0, le=31_622_400, allow_inf_nan=False)]
"""A duration in seconds, kept to the millisecond."""
Points = Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)]
"""Points and weights of an evaluation: within these bounds their products and sums are numbers."""
Channel = Literal["voice", "chat", "email", "message", "callback", "task"]
State = Literal["ready", "ringing", "on_contact", "hold", "wrap", "away", "offline"]


class Event(Record):
    """The envelope of every event."""

    at: Instant
    """The instant it happened."""
    source: Annotated[Id, Field(pattern=r"^[^\x1f]+$")]
    """The system that saw it, e.g. `acd-manila`."""
    id: Id
    """Unique within the source; the same fact sent again has the same id."""
    revision: Annotated[int, Field(ge=0, le=2**31)] = 0
    """A higher revision replaces a lower one of the same (source, id, type)."""
    void: bool = False
    """True when the fact is taken back: it stays on record and counts for nothing."""
    clamped_s: Annotated[float, Field(ge=0, le=2)] = 0.0
    """A negative gap between two clocks that the reader set to 0: at most 2 s, counted for all to see."""

    @cached_property
    def at_ms(self) -> int:
        """The instant it happened, epoch ms."""
        return to_ms(self.at)

    @cached_property
    def identity(self) -> str:
        """Which fact it is, whatever key or time it carries: source, id and type."""
        return joined(self.source, self.id, self.type)  # type: ignore[attr-defined]

    @cached_property
    def subject(self) -> str:
        """The owner of the fact, `agent:ID` or `queue:ID`: the key of its message."""
        return subject_of(self)  # type: ignore[arg-type]


class ContactOffered(Event):
    """A contact entered a queue."""

    type: Literal["contact_offered"] = "contact_offered"
    contact: Id
    queue: Id
    channel: Channel = "voice"
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0
    customer: Id | None = None
    """A hash of the customer's number or address, never the number itself."""


class ContactAnswered(Event):
    """A contact left its queue for an agent."""

    type: Literal["contact_answered"] = "contact_answered"
    contact: Id
    queue: Id
    channel: Channel = "voice"
    agent: Id | None = None
    waited_s: Seconds


class ContactAbandoned(Event):
    """The customer gave up while waiting in a queue."""

    type: Literal["contact_abandoned"] = "contact_abandoned"
    contact: Id
    queue: Id
    channel: Channel = "voice"
    waited_s: Seconds


class ContactFlowedOut(Event):
    """A contact left a queue otherwise: by timeout, by a key, to another queue, for a callback."""

    type: Literal["contact_flowed_out"] = "contact_flowed_out"
    contact: Id
    queue: Id
    channel: Channel = "voice"
    waited_s: Seconds
    why: Literal["timeout", "key", "overflow", "callback", "empty", "withdrawn", "other"] = "other"
    to: Id | None = None


class ContactAccepted(Event):
    """An agent took a contact that was offered to them."""

    type: Literal["contact_accepted"] = "contact_accepted"
    contact: Id
    agent: Id
    queue: Id | None = None
    channel: Channel = "voice"
    rang_s: Seconds = 0.0


class ContactRejected(Event):
    """A contact was offered to an agent, who did not take it."""

    type: Literal["contact_rejected"] = "contact_rejected"
    contact: Id
    agent: Id
    queue: Id | None = None
    channel: Channel = "voice"
    rang_s: Seconds = 0.0


class ContactHandled(Event):
    """A contact is finished, wrap included; `at` is the end of wrap."""

    type: Literal["contact_handled"] = "contact_handled"
    contact: Id
    agent: Id | None = None
    """None when nobody knows who handled it: it then counts for queue and site and for no agent."""
    queue: Id | None = None
    channel: Channel = "voice"
    direction: Literal["inbound", "outbound", "internal"] = "inbound"
    started_at: Instant
    waited_s: Seconds | None = None
    talk_s: Seconds
    hold_s: Seconds = 0.0
    wrap_s: Seconds = 0.0
    transferred: bool = False
    outcome: Annotated[str, Field(max_length=200)] | None = None


class StateChanged(Event):
    """An agent entered a state, and stays in it until the next change."""

    type: Literal["state_changed"] = "state_changed"
    agent: Id
    state: State
    reason: Annotated[str, Field(max_length=100)] | None = None
    """The reason code of an away state, e.g. `lunch`."""


class QualityItem(BaseModel):
    """One question of an evaluation: `points` of `most`, or None where it did not apply."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    item: Id
    weight: Points = 1.0
    points: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    most: Points = 1.0
    fatal: bool = False
    """True when it is a fatal item and it failed: the whole evaluation scores 0."""

    @model_validator(mode="after")
    def _within_most(self) -> QualityItem:
        if self.points is not None and self.points > self.most:
            raise ValueError(f"points: expected at most {self.most:g}, found {self.points:g}")
        return self


class QualityScored(Event):
    """Somebody evaluated a contact of an agent: a score, or the items that it comes from."""

    type: Literal["quality_scored"] = "quality_scored"
    agent: Id
    contact: Id | None = None
    form: Id = "default"
    form_version: Id = "1"
    score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    """Per cent of the points that were possible; 0 after a fatal item. None: as the items say."""
    items: Annotated[list[QualityItem], Field(max_length=500)] = []  # noqa: RUF012  a model copies its defaults
    fatal: bool = False
    evaluator: Id | None = None

    @model_validator(mode="after")
    def _has_a_score(self) -> QualityScored:
        if self.score is None and not self.fatal and not any(item.points is not None for item in self.items):
            raise ValueError("score: expected a score, or items with points")
        return self

    @property
    def is_fatal(self) -> bool:
        """True when the evaluation or one of its items failed fatally."""
        return self.fatal or any(item.fatal for item in self.items)

    @property
    def scored(self) -> float:
        """The score that counts: 0 after a fatal item, else weighted points of what was possible, per cent."""
        if self.is_fatal:
            return 0.0
        if self.score is not None:
            return self.score
        applied = [item for item in self.items if item.points is not None]
        reached = sum(item.weight * (item.points or 0.0) for item in applied)
        return 100 * reached / sum(item.weight * item.most for item in applied)


class TaskTimed(Event):
    """Back-office work of an agent with its time."""

    type: Literal["task_timed"] = "task_timed"
    agent: Id
    task: Id
    seconds: Seconds
    units: Annotated[int, Field(ge=0, le=1_000_000)] = 1


TicketStep = Literal["created", "assigned", "replied", "solved", "reopened", "breached"]


class TicketChanged(Event):
    """A ticket of a queue changed."""

    type: Literal["ticket_changed"] = "ticket_changed"
    ticket: Id
    change: TicketStep
    queue: Id
    priority: Id | None = None


class TicketWorked(Event):
    """An agent did something to a ticket."""

    type: Literal["ticket_worked"] = "ticket_worked"
    ticket: Id
    change: TicketStep
    agent: Id
    queue: Id | None = None
    priority: Id | None = None


class SurveyAnswered(Event):
    """A customer answered a survey about a contact of an agent."""

    type: Literal["survey_answered"] = "survey_answered"
    agent: Id
    contact: Id
    csat: Annotated[int, Field(ge=1, le=5)] | None = None
    nps: Annotated[int, Field(ge=0, le=10)] | None = None
    resolved: bool | None = None


class Activity(BaseModel):
    """A part of a planned shift, from `starts_at` up to and without `ends_at`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    activity: Id
    starts_at: Instant
    ends_at: Instant
    paid: bool = True
    productive: bool = True

    @model_validator(mode="after")
    def _ends_after_start(self) -> Activity:
        if self.ends_at <= self.starts_at:
            raise ValueError(f"ends_at: expected an instant after {self.starts_at.isoformat()}")
        return self


class ShiftPlanned(Event):
    """The plan of an agent's shift; `at` is its start."""

    type: Literal["shift_planned"] = "shift_planned"
    agent: Id
    activities: Annotated[list[Activity], Field(min_length=1, max_length=200)]


FloorEvent = (
    ContactOffered
    | ContactAnswered
    | ContactAbandoned
    | ContactFlowedOut
    | ContactAccepted
    | ContactRejected
    | ContactHandled
    | StateChanged
    | QualityScored
    | TaskTimed
    | TicketChanged
    | TicketWorked
    | SurveyAnswered
    | ShiftPlanned
)

AnyRecord = Annotated[FloorEvent | Control, Field(discriminator="type")]

EVENT_ADAPTER: TypeAdapter[FloorEvent] = TypeAdapter(Annotated[FloorEvent, Field(discriminator="type")])
RECORD_ADAPTER: TypeAdapter[FloorEvent | Control] = TypeAdapter(AnyRecord)
_VALIDATE: Callable[[bytes], FloorEvent | Control] = RECORD_ADAPTER.validator.validate_json

OfQueue = ContactOffered | ContactAnswered | ContactAbandoned | ContactFlowedOut | TicketChanged
"""Events whose key is the queue; `ContactHandled` joins them where no agent is known."""
UNKNOWN_QUEUE = "unknown"
"""Where a contact counts that names neither an agent nor a queue."""
EVENT_TYPES: tuple[str, ...] = tuple(model.model_fields["type"].default for model in FloorEvent.__args__)

_OF_QUEUE = frozenset(OfQueue.__args__)


def _is_of_queue(event: FloorEvent) -> TypeIs[OfQueue]:
    return type(event) in _OF_QUEUE


def decode(value: bytes) -> FloorEvent | Control:
    """
    The record in a message of `floor.events`.

    InvalidEvent with reason `oversize` or `invalid` and a detail that names the field.
    """
    if len(value) > MAX_EVENT_BYTES:
        raise InvalidEvent("oversize", f"{len(value)} bytes, at most {MAX_EVENT_BYTES}")
    try:
        record = _VALIDATE(value)
    except ValidationError as error:
        raise InvalidEvent("invalid", first_fault(error)) from None
    if not is_control(record):
        _fill_in(record)
    return record


def _fill_in(event: FloorEvent) -> None:
    """Work out what every event is asked for in one go: each by itself, behind its lock, takes three times as long."""
    fields = event.__dict__
    fields["at_ms"] = to_ms(fields["at"])
    fields["identity"] = joined(fields["source"], fields["id"], fields["type"])
    fields["subject"] = subject_of(event)


def joined(source: str, id_: str, type_: str) -> str:
    """The identity of (source, id, type)."""
    return f"{source}\x1f{id_}\x1f{type_}"


def parted(identity: str) -> tuple[str, str, str]:
    """(source, id, type) of an identity."""
    source, _, rest = identity.partition("\x1f")
    id_, _, type_ = rest.rpartition("\x1f")
    return source, id_, type_


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation in one line: field, what was expected."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part not in EVENT_TYPES) or "message"
    return f"{place}: {first['msg']}"


def subject_of(event: FloorEvent) -> str:
    """The owner of the fact, `agent:ID` or `queue:ID`: the key of its message."""
    if _is_of_queue(event):
        return f"queue:{event.queue}"
    if type(event) is ContactHandled and event.agent is None:
        return f"queue:{event.queue or UNKNOWN_QUEUE}"
    return f"agent:{event.agent}"


def encode(record: FloorEvent | Control) -> bytes:
    """The message of a record: JSON without the fields that stand at their default."""
    return record.model_dump_json(exclude_defaults=True, exclude={"type"}).encode()[:-1] + (
        b',"type":"%s"}' % record.type.encode()
    )
