"""
What every pane must hold, computed from the plain list of records by the most naive way: no code of `streams.core`.

    records ── which revision of each fact counts ── its counters, its state time, its engaged time, minute by minute
                                                  └─ the plans: what was planned at each instant, and what was done then
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from schemas.events import (
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
from schemas.panes import STATE_COLUMN, THRESHOLDS_S

TTL = 12 * 3_600_000
DAY = 24 * 3_600_000
GRACE = 120_000
LONGEST = 4 * 3_600_000
Doing = tuple[int, int, StateChanged]
"""(start, end, what the agent had entered)."""
Place = tuple[str, int, str, str]
"""(subject, minute, queue, channel)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it stands in the log; `content` stands for the vendor's own fields."""

    offset: int
    broker_ms: int
    event: FloorEvent
    content: int


@dataclass
class Expected:
    """A pane: sums without zeros, handle times in order."""

    sums: dict[str, int]
    times: list[int]


def milliseconds(instant: datetime) -> int:
    """Epoch milliseconds."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def panes_of(log: Iterable[Sent], clock: int) -> dict[Place, Expected]:
    """All panes that are not empty, when the time of the partition is `clock`."""
    sums: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    times: dict[Place, list[int]] = defaultdict(list)
    current = counting(log)
    for sent in current:
        _count(sent.event, sums, times)
    doings = _doings(current, clock)
    _state_time(doings, sums)
    _planned_time(current, doings, clock, sums)
    _engaged_time(current, sums)
    found = {place: Expected({c: v for c, v in s.items() if v}, sorted(times[place])) for place, s in sums.items()}
    return {place: pane for place, pane in found.items() if pane.sums or pane.times}


def counting(log: Iterable[Sent]) -> list[Sent]:
    """Of each fact the first record of its highest revision, unless that is void."""
    newest: dict[tuple[str, str, str], Sent] = {}
    for sent in log:
        event = sent.event
        ahead = 35 * DAY if isinstance(event, ShiftPlanned) else 120_000
        if milliseconds(event.at) > sent.broker_ms + ahead:
            continue
        identity = (event.source, event.id, event.type)
        if identity not in newest or newest[identity].event.revision < event.revision:
            newest[identity] = sent
    return [sent for sent in newest.values() if not sent.event.void]


def _count(event: FloorEvent, sums: dict[Place, dict[str, int]], times: dict[Place, list[int]]) -> None:
    place = _place(event)
    for column, value in _columns(event).items():
        sums[place][column] += value
    if event.clamped_s > 0:
        sums[place]["clamped"] += 1
    if isinstance(event, ContactHandled):
        times[place].append(sum(min(_ms(part), LONGEST) for part in (event.talk_s, event.hold_s, event.wrap_s)))


def _place(event: FloorEvent) -> Place:
    minute = milliseconds(event.at) // 60_000
    queue, channel = getattr(event, "queue", None), getattr(event, "channel", "")
    agent = getattr(event, "agent", None)
    if isinstance(event, ContactOffered | ContactAnswered | ContactAbandoned | ContactFlowedOut | TicketChanged):
        return f"queue:{event.queue}", minute, event.queue, channel
    if agent is None:
        return f"queue:{queue or 'unknown'}", minute, queue or "unknown", channel
    return f"agent:{agent}", minute, queue or "", channel


def _columns(event: FloorEvent) -> dict[str, int]:
    if isinstance(event, ContactHandled):
        return _handled(event)
    if isinstance(event, SurveyAnswered):
        return _survey(event)
    if isinstance(event, ContactOffered | ContactAnswered | ContactAbandoned | ContactFlowedOut):
        return _of_queue(event)
    if isinstance(event, StateChanged):
        return {"aways": int(event.state == "away"), "logouts": int(event.state == "offline")}
    return _of_agent(event)


def _of_queue(event: ContactOffered | ContactAnswered | ContactAbandoned | ContactFlowedOut) -> dict[str, int]:
    if isinstance(event, ContactOffered):
        return {"offered": 1}
    name = event.type.removeprefix("contact_")
    sums = {name: 1, f"{name}_wait_ms": _ms(event.waited_s)}
    return sums if isinstance(event, ContactFlowedOut) else sums | {_bucket(name, event.waited_s): 1}


def _of_agent(event: FloorEvent) -> dict[str, int]:
    match event:
        case ContactAccepted() | ContactRejected():
            return {event.type.removeprefix("contact_"): 1, "rang_ms": _ms(event.rang_s)}
        case QualityScored():
            score = 0.0 if event.fatal else event.score or 0.0
            return {"scored": 1, "score_hundredths": round(score * 100), "fatal": int(event.fatal)}
        case TaskTimed():
            ms = _ms(event.seconds)
            of_task = {f"task:{event.task}": event.units, f"taskms:{event.task}": ms}
            return {"tasks": 1, "task_ms": ms, "task_units": event.units, **of_task}
        case TicketChanged():
            return {f"tickets_{event.change}": int(event.change in {"created", "solved", "reopened", "breached"})}
        case TicketWorked():
            return {"tickets_worked": 1, "tickets_solved_by": int(event.change == "solved")}
    return {}


def _handled(event: ContactHandled) -> dict[str, int]:
    cut = sum(max(_ms(part) - LONGEST, 0) for part in (event.talk_s, event.hold_s, event.wrap_s))
    return {
        "handled": 1,
        "talk_ms": min(_ms(event.talk_s), LONGEST),
        "hold_ms": min(_ms(event.hold_s), LONGEST),
        "wrap_ms": min(_ms(event.wrap_s), LONGEST),
        "without_wrap": int(event.wrap_s == 0),
        "capped": int(cut > 0),
        "capped_ms": cut,
        "held": int(event.hold_s > 0),
        "short_calls": int(event.talk_s <= 10),
        "transferred": int(event.transferred),
    }


def _survey(event: SurveyAnswered) -> dict[str, int]:
    sums: dict[str, int] = {}
    if event.csat is not None:
        sums |= {"csat_answered": 1, "csat_satisfied": int(event.csat >= 4), "csat_points": event.csat}
    if event.nps is not None:
        sums |= {"nps_answered": 1, "nps_promoters": int(event.nps >= 9), "nps_detractors": int(event.nps <= 6)}
    if event.resolved is not None:
        sums |= {"resolved_answered": 1, "resolved": int(event.resolved)}
    return sums


def _doings(current: list[Sent], clock: int) -> dict[str, list[Doing]]:
    """The closed stretches of state of each agent."""
    by_agent: dict[str, list[tuple[int, int, StateChanged]]] = defaultdict(list)
    for sent in current:
        if isinstance(sent.event, StateChanged):
            by_agent[sent.event.agent].append((milliseconds(sent.event.at), sent.offset, sent.event))
    found: dict[str, list[Doing]] = defaultdict(list)
    for agent, changes in by_agent.items():
        changes.sort(key=lambda change: change[:2])
        for index, (start, _, event) in enumerate(changes):
            end = start + TTL
            if index + 1 < len(changes):
                end = min(end, changes[index + 1][0])
            elif clock < end:
                continue
            found[agent].append((start, end, event))
    return found


def _state_time(doings: dict[str, list[Doing]], sums: dict[Place, dict[str, int]]) -> None:
    for agent, done in doings.items():
        for start, end, event in done:
            columns = [STATE_COLUMN[event.state]] if event.state in STATE_COLUMN else []
            columns += [f"away:{event.reason or ''}"] if event.state == "away" else []
            for column in columns:
                _spread(agent, column, start, end, sums)


def _planned_time(
    current: list[Sent], doings: dict[str, list[Doing]], clock: int, sums: dict[Place, dict[str, int]]
) -> None:
    """Planned time up to the last whole minute, and what the agent did in it."""
    by_agent: dict[str, list[tuple[int, ShiftPlanned]]] = defaultdict(list)
    for sent in current:
        if isinstance(sent.event, ShiftPlanned):
            by_agent[sent.event.agent].append((sent.offset, sent.event))
    passed = clock // 60_000 * 60_000
    for agent, told in by_agent.items():
        for start, end, name, is_paid in planned_pieces(told):
            for column in [f"plan:{name}", *(["plan:P"] if is_paid else [])]:
                _spread(agent, column, start, min(end, passed), sums)
            for begins, ends, event in doings[agent]:
                if event.state != "offline":
                    done = f"away/{event.reason or ''}" if event.state == "away" else "work"
                    _spread(agent, f"plan:{name}/{done}", max(start, begins), min(end, ends), sums)


def planned_pieces(told: list[tuple[int, ShiftPlanned]]) -> list[tuple[int, int, str, bool]]:
    """(start, end, class with zone, paid) of the (offset, plan) pairs of an agent."""
    edges = {_held_until(plan) for _, plan in told} | {milliseconds(plan.at) for _, plan in told}
    edges |= {milliseconds(at) for _, plan in told for a in plan.activities for at in (a.starts_at, a.ends_at)}
    cuts = sorted({edge + step for edge in edges for step in (-GRACE, 0, GRACE)})
    holds = {at: _holding(told, at) for cut in cuts for at in (cut - 1, cut)}
    found = []
    for start, end in pairwise(cuts):
        held = holds[start]
        if held is None:
            continue
        run_start = max(cut for cut in cuts if cut <= start and holds[cut] and not holds[cut - 1])
        run_end = min(cut for cut in cuts if cut > start and not holds[cut])
        changes = [cut for cut in cuts if run_start < cut < run_end and holds[cut - 1][0] != holds[cut][0]]  # type: ignore[index]
        zone = "g" if any(change - GRACE <= start < change + GRACE for change in changes) else ""
        if start < run_start + GRACE or start >= run_end - GRACE:
            zone = "e"
        found.append((start, end, ("W" if held[0] else "B") + zone, held[1]))
    return found


def _holding(told: list[tuple[int, ShiftPlanned]], at: int) -> tuple[bool, bool] | None:
    """(productive, paid) of what is planned at an instant: the latest plan over it says, by its latest activity."""
    covering = [(offset, plan) for offset, plan in told if milliseconds(plan.at) <= at < _held_until(plan)]
    if not covering:
        return None
    activities = max(covering, key=lambda found: found[0])[1].activities
    here = [
        (milliseconds(a.starts_at), -milliseconds(a.ends_at), number, a.productive, a.paid)
        for number, a in enumerate(activities)
        if milliseconds(a.starts_at) <= at < milliseconds(a.ends_at)
    ]
    return max(here)[3:] if here else None


def _held_until(plan: ShiftPlanned) -> int:
    start = milliseconds(plan.at)
    spans = [
        (max(milliseconds(a.starts_at), start), min(milliseconds(a.ends_at), start + DAY)) for a in plan.activities
    ]
    return max((end for begins, end in spans if begins < end), default=start)


def _engaged_time(current: list[Sent], sums: dict[Place, dict[str, int]]) -> None:
    by_agent: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for sent in current:
        event = sent.event
        if isinstance(event, ContactHandled) and event.agent is not None:
            end = milliseconds(event.at)
            by_agent[event.agent].append((max(milliseconds(event.started_at), end - TTL), end))
    for agent, spans in by_agent.items():
        covered = -1
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            _spread(agent, "engaged_ms", max(start, covered), end, sums)
            covered = max(covered, end)


def _spread(agent: str, column: str, start: int, end: int, sums: dict[Place, dict[str, int]]) -> None:
    for minute in range(start // 60_000, end // 60_000 + 1):
        part = min(end, (minute + 1) * 60_000) - max(start, minute * 60_000)
        if part > 0:
            sums[f"agent:{agent}", minute, "", ""][column] += part


def _bucket(column: str, waited_s: float) -> str:
    index = next((i for i, limit in enumerate(THRESHOLDS_S) if _ms(waited_s) <= limit * 1000), len(THRESHOLDS_S))
    return f"{column}_waits:{index}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
