"""
The work that everybody is given, written as plainly and as fast as one would write it for this measurement.

Decode with the models of `schemas.events`, drop duplicates, fold into minute panes of each subject, keep three rolling
windows, and make eight KPIs of each window whenever a minute has passed in which the subject had an event. It knows no
corrections, states, rules, groups or restarts. pydantic and the standard library are all it needs, so that it runs in
the environments of the peers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from schemas.controls import Control
from schemas.events import ContactAccepted, ContactHandled, FloorEvent, decode, subject_of

SUMS = ("events", "handled", "talk_ms", "hold_ms", "wrap_ms", "short_calls", "transferred", "accepted")
WINDOWS = (5, 30, 480)
"""Minutes."""
LONGEST = max(WINDOWS)
SHORT_CALL_S = 10
REMEMBERED = 100_000
"""Ids in each of two generations."""
MINUTE_S = 60
NOTHING = (1, 0, 0, 0, 0, 0, 0, 0)


def event_of(value: bytes) -> FloorEvent | None:
    """The event of a message; None for a control record."""
    record = decode(value)
    return None if isinstance(record, Control) else record


def sums_of(event: FloorEvent) -> tuple[int, ...]:
    """What an event adds to the eight sums."""
    if isinstance(event, ContactHandled):
        talk, hold, wrap = round(event.talk_s * 1000), round(event.hold_s * 1000), round(event.wrap_s * 1000)
        return (1, 1, talk, hold, wrap, int(event.talk_s <= SHORT_CALL_S), int(event.transferred), 0)
    if isinstance(event, ContactAccepted):
        return (1, 0, 0, 0, 0, 0, 0, 1)
    return NOTHING


def kpis_of(sums: Sequence[int]) -> tuple[float, ...]:
    """Eight KPIs: events, handled, handle time, talk, hold, wrap (s), short-call share, transfer share."""
    events, handled, talk, hold, wrap, short, transferred, _accepted = sums
    if not handled:
        return (events, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    each = 1000 * handled
    return (
        events,
        handled,
        (talk + hold + wrap) / each,
        talk / each,
        hold / each,
        wrap / each,
        short / handled,
        transferred / handled,
    )


def added(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """The sum of two rows of sums."""
    return [x + y for x, y in zip(a, b, strict=True)]


class _Subject:
    """The panes of one agent or queue, and the totals of its windows up to minute `last`."""

    __slots__ = ("last", "panes", "totals")

    def __init__(self, minute: int) -> None:
        self.last = minute
        self.panes: dict[int, list[int]] = {}
        self.totals = [[0] * 8 for _ in WINDOWS]

    def add(self, minute: int, sums: tuple[int, ...]) -> None:
        if minute > self.last:
            self.slide(minute)
        pane = self.panes.get(minute)
        if pane is None:
            pane = self.panes[minute] = [0] * 8
        _add(pane, sums)
        for length, total in zip(WINDOWS, self.totals, strict=True):
            if minute > self.last - length:
                _add(total, sums)

    def slide(self, last: int) -> None:
        for minute in range(self.last + 1, last + 1):
            for length, total in zip(WINDOWS, self.totals, strict=True):
                leaving = self.panes.get(minute - length)
                if leaving is not None:
                    _take(total, leaving)
            self.panes.pop(minute - LONGEST, None)
        self.last = last


def _add(total: list[int], sums: Sequence[int]) -> None:
    for index, value in enumerate(sums):
        if value:
            total[index] += value


def _take(total: list[int], sums: Sequence[int]) -> None:
    for index, value in enumerate(sums):
        if value:
            total[index] -= value


class Fold:
    """The fold of one partition, or of one key."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self.minute = -1
        self.duplicates = self.late = self.emitted = 0
        self.latest: dict[str, list[tuple[float, ...]]] = {}
        """Subject -> the KPIs of its windows, as last made."""
        self._subjects: dict[str, _Subject] = {}
        self._touched: set[str] = set()
        self._new: set[tuple[str, str, str]] = set()
        self._old: set[tuple[str, str, str]] = set()

    def take(self, event: FloorEvent) -> None:
        """Fold an event."""
        identity = (event.source, event.id, event.type)
        if identity in self._new or identity in self._old:
            self.duplicates += 1
            return
        self._new.add(identity)
        if len(self._new) >= REMEMBERED:
            self._old, self._new = self._new, set()
        minute = int(event.at.timestamp()) // MINUTE_S
        if minute > self.minute:
            self._emit()
            self.minute = minute
        elif minute <= self.minute - LONGEST:
            self.late += 1
            return
        key = subject_of(event)
        subject = self._subjects.get(key)
        if subject is None:
            subject = self._subjects[key] = _Subject(minute)
        subject.add(minute, sums_of(event))
        self._touched.add(key)

    def _emit(self) -> None:
        """The KPIs of everybody who had an event in the minute that is over."""
        for key in self._touched:
            subject = self._subjects[key]
            if subject.last < self.minute:
                subject.slide(self.minute)
            self.latest[key] = [kpis_of(total) for total in subject.totals]
            self.emitted += len(WINDOWS)
        self._touched.clear()


class Workload:
    """One of the two kinds of work that every stack can carry, record by record."""

    def __init__(self, work: str) -> None:
        """`count`: decode and count by type; `fold`: the whole work."""
        self.records = 0
        self.by_type: Counter[str] = Counter()
        self._is_fold = work == "fold"
        self._folds: dict[Hashable, Fold] = {}

    def take(self, order: Hashable, value: bytes) -> None:
        """Do the work of one record; records of one `order`, such as a partition, come in the order of the log."""
        record = decode(value)
        if not self._is_fold:
            self.by_type[record.type] += 1
        elif not isinstance(record, Control):
            fold = self._folds.get(order)
            if fold is None:
                fold = self._folds[order] = Fold()
            fold.take(record)
        self.records += 1

    def said(self) -> dict[str, int]:
        """What came of it."""
        folds = self._folds.values()
        return {"emitted": sum(f.emitted for f in folds), "duplicates": sum(f.duplicates for f in folds)}
