"""
What rules see of an agent beside the panes: the state that lasts, minute by minute, as planned time is counted.

A pane gets the time of a state when the state ends, planned time when its minute has passed. Rules see whole minutes
of both, so nobody has done more of what is planned than was planned, nor less for being in one state for long:

    in panes    | state that lasts, seen up to |-- not yet --> now
    planned     in panes, minute by minute     |
    done in it  in panes      | seen           |-- what ended in the minute that runs: not yet
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.panes import PLAN_PREFIX, Sums
from schemas.times import MINUTE_MS, minute_of
from streams.core.spans import TTL_MS, Span
from streams.core.subject import AgentTime, Subject


def in_state(time: AgentTime, now: int) -> list[Span]:
    """The time in the state that lasts, up to the last whole minute; none beyond its TTL."""
    change = time.timeline.now()
    if change is None:
        return []
    end = min(minute_of(now) * MINUTE_MS, change.at + TTL_MS)
    return [Span(column, change.at, end, 1) for column in change.columns] if change.at < end else []


def in_plan(subject: Subject, now: int, state: list[Span]) -> list[Span]:
    """What of a state that lasts lies in planned time, less what panes hold of the minute that runs and later ones."""
    spans = list(subject.time.plans.worked(state))
    for minute in range(minute_of(now), subject.panes.newest + 1):
        start = minute * MINUTE_MS
        for sums in subject.panes.sums_of(minute):
            done = ((column, ms) for column, ms in sums.items() if column.startswith(PLAN_PREFIX))
            spans += [Span(column, start, start + ms, -1) for column, ms in done]
    return spans


def with_spans(sums: Sums, spans: Iterable[Span], bounds: tuple[int, int]) -> Sums:
    """Sums and what of the spans lies within [from, to); a copy where anything does."""
    start, end = bounds
    totals: dict[str, int] | None = None
    for span in spans:
        ms = min(span.end, end) - max(span.start, start)
        if ms > 0:
            totals = dict(sums) if totals is None else totals
            totals[span.column] = totals.get(span.column, 0) + span.sign * ms
    return sums if totals is None else totals
