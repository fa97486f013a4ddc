"""The minute panes of one subject, and the running totals of its rolling windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pydantic_core import from_json, to_json

from schemas.alerts import Look
from schemas.panes import Sums
from streams.core.facts import CellKey
from streams.core.minutes import AWAKE_MINUTES, Minutes

STANDARD_WINDOWS = (5, 15, 30, 60)
"""Rolling windows that are written to ClickHouse for everybody, in minutes."""
RESIDENT_MINUTES = 90
"""Panes of this many minutes stay in memory."""
RESTING_MINUTES = RESIDENT_MINUTES - AWAKE_MINUTES


class Pane:
    """The sums of one (minute, queue, channel)."""

    __slots__ = ("handle_times", "sums", "version")

    def __init__(self, sums: dict[str, int] | None = None, times: list[int] | None = None, version: int = 0) -> None:
        """`version`: of the record that changed it last."""
        self.sums = sums if sums is not None else {}
        self.handle_times = times if times is not None else []
        self.version = version

    def add(self, sums: dict[str, int], sign: int, version: int, handle_ms: int | None = None) -> None:
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


Cells = dict[CellKey, Pane]


def add_to(totals: dict[str, int], sums: dict[str, int], sign: int = 1) -> dict[str, int]:
    """Add sums to totals in place, and return these; what comes to 0 is dropped."""
    for column, value in sums.items():
        total = totals.get(column, 0) + sign * value
        if total:
            totals[column] = total
        elif column in totals:
            del totals[column]
    return totals


class Running:
    """
    Running totals of a stretch of minutes of a subject that ends some minutes ago: of all columns, or of what is looked
    at.

    They move when somebody asks: what the stretch has left by then is taken away, what it has entered is added.
    """

    __slots__ = ("_columns", "_prefixes", "ago", "last", "length", "look", "totals")

    def __init__(self, length: int, ago: int = 0, look: Look | None = None) -> None:
        """Not made yet: `length` minutes, the last of them `ago` minutes before the minute that is moved to."""
        self.look = look
        self._columns: frozenset[str] = look.columns if look else frozenset()
        self._prefixes: tuple[str, ...] = look.prefixes if look else ()
        self.length = length
        self.ago = ago
        self.last = -1
        self.totals: dict[str, int] = {}

    def add(self, minute: int, sums: dict[str, int], sign: int) -> None:
        """Add what a pane gained or lost, if it lies in the stretch."""
        if self.last - self.length < minute <= self.last:
            self._count(sums, sign)

    def move(self, until: int, minutes: Minutes[Cells, Any]) -> None:
        """Let the stretch go on with time, which has come to a later minute."""
        before, length, last = self.last, self.length, until - self.ago
        if last == before:
            return
        self.last = last
        first_gone = before - length + 1
        if before < 0 or last - before >= length or first_gone < until - RESIDENT_MINUTES + 2:  # it may be evicted
            self.totals.clear()
            self._enter(range(last - length + 1, last + 1), minutes, 1)
        else:
            self._enter(range(first_gone, last - length + 1), minutes, -1)
            self._enter(range(before + 1, last + 1), minutes, 1)

    def _enter(self, entering: range, minutes: Minutes[Cells, Any], sign: int) -> None:
        for minute in entering:
            for pane in (minutes.get(minute) or _NO_CELLS).values():
                self._count(pane.sums, sign)

    def _count(self, sums: dict[str, int], sign: int) -> None:
        columns, prefixes, totals = self._columns, self._prefixes, self.totals
        if self.look is None:
            add_to(totals, sums, sign)
            return
        for column, value in sums.items():
            if column in columns or (prefixes and column.startswith(prefixes)):
                totals[column] = totals.get(column, 0) + sign * value


_NO_CELLS: Cells = {}


def packed(cells: Cells) -> bytes:
    """The panes of a minute as JSON: [queue, channel, sums, handle times, version] of each."""
    return to_json([(*cell, pane.sums, pane.handle_times, pane.version) for cell, pane in cells.items()])


def unpacked(data: bytes) -> Cells:
    """The panes of a minute from `packed`."""
    rows = from_json(data)
    return {(queue, channel): Pane(sums, times, version) for queue, channel, sums, times, version in rows}


class Panes:
    """The resident panes of one subject by minute."""

    def __init__(self, minutes: Minutes[Cells, Any] | None = None) -> None:
        """Empty; `minutes` where they are packed in another way."""
        self.minutes: Minutes[Cells, Any] = Minutes(packed, unpacked) if minutes is None else minutes
        self.dirty: set[tuple[int, CellKey]] = set()
        self.looked: dict[int, Running] = {}
        """Length of a window -> what the rules looked at in it last."""
        self._stretches: list[Running] = []
        """The windows that were written last: each from where the shorter one ends."""
        self.newest = -1
        """The last minute to which anything was ever added, even if it was taken back: what is stored may be more."""

    def add(
        self, minute: int, cell: CellKey, sums: dict[str, int], sign: int, version: int, handle_ms: int | None = None
    ) -> None:
        """Add to the pane of a minute."""
        cells = self.minutes.awake.get(minute)
        if cells is None:
            cells = self.minutes.wake(minute)
        if cells is None:
            cells = self.minutes[minute] = {}
        pane = cells.get(cell)
        if pane is None:
            pane = cells[cell] = Pane()
        pane.add(sums, sign, version, handle_ms)
        self.dirty.add((minute, cell))
        for looked in self.looked.values():
            looked.add(minute, sums, sign)
        for stretch in self._stretches:
            stretch.add(minute, sums, sign)
        self.newest = max(self.newest, minute)

    def sums(self, first: int, last: int) -> dict[str, int]:
        """Totals of the minutes from `first` to `last`, both included."""
        minutes = self.minutes
        totals: dict[str, int] = {}
        if len(minutes) <= last - first:
            held = [minute for minute in minutes if first <= minute <= last]
        else:
            held = [minute for minute in range(first, last + 1) if minute in minutes]
        for minute in held:
            for pane in (minutes.get(minute) or _NO_CELLS).values():
                add_to(totals, pane.sums)
        return totals

    def window(self, last: int, length: int, look: Look | None = None) -> Sums:
        """
        Totals of the `length` minutes up to `last`: at least those that are looked at.

        What is returned for a look changes with the panes.
        """
        if look is None:
            return self.sums(last - length + 1, last)
        looked = self.looked.get(length)
        if looked is None or looked.look is not look:
            looked = self.looked[length] = Running(length, look=look)
        looked.move(last, self.minutes)
        return looked.totals

    def sums_of(self, minute: int) -> list[dict[str, int]]:
        """The sums of each pane of a minute, to read only."""
        return [pane.sums for pane in (self.minutes.get(minute) or _NO_CELLS).values()]

    def windows(self, last: int, lengths: Sequence[int]) -> dict[int, dict[str, int]]:
        """Totals of the windows of `lengths` minutes, rising and always the same ones, that end with `last`."""
        if not self._stretches:
            self._stretches = [Running(long - short, short) for short, long in pairwise((0, *lengths))]
        found: dict[int, dict[str, int]] = {}
        totals: dict[str, int] = {}
        for length, stretch in zip(lengths, self._stretches, strict=True):
            stretch.move(last, self.minutes)
            found[length] = dict(add_to(totals, stretch.totals))
        return found

    def freeze(self) -> list[tuple[int, CellKey, Pane]]:
        """Copies of the panes that changed since the last call."""
        frozen = []
        for minute, cell in sorted(self.dirty):
            pane = self.minutes.awake[minute][cell]
            frozen.append((minute, cell, Pane(dict(pane.sums), list(pane.handle_times), pane.version)))
        self.dirty.clear()
        return frozen

    def evict(self, horizon: int) -> None:
        """Drop clean panes before a minute, and let those of the older minutes after it rest."""
        self.minutes.settle(horizon, horizon + RESTING_MINUTES, {minute for minute, _ in self.dirty})
