"""
The figures that need single facts, from the plain list of events: who waits, what is open, how long tickets took, who
came again. By hand, instant by instant; nothing of `sinks` or `streams.core`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactFlowedOut,
    ContactOffered,
    FloorEvent,
    TicketChanged,
    TicketWorked,
)
from schemas.registry import Floor, Hours
from tests.streams.oracle import milliseconds

TTL = 12 * 3_600_000
NEVER = 2**62
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LEAVING = (ContactAnswered, ContactAbandoned, ContactFlowedOut)


def waits(events: Iterable[FloorEvent], now: int) -> list[tuple[str, int, int]]:
    """(queue, start, end) of each wait; one that nobody ends lasts 12 h, or goes on as these are not over `now`."""
    steps: dict[tuple[str, str], list[tuple[int, bool]]] = defaultdict(list)
    for event in events:
        if isinstance(event, (ContactOffered, *_LEAVING)):
            steps[event.queue, event.contact].append((milliseconds(event.at), isinstance(event, ContactOffered)))
    found = []
    for (queue, _), told in steps.items():
        for at in [at for at, is_offer in told if is_offer]:
            following = min([later for later, _ in told if later > at], default=NEVER)
            is_over = following <= at + TTL or at + TTL <= now
            found.append((queue, at, min(following, at + TTL) if is_over else NEVER))
    return found


def waiting(events: Iterable[FloorEvent], queue: str, at: int, now: int) -> int:
    """Contacts that wait in a queue at an instant; who leaves at that very instant still waits."""
    return sum(where == queue and start < at <= end for where, start, end in waits(events, now))


def open_tickets(events: Iterable[FloorEvent], queue: str, at: int) -> int:
    """Tickets of a queue that are open just before an instant."""
    return sum(is_open and where == queue for is_open, where in _tickets_at(events, at))


def _tickets_at(events: Iterable[FloorEvent], at: int) -> Iterator[tuple[bool, str]]:
    steps: dict[str, list[TicketChanged]] = defaultdict(list)
    for event in events:
        if isinstance(event, TicketChanged) and milliseconds(event.at) < at:
            steps[event.ticket].append(event)
    for told in steps.values():
        told.sort(key=lambda step: step.at)
        turning = [step.change for step in told if step.change in {"created", "reopened", "solved"}]
        yield turning[-1] != "solved", told[-1].queue


@dataclass(frozen=True)
class Life:
    """How long a ticket took, s, by the calendar and in business hours; None where it has not come to that."""

    first_reply_s: float | None
    first_reply_business_s: float | None
    resolution_s: float | None
    resolution_business_s: float | None
    full_resolution_s: float | None
    full_resolution_business_s: float | None


def lives(events: Iterable[FloorEvent], floor: Floor, zone: ZoneInfo) -> dict[str, Life]:
    """Ticket -> how long it took."""
    steps: dict[str, list[TicketChanged | TicketWorked]] = defaultdict(list)
    for event in events:
        if isinstance(event, TicketChanged | TicketWorked):
            steps[event.ticket].append(event)
    return {ticket: _life(sorted(told, key=lambda step: step.at), floor, zone) for ticket, told in steps.items()}


def _life(told: list[TicketChanged | TicketWorked], floor: Floor, zone: ZoneInfo) -> Life:
    created = next(step for step in told if step.change == "created")
    replied = [step.at for step in told if step.change == "replied"]
    solved = [step.at for step in told if step.change == "solved"]
    turning = [step.change for step in told if step.change in {"created", "reopened", "solved"}]
    ends = [min(replied, default=None), min(solved, default=None), max(solved) if turning[-1] == "solved" else None]
    taken: list[float | None] = []
    for end in ends:
        taken.append(None if end is None else _seconds(created.at, end))
        taken.append(None if end is None else business_s(created.at, end, str(created.queue), floor, zone))
    return Life(*taken)


def _seconds(start: datetime, end: datetime) -> float:
    return max(0, milliseconds(end) - milliseconds(start)) / 1000


def business_s(start: datetime, end: datetime, queue: str, floor: Floor, zone: ZoneInfo) -> float:
    """The part of a time within the hours of a queue, minute by minute; a queue without hours is always open."""
    known = next((kept for kept in floor.queues if kept.id == queue), None)
    if known is None or not known.hours:
        return _seconds(start, end)
    holidays = next((site.holidays for site in floor.sites if site.id == known.site), [])
    total, day = 0, start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        for first, last in _opened(known.hours, day) if day not in holidays else []:
            begins, ends = (_instant(day, minute, zone) for minute in (first, last))
            total += max(0, min(ends, milliseconds(end)) - max(begins, milliseconds(start)))
        day += timedelta(days=1)
    return total / 1000


def _opened(hours: Iterable[Hours], day: date) -> list[tuple[int, int]]:
    """[first, last) minute of each stretch of a day in which a queue is open, however its hours overlap."""
    is_open = [False] * 1441
    for kept in hours:
        if WEEKDAYS[day.weekday()] in kept.days:
            first, last = _minute_of(kept.opens), _minute_of(kept.closes)
            is_open[first:last] = [True] * (last - first)
    edges = [minute for minute in range(1441) if is_open[minute] != (minute > 0 and is_open[minute - 1])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _minute_of(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """The instant of a local time; minute 1440 is the next midnight."""
    if minute == 1440:
        return _instant(day + timedelta(days=1), 0, zone)
    return milliseconds(datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC))


@dataclass
class Repeats:
    """Contacts of one queue and client: how many of a known customer, whose time is over, who came again."""

    known: int = 0
    unknown: int = 0
    due: int = 0
    repeated: int = 0


def repeats(
    events: Iterable[FloorEvent], floor: Floor, days: int, zone: ZoneInfo, now: int
) -> dict[tuple[str, str], Repeats]:
    """(queue, client) -> who came again within so many local days; `now` is the clock of the floor."""
    first: dict[str, ContactOffered] = {}
    for event in sorted(events, key=lambda told: told.at):
        if isinstance(event, ContactOffered):
            first.setdefault(event.contact, event)
    clients = {queue.id: queue.client for queue in floor.queues}
    found: dict[tuple[str, str], Repeats] = defaultdict(Repeats)
    for contact in first.values():
        client = clients.get(contact.queue, "")
        cell = found[contact.queue, client]
        if contact.customer is None:
            cell.unknown += 1
            continue
        cell.known += 1
        until = _days_later(contact.at, days, zone)
        if until <= now:
            others = [
                other
                for other in first.values()
                if other.customer == contact.customer
                and clients.get(other.queue, "") == client
                and contact.at < other.at
                and milliseconds(other.at) < until
            ]
            cell.due += 1
            cell.repeated += bool(others)
    return dict(found)


def _days_later(at: datetime, days: int, zone: ZoneInfo) -> int:
    """The same local time so many days later."""
    local = at.astimezone(zone)
    return milliseconds(datetime.combine(local.date() + timedelta(days=days), local.time(), zone).astimezone(UTC))
