"""The state of one agent or one queue: panes, windows, open state, rule states; and how an event changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from schemas.alerts import RecentContact, RuleState
from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    QualityScored,
    ShiftPlanned,
    StateChanged,
)
from schemas.panes import SHORT_CALL_MS
from schemas.times import MINUTE_MS, minute_of, seconds_to_ms, to_ms
from streams.core.facts import AGENT_TIME, CellKey, counted
from streams.core.identity import identity_of
from streams.core.panes import RESIDENT_MINUTES, Panes, Rolling
from streams.core.spans import TTL_MS, Change, Engagement, Span, Timeline

NOTABLE = 60
"""So many telling contacts (short calls, fatal evaluations) are remembered for rules over days."""
KEPT_DAYS = 36
BEFORE_ANY_TTL = -(2**62)
"""A clock under which no state ends by itself: in order of time, only the last one can."""
SETTLE_EACH = 64


class Delta(NamedTuple):
    """What a pane gains or loses."""

    minute: int
    cell: CellKey
    sums: dict[str, int]
    sign: int = 1
    handle_ms: int | None = None


class AgentTime:
    """States and engagement of one agent."""

    def __init__(self) -> None:
        """Nothing known."""
        self.timeline = Timeline()
        self.engagement = Engagement()


@dataclass(slots=True)
class Changed:
    """What an event changed: deltas, and minutes that only the raw events can tell."""

    deltas: list[Delta]
    unknown: range | None = None


def fold(event: FloorEvent, offset: int, time: AgentTime, clock: int) -> Changed:
    """What an event adds; `time` is changed in place."""
    at = to_ms(event.at)
    if isinstance(event, StateChanged):
        change = Change(at, offset, event.state, event.reason or "", identity_of(event))
        spans = time.timeline.insert(change, clock)
        if spans is None:
            return Changed([], _until_ttl(at))
        return Changed(list(_split(spans)))
    return Changed(_counted_deltas(event, at, 1, time))


def unfold(event: FloorEvent, time: AgentTime, clock: int) -> Changed:
    """What taking an event back changes; `time` is changed in place."""
    at = to_ms(event.at)
    if isinstance(event, StateChanged):
        spans = time.timeline.remove(identity_of(event), clock)
        unknown = _until_ttl(at) if spans is None or time.timeline.is_forgotten(at) else None
        return Changed(list(_split(spans or [])), unknown)
    unknown = None
    if isinstance(event, ContactHandled) and identity_of(event) not in time.engagement.intervals:
        unknown = _in_hand(event, at)
    return Changed(_counted_deltas(event, at, -1, time), unknown)


def _in_hand(event: ContactHandled, at: int) -> range:
    """The minutes in which a contact was in hand."""
    return range(minute_of(max(to_ms(event.started_at), at - TTL_MS)), minute_of(at) + 1)


def _until_ttl(at: int) -> range:
    return range(minute_of(at), minute_of(at + TTL_MS) + 1)


def fold_all(events: Iterable[tuple[int, FloorEvent]], clock: int) -> Panes:
    """The panes of one subject from its (offset, current event) pairs, as of `clock`: what every pane must equal."""
    time, panes = AgentTime(), Panes()
    in_time = sorted(events, key=lambda pair: (pair[1].at, pair[0]))
    for done, (offset, event) in enumerate(in_time):
        for delta in fold(event, offset, time, BEFORE_ANY_TTL).deltas:
            panes.add(delta.minute, delta.cell, delta.sums, delta.sign, offset, delta.handle_ms)
        if done % SETTLE_EACH == 0:
            settled = to_ms(event.at) - TTL_MS
            time.timeline.prune(settled)
            time.engagement.prune(settled)
    for delta in _split(time.timeline.expire(clock)):
        panes.add(delta.minute, delta.cell, delta.sums, delta.sign, 0)
    return panes


def split_spans(spans: Iterable[Span]) -> list[Delta]:
    """The deltas of spans, minute by minute."""
    return list(_split(spans))


def _counted_deltas(event: FloorEvent, at: int, sign: int, time: AgentTime) -> list[Delta]:
    found = counted(event)
    if found is None:
        return []
    deltas = [Delta(minute_of(at), found.cell, found.sums, sign, found.handle_ms)] if found.sums else []
    if found.engaged_from is not None:
        identity = identity_of(event)
        start = min(max(found.engaged_from, at - TTL_MS), at)
        engagement = time.engagement
        spans = engagement.insert(identity, start, at) if sign > 0 else engagement.remove(identity)
        deltas += _split(spans)
    return deltas


def _split(spans: Iterable[Span]) -> Iterator[Delta]:
    for span in spans:
        for minute, part in span.minutes():
            yield Delta(minute, AGENT_TIME, {span.column: part}, span.sign)


class Subject:
    """One agent or queue of one partition."""

    def __init__(self, key: str, lengths: Iterable[int], clock: int) -> None:
        """Empty, with windows of `lengths` minutes that end now."""
        self.key = key
        self.kind, _, self.id = key.partition(":")
        self.time = AgentTime()
        self.panes = Panes()
        self.rolling = Rolling(lengths, minute_of(clock))
        self.days: dict[str, dict[str, int]] = {}
        self.states: dict[str, RuleState] = {}
        self.recent: deque[RecentContact] = deque()
        self.notable: deque[RecentContact] = deque(maxlen=NOTABLE)
        self.in_hand: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.departed: dict[str, int] = {}
        self.plans: list[tuple[int, int]] = []
        self.shift_start = -1
        self.shift_until = -1
        self.shift_sums: dict[str, int] = {}
        self.pruned_minute = -1
        self.has_ttl = False
        self.site = ("", -1)
        """(site, minute in which it was asked for)."""
        self.due: int | None = None
        self.late: set[int] = set()

    @property
    def is_live(self) -> bool:
        """True while a rule that time alone can change is not inactive."""
        if not self.states:
            return False
        return any(state.state != "inactive" and not state.judged_day for state in self.states.values())

    def is_active(self) -> bool:
        """True while a window may hold something or a rule is pending or firing."""
        return self.panes.newest > self.rolling.last - self.rolling.longest or self.is_live

    def remember(self, event: FloorEvent, clock: int) -> None:
        """Keep what is open and what evidence may need."""
        at = to_ms(event.at)
        _OPEN.get(event.type, _nothing)(self, event, at, clock)
        contact = _recent(event, at)
        if contact is not None:
            self.recent.append(contact)
            if (contact.kind == "handled" and contact.talk_ms <= SHORT_CALL_MS) or contact.fatal:
                self.notable.append(contact)

    def forget(self, event: FloorEvent) -> None:
        """Take back what `remember` kept of an event."""
        contact = _recent(event, to_ms(event.at))
        if contact is not None:
            self.recent = deque(c for c in self.recent if c != contact)
            self.notable = deque((c for c in self.notable if c != contact), maxlen=NOTABLE)
        if isinstance(event, ContactOffered):
            self.waiting.pop(event.contact, None)
        if isinstance(event, ContactAccepted):
            self.in_hand.pop(event.contact, None)

    def prune(self, clock: int) -> None:
        """Forget what lies before the resident minutes, and what ended by TTL."""
        horizon = (minute_of(clock) - RESIDENT_MINUTES) * MINUTE_MS
        self.time.timeline.prune(horizon)
        self.time.engagement.prune(horizon)
        while self.recent and self.recent[0].at_ms < horizon:
            self.recent.popleft()
        for kept, limit in ((self.departed, horizon), (self.waiting, clock - TTL_MS), (self.in_hand, clock - TTL_MS)):
            for contact in [c for c, at in kept.items() if at <= limit]:
                del kept[contact]

    def dump(self) -> dict[str, Any]:
        """The small state as JSON values of its own, as it is now: everything but the panes."""
        return {
            "time": self.time.timeline.dump(),
            "engaged": [[i, *span] for i, span in self.time.engagement.intervals.items()],
            "days": {day: dict(sums) for day, sums in self.days.items()},
            "rules": {rule: asdict(state) for rule, state in self.states.items()},
            "recent": [_flat(contact) for contact in self.recent],
            "notable": [_flat(contact) for contact in self.notable],
            "in_hand": dict(self.in_hand),
            "waiting": dict(self.waiting),
            "departed": dict(self.departed),
            "plans": self.plans,
            "shift": [self.shift_start, self.shift_until, dict(self.shift_sums)],
            "pruned": self.pruned_minute,
            "due": self.due,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Set the small state from `dump`."""
        self.time.timeline = Timeline.load(data["time"])
        self.time.engagement = Engagement({i: (start, end) for i, start, end in data["engaged"]})
        self.days = data["days"]
        self.states = {rule: RuleState(**state) for rule, state in data["rules"].items()}
        self.recent = deque(RecentContact(*row) for row in data["recent"])
        self.notable = deque((RecentContact(*row) for row in data["notable"]), maxlen=NOTABLE)
        self.in_hand, self.waiting, self.departed = data["in_hand"], data["waiting"], data["departed"]
        self.plans = [(start, end) for start, end in data["plans"]]
        self.shift_start, self.shift_until, self.shift_sums = data["shift"]
        self.pruned_minute = data["pruned"]
        self.due = data["due"]


def _flat(contact: RecentContact) -> list[Any]:
    c = contact
    return [c.at_ms, c.contact, c.kind, c.talk_ms, c.hold_ms, c.wrap_ms, c.waited_ms, c.score, c.fatal]


def _recent(event: FloorEvent, at: int) -> RecentContact | None:
    if isinstance(event, ContactHandled):
        talk, hold, wrap = seconds_to_ms(event.talk_s), seconds_to_ms(event.hold_s), seconds_to_ms(event.wrap_s)
        return RecentContact(at, event.contact, "handled", talk, hold, wrap)
    if isinstance(event, ContactAnswered):
        return RecentContact(at, event.contact, "answered", waited_ms=seconds_to_ms(event.waited_s))
    if isinstance(event, ContactAbandoned):
        return RecentContact(at, event.contact, "abandoned", waited_ms=seconds_to_ms(event.waited_s))
    if isinstance(event, QualityScored):
        return RecentContact(at, event.contact or event.id, "scored", score=event.score, fatal=event.fatal)
    return None


def _nothing(_subject: Subject, _event: FloorEvent, _at: int, _clock: int) -> None:
    """Most events leave nothing open."""


def _enters_queue(subject: Subject, event: ContactOffered, at: int, clock: int) -> None:
    if subject.departed.get(event.contact, -1) < at and at > clock - TTL_MS:
        subject.waiting[event.contact] = at


def _leaves_queue(
    subject: Subject, event: ContactAnswered | ContactAbandoned | ContactFlowedOut, at: int, clock: int
) -> None:
    if subject.waiting.get(event.contact, at + 1) <= at:
        del subject.waiting[event.contact]
    if at > clock - RESIDENT_MINUTES * MINUTE_MS:
        subject.departed[event.contact] = max(at, subject.departed.get(event.contact, -1))


def _taken_in_hand(subject: Subject, event: ContactAccepted, at: int, clock: int) -> None:
    if subject.departed.get(event.contact, -1) < at and at > clock - TTL_MS:
        subject.in_hand[event.contact] = at


def _put_down(subject: Subject, event: ContactHandled, at: int, clock: int) -> None:
    subject.in_hand.pop(event.contact, None)
    if at > clock - RESIDENT_MINUTES * MINUTE_MS:
        subject.departed[event.contact] = at


def _planned(subject: Subject, event: ShiftPlanned, at: int, _clock: int) -> None:
    end = max(to_ms(activity.ends_at) for activity in event.activities)
    plans = [plan for plan in subject.plans if plan[0] != at]
    subject.plans = sorted([*plans, (at, end)])[-8:]
    subject.shift_until = -1


_OPEN: dict[str, Any] = {
    "contact_offered": _enters_queue,
    "contact_answered": _leaves_queue,
    "contact_abandoned": _leaves_queue,
    "contact_flowed_out": _leaves_queue,
    "contact_accepted": _taken_in_hand,
    "contact_handled": _put_down,
    "shift_planned": _planned,
}
