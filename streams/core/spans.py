"""
Time that is split over minutes: the timeline of an agent's states and the union of contacts in hand.

Both are functions of the set of what happened, whatever the order of arrival: a late change gives back what its
neighbour had and takes its own. What they return are spans with a sign, to be added to the minutes they cover.

    ready          away                ready
    |--------------|-------------------|-------
                   ^ late: hold        the away before it ends here, hold runs to the next change
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from schemas.panes import AWAY_PREFIX, STATE_COLUMN
from schemas.times import HOUR_MS

TTL_MS = 12 * HOUR_MS
"""A state or a wait that nobody ended ends by itself after this."""

EVER = -(2**62)
"""Before every instant."""
NEVER = 2**62
"""After every instant."""

Identity = str
"""source, id and type of an event, joined."""


class Span:
    """A stretch of time [start, end) that a column gains (+1) or loses (-1)."""

    __slots__ = ("column", "end", "sign", "start")

    def __init__(self, column: str, start: int, end: int, sign: int) -> None:
        """Both in epoch ms."""
        self.column = column
        self.start = start
        self.end = end
        self.sign = sign


class Change(NamedTuple):
    """An agent's entry into a state; a row of JSON values. Changes of one instant stand in the order of the log."""

    at: int
    offset: int
    state: str
    reason: str
    identity: Identity

    @property
    def columns(self) -> tuple[str, ...]:
        """Where the time in this state is counted."""
        if self.state == "away":
            return ("away_ms", AWAY_PREFIX + self.reason)
        column = STATE_COLUMN.get(self.state)
        return (column,) if column else ()


class Timeline:
    """The remembered state changes of one agent, oldest first; the last one is the state now."""

    def __init__(
        self,
        changes: list[Change] | None = None,
        *,
        pruned: bool = False,
        expired: bool = False,
        begun: int | None = None,
    ) -> None:
        """
        `pruned`: changes before the first are forgotten; `expired`: the last one ended by TTL; `begun`: since when the
        state of the first one lasts, where that was before it.
        """
        self.changes = changes or []
        self.pruned = pruned
        self.expired = expired
        self._begun = begun

    def insert(self, change: Change, clock: int) -> list[Span] | None:
        """The spans that a change moves; None when what held before it is not remembered."""
        is_forgotten = self.is_forgotten(change.at)
        if is_forgotten and self.changes:
            return None
        last = self.changes[-1] if self.changes else None
        if last is not None and last < change and not self.expired and clock < change.at + TTL_MS:
            self.changes.append(change)  # as nearly all come: in order, and just now
            end = min(change.at, last.at + TTL_MS)
            return [Span(column, last.at, end, 1) for column in last.columns] if last.at < end else []
        before = max(bisect_right(self.changes, change) - 1, 0)  # nothing before it is moved
        ends = self._ends(before)
        insort(self.changes, change)
        if change is self.changes[-1]:
            self.expired = clock >= change.at + TTL_MS
        return None if is_forgotten else self._difference(ends, before)  # forgotten: all after it was taken back

    def remove(self, identity: Identity, clock: int) -> list[Span] | None:
        """The spans that taking back a change moves; None when it is not remembered."""
        found = next((change for change in self.changes if change.identity == identity), None)
        if found is None:
            return None
        ends = self._ends()
        was_last = found is self.changes[-1]
        if found is self.changes[0]:
            self._begun = None
        self.changes.remove(found)
        if was_last:
            self.expired = bool(self.changes) and clock >= self.changes[-1].at + TTL_MS
        return self._difference(ends)

    def is_forgotten(self, at: int) -> bool:
        """True when what the state was just before an instant is not remembered."""
        return self.pruned and (not self.changes or at < self.changes[0].at)

    def settled(self) -> list[Span]:
        """All spans that are remembered."""
        return [
            Span(column, change.at, end, 1)
            for change, end in self._ends().values()
            for column in change.columns
            if end > change.at
        ]

    def expire(self, clock: int) -> list[Span]:
        """End the state now when nobody ended it for the TTL."""
        if self.expired or not self.changes or clock < self.changes[-1].at + TTL_MS:
            return []
        ends = self._ends()
        self.expired = True
        return self._difference(ends)

    def prune(self, horizon: int) -> list[Span]:
        """
        Forget changes before the one that held at the horizon and its predecessor: their time is settled.

        Returns that time, oldest first.
        """
        kept = 0
        while kept + 2 < len(self.changes) and self.changes[kept + 2].at <= horizon:
            kept += 1
        if not kept:
            return []
        self._begun = self._since(kept)
        forgotten = [
            Span(column, change.at, min(following.at, change.at + TTL_MS), 1)
            for change, following in pairwise(self.changes[: kept + 1])
            for column in change.columns
        ]
        del self.changes[:kept]
        self.pruned = True
        return forgotten

    def now(self) -> Change | None:
        """The state now; None when unknown or ended by TTL."""
        return self.changes[-1] if self.changes and not self.expired else None

    def since(self) -> int | None:
        """Since when the state now lasts, whatever its reasons were; None without one."""
        return self._since(len(self.changes) - 1) if self.now() is not None else None

    def dump(self) -> list[Any]:
        """As JSON values."""
        return [self.pruned, self.expired, list(self.changes), self._begun]

    @classmethod
    def load(cls, data: list[Any]) -> Timeline:
        """From `dump`; one of before has no `begun`."""
        pruned, expired, rows, *begun = data
        return cls([Change(*row) for row in rows], pruned=pruned, expired=expired, begun=begun[0] if begun else None)

    def _since(self, place: int) -> int:
        """Since when the state of a change lasts: the same state follows itself, and none of it ended by TTL."""
        changes = self.changes
        while place and changes[place - 1].state == changes[place].state:
            if changes[place].at > changes[place - 1].at + TTL_MS:
                return changes[place].at
            place -= 1
        return changes[place].at if place or self._begun is None else self._begun

    def _ends(self, start: int = 0) -> dict[Identity, tuple[Change, int]]:
        """Identity -> (change, settled end of its time) from one change on; its own start while it is open."""
        ends = {}
        changes = self.changes[start:] if start else self.changes
        for change, following in pairwise(changes):
            ends[change.identity] = (change, min(following.at, change.at + TTL_MS))
        if changes:
            last = changes[-1]
            ends[last.identity] = (last, last.at + TTL_MS if self.expired else last.at)
        return ends

    def _difference(self, before: dict[Identity, tuple[Change, int]], start: int = 0) -> list[Span]:
        after = self._ends(start)
        spans: list[Span] = []
        for identity in before.keys() | after.keys():
            change, _ = before.get(identity) or after[identity]
            old = before[identity][1] if identity in before else change.at
            new = after[identity][1] if identity in after else change.at
            if old != new:
                sign = 1 if new > old else -1
                spans += [Span(column, min(old, new), max(old, new), sign) for column in change.columns]
        return spans


class Engagement:
    """The times with at least one contact in hand: a union, however many overlap."""

    def __init__(self, intervals: dict[Identity, tuple[int, int]] | None = None) -> None:
        """`intervals`: identity -> [start, end) of the remembered contacts."""
        self.intervals = intervals or {}
        self._union: tuple[list[int], list[int]] | None = None
        """Starts and ends of the union, both rising; None while it must be made anew."""

    def insert(self, identity: Identity, start: int, end: int) -> list[Span]:
        """The time that nothing else covered yet."""
        is_again = identity in self.intervals
        starts, ends = self._covered()
        self.intervals[identity] = (start, end)
        if start >= end:
            return []
        first, after = bisect_left(ends, start), bisect_right(starts, end)
        spans = [
            Span("engaged_ms", a, b, 1)
            for a, b in _gaps(start, end, zip(starts[first:after], ends[first:after], strict=True))
        ]
        if first < after:
            start, end = min(start, starts[first]), max(end, ends[after - 1])
        starts[first:after], ends[first:after] = [start], [end]
        if is_again:
            self._union = None
        return spans

    def remove(self, identity: Identity) -> list[Span]:
        """The time that nothing else covers any more."""
        gone = self.intervals.pop(identity, None)
        if gone is None:
            return []
        self._union = None
        start, end = gone
        others = sorted(i for i in self.intervals.values() if i[1] > start and i[0] < end)
        return [Span("engaged_ms", a, b, -1) for a, b in _gaps(start, end, others)]

    def prune(self, horizon: int) -> None:
        """Forget contacts that ended at or before the horizon."""
        gone = [identity for identity, (_, end) in self.intervals.items() if end <= horizon]
        for identity in gone:
            del self.intervals[identity]
        if gone:
            self._union = None

    def _covered(self) -> tuple[list[int], list[int]]:
        """The union: a contact is put in by bisection, as an agent may have hundreds that are remembered."""
        if self._union is None:
            starts: list[int] = []
            ends: list[int] = []
            for start, end in sorted(i for i in self.intervals.values() if i[0] < i[1]):
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], end)
                else:
                    starts.append(start)
                    ends.append(end)
            self._union = starts, ends
        return self._union


def _gaps(start: int, end: int, covered: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of [start, end) rising intervals leave uncovered."""
    at = start
    for a, b in covered:
        if a > at:
            yield at, a
        at = max(at, b)
    if at < end:
        yield at, end
