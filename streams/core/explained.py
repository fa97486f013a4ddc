"""
How a figure came about: what each event, and each stretch of time, adds to the sums of one subject.

A change of state is the owner of the time up to the next one, a plan of the time that it plans. The sums of all facts
are those of `fold_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    FloorEvent,
    ShiftPlanned,
    StateChanged,
)
from schemas.times import MINUTE_MS, minute_of, seconds_to_ms, to_ms
from streams.core.deltas import Delta, split
from streams.core.facts import CellKey, counted
from streams.core.panes import Panes, add_to
from streams.core.planned import Plan, Plans, plan_of
from streams.core.spans import EVER, TTL_MS, Span
from streams.core.subject import AgentTime, expire, fold

Kind = Literal["event", "state", "planned"]
Scope = Callable[[int, CellKey], bool]
"""Whether what stands in a (minute, cell) counts for the figure."""

ENDED_BY_TTL = "nobody ended it: it ended by itself after 12 h"
STILL_OPEN = "not over yet: its time counts when it ends"


@dataclass(frozen=True, slots=True)
class Fact:
    """What one event adds at its instant, or a stretch of time [start, end) that it began."""

    event: FloorEvent
    kind: Kind
    start_ms: int
    end_ms: int
    deltas: Sequence[Delta]
    note: str = ""

    def sums(self, scope: Scope) -> dict[str, int]:
        """What of it counts."""
        total: dict[str, int] = {}
        for delta in self.deltas:
            if scope(delta.minute, delta.cell):
                add_to(total, delta.sums, delta.sign)
        return total


@dataclass(frozen=True, slots=True)
class _Entered:
    """A state as it was entered."""

    offset: int
    event: StateChanged

    @property
    def at(self) -> int:
        return to_ms(self.event.at)


def facts_of(events: Iterable[tuple[int, FloorEvent]], clock: int) -> Iterator[Fact]:
    """The facts of one subject from its (offset, current event) pairs as of `clock`, in order of time; plans last."""
    in_time = sorted(events, key=lambda pair: (pair[1].at, pair[0]))
    plans = _plans(in_time)
    time = AgentTime(Plans(plan for plan, _ in plans))
    state: _Entered | None = None
    for offset, event in in_time:
        deltas = fold(event, offset, time, EVER).deltas
        own = deltas if not isinstance(event, StateChanged) else deltas[: bool(counted(event).sums)]
        if own:
            yield Fact(event, "event", to_ms(event.at), to_ms(event.at), own)
        if isinstance(event, StateChanged):
            if state is not None:
                yield _stretch(state, to_ms(event.at), deltas[len(own) :])
            state = _Entered(offset, event)
    if state is not None:
        yield from _last(state, expire(time, clock).deltas, clock)
    yield from _planned(plans, time.plans, minute_of(clock) * MINUTE_MS)


def _stretch(state: _Entered, until: int, deltas: Sequence[Delta]) -> Fact:
    end = min(until, state.at + TTL_MS)
    return Fact(state.event, "state", state.at, end, deltas, ENDED_BY_TTL if end < until else "")


def _last(state: _Entered, deltas: Sequence[Delta], clock: int) -> Iterator[Fact]:
    if clock >= state.at + TTL_MS:
        yield _stretch(state, clock + 1, deltas)
    else:
        yield Fact(state.event, "state", state.at, clock, (), STILL_OPEN)


def _plans(in_time: Iterable[tuple[int, FloorEvent]]) -> list[tuple[Plan, ShiftPlanned]]:
    """The plans with their events, the one that holds where several overlap first."""
    told = ((plan_of(event, offset), event) for offset, event in in_time if isinstance(event, ShiftPlanned))
    plans = [(plan, event) for plan, event in told if plan is not None]
    return sorted(plans, key=lambda pair: (pair[0].offset, pair[0].identity), reverse=True)


def _planned(plans: list[tuple[Plan, ShiftPlanned]], known: Plans, until: int) -> Iterator[Fact]:
    """Planned time that has passed, stretch by stretch."""
    stretches: dict[tuple[int, int], list[Span]] = {}
    for span in known.until(until):
        stretches.setdefault((span.start, span.end), []).append(span)
    for (start, end), spans in stretches.items():
        event = next(event for plan, event in plans if plan.start <= start < plan.end)
        yield Fact(event, "planned", start, end, split(spans))


def totals(panes: Panes, scope: Scope) -> dict[str, int]:
    """The sums of all panes that count."""
    found: dict[str, int] = {}
    for minute, cells in panes.minutes.items():
        for cell, pane in cells.items():
            if scope(minute, cell):
                add_to(found, pane.sums)
    return found


def lasted(event: FloorEvent) -> tuple[int, int]:
    """[start, end] of what an event tells of a contact; both its own instant for other events."""
    at = to_ms(event.at)
    if isinstance(event, ContactHandled):
        return min(to_ms(event.started_at), at), at
    if isinstance(event, ContactAnswered | ContactAbandoned | ContactFlowedOut):
        return at - seconds_to_ms(event.waited_s), at
    return at, at
