"""What a flush writes of one partition: copies of everything that changed, made subject by subject."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from schemas.times import day_start, minute_of
from schemas.topics import EVENTS
from streams.core.facts import CellKey
from streams.core.log import Frozen, SubjectRow, WindowRow
from streams.core.panes import Pane
from streams.core.subject import Subject
from streams.core.windows_of import window_rows

if TYPE_CHECKING:
    from streams.core.partition import PartitionEngine

SUBJECTS_AT_ONCE = 8
"""Some milliseconds."""


class Freezing:
    """A flush in the making. Until it is done its engine must take no record: all of it stands for one boundary."""

    def __init__(self, engine: PartitionEngine) -> None:
        """Nothing is frozen yet."""
        self._engine = engine
        self._keys = sorted(engine.touched | engine.time.slid)
        self._done = 0
        self._panes: list[tuple[str, int, CellKey, Pane]] = []
        self._late: dict[str, set[int]] = {}
        self._windows: list[WindowRow] = []
        self._subjects: list[SubjectRow] = []

    def go_on(self, most: int) -> bool:
        """Freeze the next subjects; whether these were the last."""
        for key in self._keys[self._done : self._done + most]:
            subject = self._engine.subjects[key]
            if key in self._engine.touched:
                self._freeze(subject)
            self._freeze_windows(subject)
        self._done += most
        return self._done >= len(self._keys)

    def frozen(self) -> Frozen:
        """All of it, once every subject is frozen; the engine goes on from here."""
        engine = self._engine
        engine.touched.clear()
        engine.time.slid.clear()
        events, engine.events = engine.events, []
        transitions, engine.time.unflushed = engine.time.unflushed, []
        return Frozen(
            EVENTS,
            engine.partition,
            engine.epoch,
            events,
            self._panes,
            self._late,
            self._windows,
            transitions,
            self._subjects,
            engine.checkpoint(),
            engine.erasing.take(),
            engine.moving.take(),
        )

    def _freeze(self, subject: Subject) -> None:
        key = subject.key
        changed = subject.panes.freeze()
        if subject.partial:
            subject.late.update(minute for minute, _, _ in changed if minute in subject.partial)
        self._panes += [(key, minute, cell, pane) for minute, cell, pane in changed if minute not in subject.late]
        if subject.late:
            self._late[key], subject.late = subject.late, set()
        self._subjects.append(self._row(subject))

    def _freeze_windows(self, subject: Subject) -> None:
        engine = self._engine
        day = engine.time.day_of(subject, minute_of(max(engine.clock, 0)))
        opened = day_start(date.fromisoformat(day), engine.registry.zone(engine.time.site_of(subject)))
        self._windows += window_rows(subject, engine.clock, day, opened)

    def _row(self, subject: Subject) -> SubjectRow:
        engine = self._engine
        state = subject.time.timeline.now()
        team = engine.registry.team_of(subject.id, engine.clock) if subject.kind == "agent" else ""
        return SubjectRow(
            subject.key,
            subject.kind,
            state.state if state else "",
            state.reason if state else "",
            state.at if state else 0,
            len(subject.in_hand),
            len(subject.waiting),
            min(subject.waiting.values(), default=0),
            team,
            engine.time.site_of(subject),
            subject.dump(),
        )
