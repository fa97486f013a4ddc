"""The state of one agent or one queue: panes, windows, open state, rule states; and how an event changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from schemas.alerts import ALL_NEWS, Look, RecentContact, RuleState
from schemas.events import (
    ContactAbandoned,
    ContactAccepted,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    ShiftPlanned,
    StateChanged,
)
from schemas.panes import SHORT_CALL_MS, Sums
from schemas.times import MINUTE_MS, day_end, day_of, day_start, minute_of, seconds_to_ms, to_ms
from streams.core.deltas import Changed, Delta, split
from streams.core.facts import counted, recent_contact
from streams.core.panes import RESIDENT_MINUTES, Panes
from streams.core.planned import GRACE_MS, LONGEST_PLAN_MS, Past, Plan, Plans, overlaps, plan_of
from streams.core.spans import EVER, NEVER, TTL_MS, Change, Engagement, Span, Timeline

RECENT = 500
"""So many contacts of the resident minutes are remembered, the newest: a queue may have thousands, and each flush
writes what is remembered."""
NOTABLE = 60
"""So many telling contacts (short calls, fatal evaluations) are remembered for rules over days."""
KEPT_DAYS = 36
SETTLE_EACH = 64
REACH_MS = max(TTL_MS, LONGEST_PLAN_MS + GRACE_MS)
"""What a minute holds may have begun this long before it."""
TO_BE_ASKED = -1


class AgentTime:
    """States, engagement and plans of one agent."""

    def __init__(self, plans: Plans | None = None) -> None:
        """Nothing known but plans."""
        self.timeline = Timeline()
        self.engagement = Engagement()
        self.plans = plans or Plans()
        self.past = Past()


def fold(event: FloorEvent, offset: int, time: AgentTime, clock: int) -> Changed:
    """What an event adds; `time` is changed in place."""
    at = event.at_ms
    changed = Changed(_counted_deltas(event, at, 1, time))
    if type(event) is StateChanged:
        change = Change(at, offset, event.state, event.reason or "", event.identity)
        spans = time.timeline.insert(change, clock)
        is_last = time.timeline.changes[-1] is change
        changed += _unknown(at, is_last=is_last) if spans is None else _settled(spans, time)
    elif type(event) is ShiftPlanned:
        plan = plan_of(event, offset)
        if plan is not None:
            changed += _replanned(plan, time.plans.insert(plan), time, clock)
    return changed


def unfold(event: FloorEvent, time: AgentTime, clock: int) -> Changed:
    """What taking an event back changes; `time` is changed in place."""
    at = event.at_ms
    identity = event.identity
    is_known = identity in time.engagement.intervals
    changed = Changed(_counted_deltas(event, at, -1, time))
    if type(event) is StateChanged:
        spans = time.timeline.remove(identity, clock)
        changed += _settled(spans or [], time)
        if spans is None or time.timeline.is_forgotten(at):
            changed += _unknown(at, is_last=not time.timeline.changes)
    elif type(event) is ShiftPlanned:
        plan = plan_of(event, 0)
        if plan is not None:
            changed += _replanned(plan, time.plans.remove(identity), time, clock)
    elif type(event) is ContactHandled and not is_known:
        changed += _in_hand(event, at)
    return changed


def expire(time: AgentTime, clock: int) -> Changed:
    """What ending the state now by TTL changes; `time` is changed in place."""
    return _settled(time.timeline.expire(clock), time)


def _settled(spans: list[Span], time: AgentTime) -> Changed:
    """What spans of states add, or take back, on their own and in planned time."""
    return Changed(split([*spans, *time.plans.worked(spans)] if time.plans else spans))


def _replanned(plan: Plan, moved: list[Span], time: AgentTime, clock: int) -> Changed:
    """What moving spans of planned time changes: what was planned for minutes that have passed, and was done then."""
    passed = minute_of(clock) * MINUTE_MS
    counted = (Span(span.column, span.start, min(span.end, passed), span.sign) for span in moved)
    worked = overlaps(moved, [*time.past.spans(), *time.timeline.settled()]) if moved else ()
    unknown = _minutes(plan.start - GRACE_MS, min(plan.end + GRACE_MS, time.plans.known_from, clock))
    return Changed(split([*counted, *worked]), unknown)


def _in_hand(event: ContactHandled, at: int) -> Changed:
    """The minutes in which a contact was in hand."""
    return Changed([], _minutes(max(to_ms(event.started_at), at - TTL_MS), at + 1))


def _unknown(at: int, *, is_last: bool) -> Changed:
    """
    The minutes that a change of state moves where the state before it is not remembered.

    That state ends later or earlier than before: from the change on its time moves. It is open, or no longer open,
    where the change is the last one: then all of its time does, as only what has ended counts.
    """
    return Changed([], _minutes(at - TTL_MS if is_last else at, at + TTL_MS + 1))


def _minutes(start: int, end: int) -> set[int]:
    """The minutes that hold something of [start, end)."""
    return set(range(minute_of(start), minute_of(end - 1) + 1)) if start < end else set()


def fold_all(events: Iterable[tuple[int, FloorEvent]], clock: int) -> Panes:
    """
    The panes of one subject from its (offset, current event) pairs, as of `clock`: what every pane must equal.

    For the panes of some minutes, events are needed from `REACH_MS` before the first to `TTL_MS` after the last.
    """
    in_time = sorted(events, key=lambda pair: (pair[1].at, pair[0]))
    plans = (plan_of(event, offset) for offset, event in in_time if type(event) is ShiftPlanned)
    time, panes = AgentTime(Plans(plan for plan in plans if plan is not None)), Panes()
    for done, (offset, event) in enumerate(in_time):
        # Under this clock no state ends by TTL and no minute has passed: in order of time, only the last state can end.
        for delta in fold(event, offset, time, EVER).deltas:
            panes.add(delta.minute, delta.cell, delta.sums, delta.sign, offset, delta.handle_ms)
        if done % SETTLE_EACH == 0:
            settled = event.at_ms - TTL_MS
            time.timeline.prune(settled)
            time.engagement.prune(settled)
    for delta in [*expire(time, clock).deltas, *split(time.plans.until(minute_of(clock) * MINUTE_MS))]:
        panes.add(delta.minute, delta.cell, delta.sums, delta.sign, 0)
    return panes


def _counted_deltas(event: FloorEvent, at: int, sign: int, time: AgentTime) -> list[Delta]:
    found = counted(event)
    deltas = [Delta(minute_of(at), found.cell, found.sums, sign, found.handle_ms)] if found.sums else []
    if found.engaged_from is not None:
        identity = event.identity
        start = min(max(found.engaged_from, at - TTL_MS), at)
        engagement = time.engagement
        spans = engagement.insert(identity, start, at) if sign > 0 else engagement.remove(identity)
        deltas += split(spans)
    return deltas


class Subject:
    """One agent or queue of one partition."""

    def __init__(self, key: str, lengths: Iterable[int], clock: int) -> None:
        """Empty, with windows of `lengths` minutes that end now."""
        self.key = key
        self.kind, _, self.id = key.partition(":")
        self.time = AgentTime()
        self.panes = Panes()
        self.last = minute_of(clock)
        """The minute that the windows end with."""
        self.lengths = tuple(sorted(lengths))
        """Lengths of the windows, minutes."""
        self.news = ALL_NEWS
        """Bits of the looks of the rules at which something changed since they were judged."""
        self.today = (0, 0, "")
        """(first minute, first minute after, ISO date) of the site day that was asked for last."""
        self.days: dict[str, dict[str, int]] = {}
        self.states: dict[str, RuleState] = {}
        self.recent: deque[RecentContact] = deque(maxlen=RECENT)
        self.notable: deque[RecentContact] = deque(maxlen=NOTABLE)
        self.in_hand: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.departed: dict[str, int] = {}
        self.shift_start = -1
        self.shift_until = TO_BE_ASKED
        self.shift_sums: dict[str, int] = {}
        self.pruned_minute = -1
        self.ttl_due = NEVER
        """The next instant at which the state now may have lasted for its TTL."""
        self.site = ("", EVER)
        """(site, first minute in which it has to be asked for again)."""
        self.due: int | None = None
        self.plan_due = NEVER
        """The instant at which the next planned minute has passed; `TO_BE_ASKED` after plans changed."""
        self.late: set[int] = set()
        """Minutes that the next flush folds again from the raw events."""
        self.partial: set[int] = set()
        """Resident minutes whose panes here may lack the time of a state that is forgotten: the stored ones do not."""

    @property
    def plans(self) -> list[tuple[int, int]]:
        """(start, end) of planned shifts; of those that overlap the one that holds comes first."""
        return self.time.plans.shifts()

    @property
    def is_live(self) -> bool:
        """True while a rule that time alone can change is not inactive."""
        if not self.states:
            return False
        return any(state.state != "inactive" and not state.judged_day for state in self.states.values())

    def shift_at(self, now: int, zone: ZoneInfo) -> tuple[int, int]:
        """[start, until) of the shift at an instant: by plan, else the site day."""
        day = day_of(now, zone)
        start, until = day_start(day, zone), day_end(day, zone)
        for planned_start, planned_end in self.plans:
            if planned_start <= now < planned_end:
                return planned_start, planned_end
            if now < planned_start:
                until = min(until, planned_start)
            if planned_end <= now:
                start = max(start, planned_end)
        return start, until

    def window(self, minutes: int, look: Look | None = None) -> Sums:
        """Totals of a rolling window, as it stands now: at least those that are looked at."""
        return self.panes.window(self.last, minutes, look)

    def is_active(self) -> bool:
        """True while a window may hold something, or held it a minute ago, or a rule is pending or firing."""
        return self.panes.newest >= max(self.last - self.lengths[-1], 0) or self.is_live

    def remember(self, event: FloorEvent, clock: int, *, was_open: bool = False) -> None:
        """
        Keep what is open and what evidence may need.

        Whether a contact has left is remembered for the resident minutes: what is told later opens nothing any more,
        but for another revision of what `was_open`. A contact of before them is forgotten when another one comes:
        who is judged and does not change is not stored, and a restart must find the same evidence.
        """
        at = event.at_ms
        _OPEN.get(event.type, _nothing)(self, event, at, clock - (TTL_MS if was_open else RESIDENT_MINUTES * MINUTE_MS))
        contact = recent_contact(event, at)
        if contact is not None:
            horizon = (minute_of(clock) - RESIDENT_MINUTES) * MINUTE_MS
            while self.recent and self.recent[0].at_ms < horizon:
                self.recent.popleft()
            self.recent.append(contact)
            if (contact.kind == "handled" and contact.talk_ms <= SHORT_CALL_MS) or contact.fatal:
                self.notable.append(contact)

    def forget(self, event: FloorEvent) -> bool:
        """Take back what `remember` kept of an event; whether what it opened was open still."""
        contact = recent_contact(event, event.at_ms)
        if contact is not None:
            self.recent = deque((c for c in self.recent if c != contact), maxlen=RECENT)
            self.notable = deque((c for c in self.notable if c != contact), maxlen=NOTABLE)
        if type(event) is ContactOffered:
            return self.waiting.pop(event.contact, None) is not None
        if type(event) is ContactAccepted:
            return self.in_hand.pop(event.contact, None) is not None
        if type(event) is ShiftPlanned:
            _planned(self, event, 0, 0)
        return False

    def prune(self, clock: int) -> None:
        """Forget what lies before the resident minutes, and what ended by TTL."""
        horizon = (minute_of(clock) - RESIDENT_MINUTES) * MINUTE_MS
        self.time.past.add(self.time.timeline.prune(horizon))
        self.time.past.prune(clock)
        self.time.engagement.prune(horizon)
        self.time.plans.prune(clock)
        for kept, limit in ((self.departed, horizon), (self.waiting, clock - TTL_MS), (self.in_hand, clock - TTL_MS)):
            for contact in [c for c, at in kept.items() if at <= limit]:
                del kept[contact]

    def evict(self, horizon: int) -> None:
        """Let go of the minutes before one."""
        self.panes.evict(horizon)
        if self.partial:
            self.partial = {minute for minute in self.partial if minute >= horizon}

    def dump(self) -> dict[str, Any]:
        """The small state as JSON values of its own, as it is now: everything but the panes."""
        return {
            "time": self.time.timeline.dump(),
            "engaged": [[i, *span] for i, span in self.time.engagement.intervals.items()],
            "days": {day: dict(sums) for day, sums in self.days.items()},
            "rules": {rule: asdict(state) for rule, state in self.states.items()},
            "recent": list(self.recent),
            "notable": list(self.notable),
            "in_hand": dict(self.in_hand),
            "waiting": dict(self.waiting),
            "departed": dict(self.departed),
            "plans": self.time.plans.dump(),
            "past": self.time.past.dump(),
            "shift": [self.shift_start, self.shift_until, dict(self.shift_sums)],
            "pruned": self.pruned_minute,
            "due": self.due,
            "newest": self.panes.newest,
        }

    def load(self, data: dict[str, Any]) -> None:
        """Set the small state from `dump`."""
        self.time.timeline = Timeline.load(data["time"])
        self.time.engagement = Engagement({i: (start, end) for i, start, end in data["engaged"]})
        self.days = data["days"]
        self.states = {rule: RuleState(**state) for rule, state in data["rules"].items()}
        self.recent = deque((RecentContact(*row) for row in data["recent"]), maxlen=RECENT)
        self.notable = deque((RecentContact(*row) for row in data["notable"]), maxlen=NOTABLE)
        self.in_hand, self.waiting, self.departed = data["in_hand"], data["waiting"], data["departed"]
        self.time.plans = Plans.load(data["plans"])
        self.time.past = Past(data.get("past", ()))  # of a body from before it was kept: none
        self.plan_due = TO_BE_ASKED
        self.shift_start, self.shift_until, self.shift_sums = data["shift"]
        self.pruned_minute = data["pruned"]
        self.due = data["due"]
        self.panes.newest = data.get("newest", self.last)  # of a body from before it was kept: as if it were busy now


def _nothing(_subject: Subject, _event: FloorEvent, _at: int, _since: int) -> None:
    """Most events leave nothing open."""


def _enters_queue(subject: Subject, event: ContactOffered, at: int, since: int) -> None:
    if subject.departed.get(event.contact, -1) < at and at > since:
        subject.waiting[event.contact] = at


def _leaves_queue(
    subject: Subject, event: ContactAnswered | ContactAbandoned | ContactFlowedOut, at: int, since: int
) -> None:
    """By the clock of the entry: where that one is ahead, the reader said by how much."""
    left = at + seconds_to_ms(event.clamped_s)
    if subject.waiting.get(event.contact, left + 1) <= left:
        del subject.waiting[event.contact]
    if at > since:
        subject.departed[event.contact] = max(left, subject.departed.get(event.contact, -1))


def _taken_in_hand(subject: Subject, event: ContactAccepted, at: int, since: int) -> None:
    if subject.departed.get(event.contact, -1) < at and at > since:
        subject.in_hand[event.contact] = at


def _put_down(subject: Subject, event: ContactHandled, at: int, since: int) -> None:
    subject.in_hand.pop(event.contact, None)
    if at > since:
        subject.departed[event.contact] = at + seconds_to_ms(event.clamped_s)


def _planned(subject: Subject, _event: ShiftPlanned, _at: int, _since: int) -> None:
    subject.shift_until = TO_BE_ASKED
    subject.plan_due = TO_BE_ASKED


_OPEN: dict[str, Any] = {
    "contact_offered": _enters_queue,
    "contact_answered": _leaves_queue,
    "contact_abandoned": _leaves_queue,
    "contact_flowed_out": _leaves_queue,
    "contact_accepted": _taken_in_hand,
    "contact_handled": _put_down,
    "shift_planned": _planned,
}
