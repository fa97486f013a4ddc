"""
The planned time of one agent: what was planned for each instant, and what of it was worked.

A plan holds from its start to the end of its last activity, at most 24 h. Where two plans of an agent overlap, the one
with the higher offset in the log holds; of two activities of one plan the one that starts later, then the shorter one.
Where no gap lies between them, plans are one shift: its ends and its changes of activity have a zone of grace.

    planned    | work                  | lunch         | work                  |
    holds      | We |       W     | Wg | Bg |  B  | Bg | Wg |       W     | We |
                 2 min            2 min 2 min      2 min  ...

As with the timeline of states, what a change moves comes out as spans with a sign.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from schemas.events import ShiftPlanned
from schemas.panes import AWAY_PREFIX, PLAN_PREFIX, WORK_COLUMNS
from schemas.times import HOUR_MS, MINUTE_MS, minute_of, to_ms
from streams.core.identity import identity_of
from streams.core.spans import EVER, Identity, Span

GRACE_MS = 2 * MINUTE_MS
LONGEST_PLAN_MS = 24 * HOUR_MS
"""What is planned for later than this after the start of a plan is cut off."""
KEPT_MS = 26 * HOUR_MS
"""A plan is remembered this long after its end: longer than the longest site day, whose shifts it bounds."""
PAID = PLAN_PREFIX + "P"

_WORKED = dict.fromkeys(WORK_COLUMNS, "/work")
_ANY_WORK = next(iter(_WORKED))


class Part(NamedTuple):
    """One activity of a plan, [start, end)."""

    start: int
    end: int
    productive: bool
    paid: bool


class Piece(NamedTuple):
    """A stretch [start, end) in which all planned time counts alike; `columns`: by class and zone, then paid."""

    start: int
    end: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan of an agent: parts that do not overlap, oldest first; nothing is planned in gaps between them."""

    identity: Identity
    offset: int
    start: int
    end: int
    parts: tuple[Part, ...]


def plan_of(event: ShiftPlanned, offset: int) -> Plan | None:
    """The plan of an event of an offset; None where nothing of it lies within 24 h from its start."""
    start = to_ms(event.at)
    parts: list[Part] = []
    for told in sorted(event.activities, key=lambda a: (to_ms(a.starts_at), -to_ms(a.ends_at))):
        begins, ends = max(to_ms(told.starts_at), start), min(to_ms(told.ends_at), start + LONGEST_PLAN_MS)
        if begins < ends:
            parts = [*_without(parts, begins, ends), Part(begins, ends, told.productive, told.paid)]
    if not parts:
        return None
    return Plan(identity_of(event), offset, start, max(part.end for part in parts), tuple(sorted(parts)))


class Plans:
    """The remembered plans of one agent."""

    def __init__(self, plans: Iterable[Plan] = (), forgotten_until: int = EVER) -> None:
        """`forgotten_until`: the latest end of a plan that is no longer remembered."""
        self._plans = {plan.identity: plan for plan in plans}
        self._forgotten_until = forgotten_until
        self._pieces: list[Piece] | None = None
        """None, as `_dumped`, after the plans changed."""
        self._dumped: list[Any] | None = None
        self._starts: list[int] = []

    def __bool__(self) -> bool:
        """False for who never had a plan."""
        return bool(self._plans) or self._forgotten_until > EVER

    @property
    def known_from(self) -> int:
        """What was planned before this instant is not fully remembered."""
        return self._forgotten_until + GRACE_MS

    def shifts(self) -> list[tuple[int, int]]:
        """(start, end) of the plans; of those that overlap the one that holds comes first."""
        newest = sorted(self._plans.values(), key=_rank, reverse=True)
        return [(plan.start, plan.end) for plan in newest]

    def insert(self, plan: Plan) -> list[Span]:
        """The spans of planned time that a plan moves, where all is known."""
        if self._plans.get(plan.identity) == plan:
            return []
        before = self._around(plan)
        self._plans[plan.identity] = plan
        return self._difference(before, plan)

    def remove(self, identity: Identity) -> list[Span]:
        """The spans of planned time that taking back a plan moves; none where it is not remembered."""
        plan = self._plans.get(identity)
        if plan is None:
            return []
        before = self._around(plan)
        del self._plans[identity]
        return self._difference(before, plan)

    def prune(self, clock: int) -> None:
        """Forget plans that ended long ago."""
        gone = [plan for plan in self._plans.values() if plan.end <= clock - KEPT_MS]
        for plan in gone:
            del self._plans[plan.identity]
            self._forgotten_until = max(self._forgotten_until, plan.end)
            self._pieces = self._dumped = None

    def next_minute(self, minute: int) -> int | None:
        """The first minute from this one on for which something is planned."""
        if self._whole(minute) is not None:
            return minute
        for piece in self._from(minute * MINUTE_MS):
            return max(minute, minute_of(piece.start))
        return None

    def in_minute(self, minute: int) -> dict[str, int]:
        """Planned time of a minute by column, ms; not to be changed."""
        piece = self._whole(minute)
        if piece is not None:
            return _minute_of_each(piece.columns)
        sums: dict[str, int] = {}
        for span in self.until((minute + 1) * MINUTE_MS, start=minute * MINUTE_MS):
            sums[span.column] = sums.get(span.column, 0) + span.end - span.start
        return sums

    def until(self, end: int, *, start: int = EVER) -> Iterator[Span]:
        """The spans of planned time in [start, end)."""
        for piece in self._from(start):
            if piece.start >= end:
                return
            for column in piece.columns:
                yield Span(column, max(piece.start, start), min(piece.end, end), 1)

    def worked(self, spans: Iterable[Span]) -> Iterator[Span]:
        """What of some spans of states lies in planned time."""
        for span in spans:
            done = _done(span.column)
            if not done:
                continue
            for piece in self._from(span.start):
                if piece.start >= span.end:
                    break
                yield Span(piece.columns[0] + done, max(piece.start, span.start), min(piece.end, span.end), span.sign)

    def dump(self) -> list[Any]:
        """As JSON values, not to be changed; the parts of a plan count from its start."""
        if self._dumped is None:
            plans = []
            for plan in self._plans.values():
                parts = [[a - plan.start, b - plan.start, work + 2 * paid] for a, b, work, paid in plan.parts]
                plans.append([plan.identity, plan.offset, plan.start, parts])
            self._dumped = [self._forgotten_until, plans]
        return self._dumped

    @classmethod
    def load(cls, data: list[Any]) -> Plans:
        """From `dump`."""
        plans = []
        for identity, offset, start, rows in data[1]:
            parts = tuple(Part(start + a, start + b, bool(kind & 1), bool(kind & 2)) for a, b, kind in rows)
            plans.append(Plan(identity, offset, start, parts[-1].end, parts))
        return cls(plans, data[0])

    def _painting(self) -> list[Piece]:
        """All pieces; `_starts` goes with them."""
        if self._pieces is None:
            self._pieces = _painted(self._plans.values())
            self._starts = [piece.start for piece in self._pieces]
        return self._pieces

    def _whole(self, minute: int) -> Piece | None:
        """The piece that holds the whole of a minute, as one does for nearly all."""
        pieces, start = self._painting(), minute * MINUTE_MS
        index = bisect_right(self._starts, start) - 1
        return pieces[index] if index >= 0 and pieces[index].end >= start + MINUTE_MS else None

    def _from(self, start: int) -> Iterator[Piece]:
        """The pieces that end after an instant."""
        pieces = self._painting()
        first = max(bisect_right(self._starts, start) - 1, 0)
        for index in range(first, len(pieces)):
            if pieces[index].end > start:
                yield pieces[index]

    def _around(self, plan: Plan) -> list[Piece]:
        """The pieces of what a plan can change: itself, and what lies within the zones of grace around it."""
        reach = 2 * GRACE_MS
        return _painted(p for p in self._plans.values() if p.end >= plan.start - reach and p.start <= plan.end + reach)

    def _difference(self, before: list[Piece], plan: Plan) -> list[Span]:
        self._pieces = self._dumped = None
        start = max(plan.start - GRACE_MS, self.known_from)
        return _difference(before, self._around(plan), start, plan.end + GRACE_MS)


class Past:
    """
    What an agent did before the changes of state that are remembered: a plan may be told, or moved, hours later.

    Work is one stretch, whatever states it went through, so that a day has as many of them as it has breaks.
    """

    def __init__(self, rows: Iterable[Sequence[Any]] = ()) -> None:
        """From `dump`; nothing by default."""
        self._stretches = [Span(column, start, end, 1) for column, start, end in rows]

    def add(self, spans: Iterable[Span]) -> None:
        """States that ended, oldest first."""
        for span in spans:
            column = _ANY_WORK if span.column in _WORKED else span.column
            if not _done(column):
                continue
            last = self._stretches[-1] if self._stretches else None
            start = span.start if last is None else max(span.start, last.end)
            if last is not None and last.column == column and last.end == start:
                last.end = max(last.end, span.end)
            elif start < span.end:
                self._stretches.append(Span(column, start, span.end, 1))

    def prune(self, clock: int) -> None:
        """Forget what no remembered plan reaches."""
        horizon = clock - KEPT_MS - LONGEST_PLAN_MS
        if self._stretches and self._stretches[0].end <= horizon:
            self._stretches = [span for span in self._stretches if span.end > horizon]

    def spans(self) -> list[Span]:
        """All that is remembered, oldest first; not to be changed."""
        return self._stretches

    def dump(self) -> list[Any]:
        """As JSON values."""
        return [[span.column, span.start, span.end] for span in self._stretches]


@cache
def _minute_of_each(columns: tuple[str, ...]) -> dict[str, int]:
    return dict.fromkeys(columns, MINUTE_MS)


def overlaps(planned: Iterable[Span], states: Sequence[Span]) -> Iterator[Span]:
    """What of some spans of states lies in spans of planned time that were moved."""
    moved = [span for span in planned if span.column != PAID]
    if not moved:
        return
    start, end = min(span.start for span in moved), max(span.end for span in moved)
    told = [(span, _done(span.column)) for span in states if span.end > start and span.start < end]
    for plan in moved:
        for state, done in told:
            begins, ends = max(plan.start, state.start), min(plan.end, state.end)
            if done and begins < ends:
                yield Span(plan.column + done, begins, ends, plan.sign * state.sign)


def _done(column: str) -> str:
    """What an agent did in the time of a state's column: `/work` or `/away/REASON`; `''` for other columns."""
    if column.startswith(AWAY_PREFIX):
        return "/away/" + column[len(AWAY_PREFIX) :]
    return _WORKED.get(column, "")


def _rank(plan: Plan) -> tuple[int, Identity]:
    return plan.offset, plan.identity


def _without(parts: Iterable[Part], start: int, end: int) -> Iterator[Part]:
    """Parts without what of them lies in [start, end)."""
    for part in parts:
        if part.start < start:
            yield part._replace(end=min(part.end, start))
        if part.end > end:
            yield part._replace(start=max(part.start, end))


def _painted(plans: Iterable[Plan]) -> list[Piece]:
    """What holds at each instant, oldest first: later plans lie over earlier ones."""
    parts: list[Part] = []
    for plan in sorted(plans, key=_rank):
        parts = [*_without(parts, plan.start, plan.end), *plan.parts]
    parts.sort()
    pieces: list[Piece] = []
    for shift in _shifts(parts):
        pieces += _pieces(shift)
    return pieces


def _shifts(parts: list[Part]) -> Iterator[list[Part]]:
    """Parts without a gap between them."""
    first = 0
    for index in range(1, len(parts) + 1):
        if index == len(parts) or parts[index].start > parts[index - 1].end:
            yield parts[first:index]
            first = index


def _pieces(shift: list[Part]) -> Iterator[Piece]:
    begins, ends = shift[0].start, shift[-1].end
    changes = [after.start for before, after in pairwise(shift) if before.productive != after.productive]
    edges = sorted({begins + GRACE_MS, ends - GRACE_MS, *(c + d for c in changes for d in (-GRACE_MS, GRACE_MS))})
    for part in shift:
        inner = edges[bisect_right(edges, part.start) : bisect_right(edges, part.end - 1)]
        for start, end in pairwise([part.start, *inner, part.end]):
            at_end = start < begins + GRACE_MS or start >= ends - GRACE_MS
            zone = "e" if at_end else "g" if _is_near(changes, start) else ""
            column = PLAN_PREFIX + ("W" if part.productive else "B") + zone
            yield Piece(start, end, (column, PAID) if part.paid else (column,))


def _is_near(changes: list[int], at: int) -> bool:
    """True within the zone of grace of one of some instants in order."""
    following = bisect_right(changes, at)
    if following and at < changes[following - 1] + GRACE_MS:
        return True
    return following < len(changes) and at >= changes[following] - GRACE_MS


def _difference(before: list[Piece], after: list[Piece], start: int, end: int) -> list[Span]:
    """What the pieces of [start, end) lost and gained."""
    edges = {edge for piece in (*before, *after) for edge in piece[:2] if start < edge < end}
    spans: list[Span] = []
    for begins, ends in pairwise(sorted({start, end, *edges}) if start < end else ()):
        old, new = _columns_at(before, begins), _columns_at(after, begins)
        spans += [Span(column, begins, ends, -1) for column in old if column not in new]
        spans += [Span(column, begins, ends, 1) for column in new if column not in old]
    return spans


def _columns_at(pieces: list[Piece], at: int) -> tuple[str, ...]:
    index = bisect_right(pieces, at, key=lambda piece: piece.start) - 1
    return pieces[index].columns if index >= 0 and at < pieces[index].end else ()
