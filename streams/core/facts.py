"""What an event adds to its own minute: the counters of `schemas.panes`, and the time it engaged its agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.alerts import RecentContact
from schemas.events import (
    UNKNOWN_QUEUE,
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    ContactRejected,
    FloorEvent,
    QualityScored,
    ShiftPlanned,
    StateChanged,
    SurveyAnswered,
    TaskTimed,
    TicketChanged,
    TicketWorked,
)
from schemas.panes import (
    ABANDONED_WITHIN,
    ANSWERED_WITHIN,
    LONGEST_PART_MS,
    SHORT_CALL_MS,
    TASK_PREFIX,
    TASK_TIME_PREFIX,
    wait_bucket,
)
from schemas.times import seconds_to_ms, to_ms

NO_QUEUE = ""
NO_CHANNEL = ""
CellKey = tuple[str, str]
"""(queue, channel) of a pane; both empty for what belongs to neither."""
AGENT_TIME: CellKey = (NO_QUEUE, NO_CHANNEL)


class Counted(NamedTuple):
    """The counters of one event."""

    cell: CellKey
    sums: dict[str, int]
    handle_ms: int | None = None
    engaged_from: int | None = None
    """Start of the time the contact was in the agent's hands; it ends at the event."""


def counted(event: FloorEvent) -> Counted:
    """The counters of an event; the time of states and plans is not among them (`streams.core.spans`)."""
    found = _COUNTERS[event.type](event)
    if event.clamped_s:
        found.sums["clamped"] = 1
    return found


def _offered(event: ContactOffered) -> Counted:
    return Counted((event.queue, event.channel), {"offered": 1})


def _answered(event: ContactAnswered) -> Counted:
    wait = seconds_to_ms(event.waited_s)
    sums = {"answered": 1, ANSWERED_WITHIN[wait_bucket(wait)]: 1, "answered_wait_ms": wait}
    return Counted((event.queue, event.channel), sums)


def _abandoned(event: ContactAbandoned) -> Counted:
    wait = seconds_to_ms(event.waited_s)
    sums = {"abandoned": 1, ABANDONED_WITHIN[wait_bucket(wait)]: 1, "abandoned_wait_ms": wait}
    return Counted((event.queue, event.channel), sums)


def _flowed_out(event: ContactFlowedOut) -> Counted:
    sums = {"flowed_out": 1, "flowed_out_wait_ms": seconds_to_ms(event.waited_s)}
    return Counted((event.queue, event.channel), sums)


def _handled(event: ContactHandled) -> Counted:
    recorded = (seconds_to_ms(event.talk_s), seconds_to_ms(event.hold_s), seconds_to_ms(event.wrap_s))
    talk, hold, wrap = handle_parts(event)
    sums = {"handled": 1, "talk_ms": talk}
    cut = sum(recorded) - talk - hold - wrap
    if cut:
        sums["capped"] = 1
        sums["capped_ms"] = cut
    if hold:
        sums["hold_ms"] = hold
        sums["held"] = 1
    if wrap:
        sums["wrap_ms"] = wrap
    else:
        sums["without_wrap"] = 1
    if talk <= SHORT_CALL_MS:
        sums["short_calls"] = 1
    if event.transferred:
        sums["transferred"] = 1
    engaged = to_ms(event.started_at) if event.agent is not None else None
    queue = event.queue or (NO_QUEUE if event.agent is not None else UNKNOWN_QUEUE)
    return Counted((queue, event.channel), sums, talk + hold + wrap, engaged)


def handle_parts(event: ContactHandled) -> tuple[int, int, int]:
    """Talk, hold and wrap, ms, each cut to the longest that is believed."""
    return (
        min(seconds_to_ms(event.talk_s), LONGEST_PART_MS),
        min(seconds_to_ms(event.hold_s), LONGEST_PART_MS),
        min(seconds_to_ms(event.wrap_s), LONGEST_PART_MS),
    )


def recent_contact(event: FloorEvent, at: int) -> RecentContact | None:
    """What evidence may need of an event at an instant (epoch ms); None for most."""
    if type(event) is ContactHandled:
        return RecentContact(at, event.contact, "handled", *handle_parts(event))
    if type(event) is ContactAnswered:
        return RecentContact(at, event.contact, "answered", waited_ms=seconds_to_ms(event.waited_s))
    if type(event) is ContactAbandoned:
        return RecentContact(at, event.contact, "abandoned", waited_ms=seconds_to_ms(event.waited_s))
    if type(event) is QualityScored:
        return RecentContact(at, event.contact or event.id, "scored", score=event.scored, fatal=event.is_fatal)
    return None


def _accepted(event: ContactAccepted) -> Counted:
    return _offered_to_agent(event, "accepted")


def _rejected(event: ContactRejected) -> Counted:
    return _offered_to_agent(event, "rejected")


def _offered_to_agent(event: ContactAccepted | ContactRejected, column: str) -> Counted:
    sums = {column: 1}
    rang = seconds_to_ms(event.rang_s)
    if rang:
        sums["rang_ms"] = rang
    return Counted((event.queue or NO_QUEUE, event.channel), sums)


def _scored(event: QualityScored) -> Counted:
    sums = {"scored": 1, "score_hundredths": round(event.scored * 100)}
    if event.is_fatal:
        sums["fatal"] = 1
    return Counted(AGENT_TIME, sums)


def _surveyed(event: SurveyAnswered) -> Counted:
    sums: dict[str, int] = {}
    if event.csat is not None:
        sums |= {"csat_answered": 1, "csat_points": event.csat, "csat_satisfied": int(event.csat >= 4)}
    if event.nps is not None:
        sums |= {"nps_answered": 1, "nps_promoters": int(event.nps >= 9), "nps_detractors": int(event.nps <= 6)}
    if event.resolved is not None:
        sums |= {"resolved_answered": 1, "resolved": int(event.resolved)}
    return Counted(AGENT_TIME, sums)


def _task(event: TaskTimed) -> Counted:
    ms = seconds_to_ms(event.seconds)
    sums = {"tasks": 1, "task_ms": ms, "task_units": event.units}
    return Counted(AGENT_TIME, sums | {TASK_PREFIX + event.task: event.units, TASK_TIME_PREFIX + event.task: ms})


def _state_entered(event: StateChanged) -> Counted:
    column = {"away": "aways", "offline": "logouts"}.get(event.state)
    return Counted(AGENT_TIME, {column: 1} if column else {})


def _planned(_event: ShiftPlanned) -> Counted:
    return Counted(AGENT_TIME, {})


_TICKET_COLUMN = {
    "created": "tickets_created",
    "solved": "tickets_solved",
    "reopened": "tickets_reopened",
    "breached": "tickets_breached",
}


def _ticket_changed(event: TicketChanged) -> Counted:
    column = _TICKET_COLUMN.get(event.change)
    return Counted((event.queue, NO_CHANNEL), {column: 1} if column else {})


def _ticket_worked(event: TicketWorked) -> Counted:
    sums = {"tickets_worked": 1}
    if event.change == "solved":
        sums["tickets_solved_by"] = 1
    return Counted((event.queue or NO_QUEUE, NO_CHANNEL), sums)


_COUNTERS: dict[str, Callable[[Any], Counted]] = {
    "contact_offered": _offered,
    "contact_answered": _answered,
    "contact_abandoned": _abandoned,
    "contact_flowed_out": _flowed_out,
    "contact_handled": _handled,
    "contact_accepted": _accepted,
    "contact_rejected": _rejected,
    "quality_scored": _scored,
    "survey_answered": _surveyed,
    "task_timed": _task,
    "ticket_changed": _ticket_changed,
    "ticket_worked": _ticket_worked,
    "state_changed": _state_entered,
    "shift_planned": _planned,
}
