"""The minute panes of one subject, and the running totals of its rolling windows."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.panes import Sums
from streams.core.facts import CellKey

STANDARD_WINDOWS = (5, 15, 30, 60)
"""Rolling windows that are written to ClickHouse for everybody, in minutes."""
RESIDENT_MINUTES = 90
"""Panes of this many minutes stay in memory."""


class Pane:
    """The sums of one (minute, queue, channel)."""

    __slots__ = ("handle_times", "sums", "version")

    def __init__(self, sums: dict[str, int] | None = None, times: list[int] | None = None, version: int = 0) -> None:
        """`version`: of the record that changed it last."""
        self.sums = sums if sums is not None else {}
        self.handle_times = times if times is not None else []
        self.version = version

    def add(self, sums: Sums, sign: int, version: int, handle_ms: int | None = None) -> None:
        """Add (+1) or take back (-1) the sums of an event."""
        mine = self.sums
        for column, value in sums.items():
            mine[column] = mine.get(column, 0) + sign * value
        if handle_ms is not None:
            if sign > 0:
                self.handle_times.append(handle_ms)
            else:
                self.handle_times.remove(handle_ms)
        self.version = version


def add_to(totals: dict[str, int], sums: Sums, sign: int = 1) -> dict[str, int]:
    """Add sums to totals in place, and return these; what comes to 0 is dropped."""
    get = totals.get
    for column, value in sums.items():
        total = get(column, 0) + sign * value
        if total:
            totals[column] = total
        elif column in totals:
            del totals[column]
    return totals


class Panes:
    """The resident panes of one subject by minute."""

    def __init__(self) -> None:
        """Empty."""
        self.minutes: dict[int, dict[CellKey, Pane]] = {}
        self.dirty: set[tuple[int, CellKey]] = set()
        self.newest = -1

    def add(
        self, minute: int, cell: CellKey, sums: Sums, sign: int, version: int, handle_ms: int | None = None
    ) -> None:
        """Add to the pane of a minute."""
        cells = self.minutes.get(minute)
        if cells is None:
            cells = self.minutes[minute] = {}
        pane = cells.get(cell)
        if pane is None:
            pane = cells[cell] = Pane()
        pane.add(sums, sign, version, handle_ms)
        self.dirty.add((minute, cell))
        self.newest = max(self.newest, minute)

    def put(self, minute: int, cell: CellKey, pane: Pane) -> None:
        """Set a pane as it was stored."""
        self.minutes.setdefault(minute, {})[cell] = pane
        self.newest = max(self.newest, minute)

    def sums(self, first: int, last: int, keys: frozenset[str] | None = None) -> dict[str, int]:
        """Totals of the minutes from `first` to `last`, both included: of some keys, or of all."""
        totals: dict[str, int] = {}
        if keys is None:
            self._sum(totals, first, last)
            return totals
        for sums in self._within(first, last):
            if not keys.isdisjoint(sums):
                for column, value in sums.items():
                    if column in keys:
                        totals[column] = totals.get(column, 0) + value
        return totals

    def windows(self, last: int, lengths: Iterable[int]) -> dict[int, dict[str, int]]:
        """Totals of the windows of `lengths` minutes, rising, that end with `last`."""
        found: dict[int, dict[str, int]] = {}
        totals: dict[str, int] = {}
        until = last
        for length in lengths:
            self._sum(totals, last - length + 1, until)
            until = last - length
            found[length] = dict(totals)
        return found

    def freeze(self) -> list[tuple[int, CellKey, Pane]]:
        """Copies of the panes that changed since the last call."""
        frozen = []
        for minute, cell in sorted(self.dirty):
            pane = self.minutes[minute][cell]
            frozen.append((minute, cell, Pane(dict(pane.sums), list(pane.handle_times), pane.version)))
        self.dirty.clear()
        return frozen

    def evict(self, horizon_minute: int) -> None:
        """Drop clean panes before a minute."""
        gone = [minute for minute in self.minutes if minute < horizon_minute]
        if not gone:
            return
        held = {minute for minute, _ in self.dirty}
        for minute in gone:
            if minute not in held:
                del self.minutes[minute]

    def _sum(self, totals: dict[str, int], first: int, last: int) -> None:
        for sums in self._within(first, last):
            add_to(totals, sums)

    def _within(self, first: int, last: int) -> list[dict[str, int]]:
        """The sums of all panes of some minutes."""
        minutes = self.minutes
        if len(minutes) <= last - first:
            held = [cells for minute, cells in minutes.items() if first <= minute <= last]
        else:
            held = [minutes[minute] for minute in range(first, last + 1) if minute in minutes]
        return [pane.sums for cells in held for pane in cells.values()]


class Rolling:
    """
    Running totals of the rolling windows of a group: each covers its `length` minutes up to `last`.

        last-4  last-3  last-2  last-1  last
        [------------ 5 m window ----------]   sliding by one takes the first away and adds the next

    A group changes in every minute and is judged in each: for it running totals are cheaper than sums over minutes.
    """

    def __init__(self, lengths: Iterable[int], last: int) -> None:
        """Empty windows that end with minute `last`."""
        self.last = last
        self.has_moved = True
        """Whether the totals changed since somebody set this to False."""
        self.minutes: dict[int, dict[str, int]] = {}
        self.newest = -1
        self.totals: dict[int, dict[str, int]] = {length: {} for length in sorted(set(lengths))}
        self.longest = max(self.totals)
        """Minutes of the longest window."""

    def reshape(self, lengths: Iterable[int]) -> None:
        """Keep windows of other lengths."""
        self.totals = {length: {} for length in sorted(set(lengths))}
        self.longest = max(self.totals)
        self.rebuild(self.last)

    def add(self, minute: int, sums: Sums) -> None:
        """Add to a minute and to every window that covers it."""
        self.has_moved = True
        self.newest = max(self.newest, minute)
        add_to(self.minutes.setdefault(minute, {}), sums)
        for length, totals in self.totals.items():
            if self.last - length < minute <= self.last:
                add_to(totals, sums)

    def slide(self, last: int) -> None:
        """Move the windows so that they end with a later minute."""
        if last <= self.last:
            return
        if last - self.last > self.longest:
            self.rebuild(last)
            return
        for minute in range(self.last + 1, last + 1):
            entering = self.minutes.get(minute)
            for length, totals in self.totals.items():
                leaving = self.minutes.get(minute - length)
                if leaving:
                    add_to(totals, leaving, -1)
                    self.has_moved = True
                if entering:
                    add_to(totals, entering)
                    self.has_moved = True
        self.last = last

    def rebuild(self, last: int) -> None:
        """Make the totals anew from the minutes."""
        self.has_moved = True
        self.last = last
        for length in self.totals:
            totals = self.totals[length] = {}
            for minute in range(last - length + 1, last + 1):
                add_to(totals, self.minutes.get(minute, {}))

    def evict(self, horizon: int) -> None:
        """Forget minutes before the horizon."""
        for minute in [m for m in self.minutes if m < horizon]:
            del self.minutes[minute]
