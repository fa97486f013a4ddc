"""
The engine of one partition of `floor.events`: a function of a prefix of its log.

Time, roster, rules and repairs come only from the records. Before a record is folded, every due instant up to its
time is gone through in order (`streams.core.clockwork`). `freeze` hands out what a flush writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic_core import from_json

from schemas.alerts import ALL_NEWS, Judge
from schemas.controls import InputEnded, RefoldAsked, RegistryChanged, RulesApplied, Ticked, is_control
from schemas.events import EARLIEST, FloorEvent, ShiftPlanned, decode, joined
from schemas.registry import Registry
from schemas.times import DAY_MS, MINUTE_MS, from_ms, minute_of, to_ms
from streams.core.clockwork import Clockwork
from streams.core.erasing import Erasing
from streams.core.freezing import SUBJECTS_AT_ONCE, Freezing
from streams.core.groups_of import GroupSums
from streams.core.identity import ELSEWHERE, Known, Remembered, newest_of, prior_of, standing
from streams.core.lateness import FUTURE_MS, KEPT_MS, oldest_taken_ms
from streams.core.log import (
    Checkpoint,
    EventRow,
    Frozen,
    Item,
    Letter,
    Outbox,
    Revision,
    Stored,
    event_row,
    known_of,
)
from streams.core.moving import Moving
from streams.core.panes import RESIDENT_MINUTES, STANDARD_WINDOWS
from streams.core.spans import EVER, Identity
from streams.core.spreading import Spreading
from streams.core.subject import Subject, fold, unfold
from streams.core.versions import version_of

HISTORY_MS = 15 * MINUTE_MS
"""An event further behind is history: it changes sums, makes nobody due and sends nothing."""
PLANNED_MS = 35 * DAY_MS
"""A plan may be this far ahead."""
BELOW_ALL = 0
"""Version of a revision that came after a higher one: its row, where it was stored before, stands as it is."""


WAITED = frozenset({"contact_offered", "contact_answered", "contact_abandoned", "contact_flowed_out"})
"""Events that change who waits in a queue."""


class PartitionEngine:
    """Folds the records of one partition; see the module."""

    def __init__(
        self,
        partition: int,
        epoch: int,
        registry: Registry,
        judge: Judge,
        *,
        event_clock: bool,
        kept_ms: int = KEPT_MS,
        gone_before_ms: int = EVER,
    ) -> None:
        """Empty: the state before the first record; the last two: see `streams.core.lateness.oldest_taken_ms`."""
        self.partition = partition
        self.epoch = epoch
        self.registry = registry
        self.event_clock = event_clock
        self.kept_ms = kept_ms
        self.gone_before_ms = gone_before_ms
        self.subjects: dict[str, Subject] = {}
        self.remembered = Remembered()
        self.boundary = -1
        self.first_broker_ms = -1
        self.rows = self.duplicates = self.dead = self.controls = 0
        self.has_ended = False
        self._evicted_minute = -1
        self.base = 0
        """Records that earlier epochs of the topic counted."""
        self.out = Outbox()
        self.events: list[EventRow] = []
        self.touched: set[str] = set()
        self.groups = GroupSums(partition, self.subjects, registry)
        self.judge = judge
        self.spreading = Spreading(self)
        self.time = Clockwork(self)
        self.erasing = Erasing(self)
        self.moving = Moving(self)

    @property
    def clock(self) -> int:
        """The partition's time, epoch ms; -1 before the first record."""
        return self.time.now

    @property
    def version(self) -> int:
        """The version of what the record at hand changes."""
        return version_of(self.epoch, self.boundary)

    def asks_for(self, item: Item) -> Identity | None:
        """The identity that must be looked up in ClickHouse before an item is applied; None where memory can tell."""
        record = item.record
        if record is None or is_control(record):
            moved = type(record) is RefoldAsked and record.moved
            return joined(*moved) if moved else None
        identity = record.identity
        known = self.remembered.get(identity)
        if known is not None:
            return identity if known.partition == ELSEWHERE and record.revision >= known.revision else None
        at = record.at_ms
        now = self.clock if self.event_clock else max(self.clock, item.broker_ms)
        is_old = at <= self.remembered.evicted_until or at < now - HISTORY_MS
        return identity if is_old or record.revision > 0 or type(record) is ShiftPlanned else None

    def prior_of(self, item: Item, found: Iterable[Known]) -> Known | None:
        """What came before an item among the stored rows of the identity it asked for."""
        record = item.record
        revision = None if record is None or is_control(record) else record.revision
        return prior_of(found, self.partition, self.epoch, item.offset, revision)

    def apply(self, item: Item) -> None:
        """Fold the next record of the log."""
        self.boundary = item.offset
        if self.first_broker_ms < 0:
            self.first_broker_ms = item.broker_ms
        record = item.record
        self.has_ended = type(record) is InputEnded
        if not self.event_clock:
            self.time.advance(item.broker_ms)
        if record is None:
            fault = item.fault
            self._bury(item, fault.reason if fault else "invalid", fault.detail if fault else "")
        elif is_control(record):
            self.controls += 1
            self._obey(record, item)
        else:
            self._take(record, item)

    def subject(self, key: str) -> Subject:
        """The state of a subject, made when it is seen first."""
        found = self.subjects.get(key)
        if found is None:
            found = self.subjects[key] = Subject(key, self.lengths(key), max(self.clock, 0))
        return found

    def lengths(self, key: str) -> set[int]:
        """The rolling windows kept for a subject, minutes."""
        kind = "agent" if key.startswith("agent:") else "queue"
        asked = {window.minutes for window in self.judge.windows(kind) if window.kind == "rolling"}  # type: ignore[arg-type]
        return asked | set(STANDARD_WINDOWS)

    def _take(self, event: FloorEvent, item: Item) -> None:
        if self.erasing.keys:
            if event.subject in self.erasing.keys:
                self._refuse(event, item)
                return
            item = self.erasing.unnamed(event, item)
        at = event.at_ms
        is_plan = type(event) is ShiftPlanned
        if at > item.broker_ms + (PLANNED_MS if is_plan else FUTURE_MS):
            self._bury(item, "future", f"at: {event.at.isoformat()} is after the broker's {from_ms(item.broker_ms)}")
            return
        if self.event_clock and not is_plan:
            self.time.advance(at)
        if self._is_too_late(at, item.broker_ms):
            self._bury(item, "too_late", "at: older than the raw events that are kept")
            return
        known = newest_of(self.remembered.get(event.identity), item.prior)
        verdict = standing(event.revision, item.content, known)
        if verdict == "duplicate":
            self.duplicates += 1
        elif verdict == "conflict":
            self._bury(item, "conflict", f"id: {event.id} of {event.source} came before with other content")
        elif known is not None and known.partition != ELSEWHERE and self._is_too_late(known.at_ms, item.broker_ms):
            replaced = f"{known.revision}, which it replaces, is of {from_ms(known.at_ms).isoformat()}"
            self._bury(item, "too_late", f"revision: {replaced}: older than the raw events that are kept")
        else:
            self._accept(event, item, known if verdict != "new" else None, is_newest=verdict != "older")

    def _refuse(self, event: FloorEvent, item: Item) -> None:
        """Keep nothing of an event of somebody who was erased; what it corrects of somebody else counts no more."""
        if event.revision > 0:
            self.moving.give_up(event.identity, event.revision, item)
            self.moving.ask_others(event.identity, event.revision)
        self._bury(item, "erased", "")

    def _accept(self, event: FloorEvent, item: Item, known: Known | None, *, is_newest: bool) -> None:
        at = event.at_ms
        if known is not None and not is_newest:
            self.duplicates += 1
            self.events.append(event_row(event, item, known.revision, BELOW_ALL, self.epoch))
            return
        self.rows += 1
        self.events.append(event_row(event, item, 0, self.version, self.epoch))
        reference = self.clock if self.event_clock else item.broker_ms
        is_history = at < reference - HISTORY_MS
        was_open = False
        if known is not None:
            was_open = self._replace(known, event)
        elif event.revision > 0:
            self.moving.ask_others(event.identity, event.revision)
        self.remembered.put(event.identity, known_of(event, item, self.partition, self.epoch))
        if not event.void:
            subject = self.subject(event.subject)
            state = subject.time.timeline.now()
            self.time.forget(subject)
            self.spreading.spread(subject, fold(event, item.offset, subject.time, self.clock))
            subject.remember(event, self.clock, was_open=was_open)
            self.spreading.note_state(subject, state, subject.time.timeline.now())
            if event.type in WAITED:
                subject.news |= self.spreading.of_waits
            if event.type == "shift_planned":
                subject.news = ALL_NEWS  # it moves the shift
            self.spreading.touch(subject, is_history=is_history)

    def _replace(self, known: Known, event: FloorEvent) -> bool:
        """Take back the revision that a newer one replaces; whether what it opened was open still."""
        if known.partition != self.partition:
            self.moving.ask_others(event.identity, event.revision)
            return False
        old = decode(known.payload)
        return not is_control(old) and self.take_back(old, known, event.revision)

    def take_back(self, old: FloorEvent, known: Known, by_revision: int) -> bool:
        """
        Unfold an event that a higher revision replaced, and mark its row; nothing of somebody who was erased.

        Whether what it opened was open still.
        """
        if old.subject in self.erasing.keys:
            return False
        payload = self.erasing.payload(known.payload)
        item = Item(known.offset, known.broker_ms, payload, b"", old, content=known.content, ingest=known.ingest)
        self.events.append(event_row(old, item, by_revision, self.version, known.epoch))
        if old.void:
            return False
        subject = self.subject(old.subject)
        self.time.forget(subject)
        self.spreading.spread(subject, unfold(old, subject.time, self.clock))
        was_open = subject.forget(old)
        subject.news = ALL_NEWS
        self.spreading.touch(subject, is_history=old.at_ms < self.clock - HISTORY_MS)
        return was_open

    def _obey(self, record: Any, item: Item) -> None:
        brings_time = self.event_clock and record.at > EARLIEST
        if brings_time and isinstance(record, Ticked | InputEnded):
            self.time.advance(max(self.clock, to_ms(record.at)))
        if isinstance(record, RegistryChanged | RulesApplied) and item.revision is not None:
            self._revise(item.revision)
        elif isinstance(record, RefoldAsked):
            self._refold(record, item)
        elif brings_time and isinstance(record, InputEnded):
            self.time.advance(max(self.clock, self.time.end_of_day(to_ms(record.at))))

    def _revise(self, revision: Revision) -> None:
        """Another registry moves minutes between groups; other rules may want other windows and end episodes."""
        if revision.registry is not self.registry:
            self.registry = revision.registry
            self.erasing.erase()
            self.time.registry_changed()
            self.groups.rebuild(self.registry)
        self.judge = revision.first
        self.spreading.look()
        for subject in self.subjects.values():
            subject.lengths = tuple(sorted(self.lengths(subject.key)))
            subject.panes.looked.clear()
            subject.news = ALL_NEWS
            self.time.keep(subject)  # who was idle under shorter windows may be active under these
            if subject.states or subject.is_active():
                self.time.changed.add(subject.key)

    def _refold(self, record: RefoldAsked, item: Item) -> None:
        """
        Have minutes folded again from the raw events, resident ones too: what ClickHouse holds may be more than
        what is in memory.
        """
        if record.moved is not None:
            self.moving.give_up(joined(*record.moved), record.revision, item)
            return
        if not (record.subject and record.from_at and record.to_at) or record.subject in self.erasing.keys:
            return
        first, last = minute_of(to_ms(record.from_at)), minute_of(to_ms(record.to_at) - 1)
        self.subject(record.subject).late.update(range(first, last + 1))
        self.touched.add(record.subject)

    def _is_too_late(self, at: int, broker_ms: int) -> bool:
        first_ms = self.first_broker_ms
        return at < oldest_taken_ms(self.clock, broker_ms, first_ms, self.kept_ms, self.gone_before_ms)

    def _bury(self, item: Item, reason: str, detail: str) -> None:
        self.dead += 1
        letter = Letter(item.offset, reason, detail, item.key, item.payload, item.ingest, self.epoch, item.content)
        self.out.letters.append(self.erasing.stripped(letter))

    def take_outbox(self) -> Outbox:
        """What is to be produced since the last call; the transitions also go into the next flush."""
        taken, self.out = self.out, Outbox()
        self.time.unflushed += taken.transitions
        return taken

    def freeze(self) -> Frozen:
        """Everything that changed since the last call, up to the boundary."""
        freezing = Freezing(self)
        while not freezing.go_on(SUBJECTS_AT_ONCE):
            pass
        return freezing.frozen()

    def checkpoint(self) -> Checkpoint:
        """The partition's own row."""
        return Checkpoint(
            self.boundary, max(self.clock, 0), self.rows, self.duplicates, self.dead, self.controls, self.time.dump()
        )

    def load(self, stored: Stored) -> None:
        """Set the state of the log up to the stored checkpoint; the registry and the judge must be of its revisions."""
        stored = self.erasing.without(stored)
        checkpoint = stored.checkpoint
        self.boundary, self.rows = checkpoint.boundary, checkpoint.rows
        self.duplicates, self.dead, self.controls = checkpoint.duplicates, checkpoint.dead, checkpoint.controls
        self.first_broker_ms = checkpoint.body["first_broker"]
        self.has_ended = checkpoint.body["ended"]
        counted = self.rows + self.duplicates + self.dead + self.controls
        self.base = counted if self.boundary < 0 else checkpoint.body["base"]
        evicted_until = max(checkpoint.body["evicted"], stored.forgotten_until)
        # A fact that was revised to an old time is not among the last ids, and what it replaced may come again.
        self.remembered.evicted_until = max(evicted_until, checkpoint.body["now"])
        for identity, known in stored.known:
            self.remembered.put(identity, known)
        for key, body in stored.bodies.items():
            subject = self.subjects[key] = Subject(key, self.lengths(key), max(checkpoint.body["now"], 0))
            subject.load(from_json(body))
        for key, minute, cells in stored.panes:
            if key in self.subjects:  # whoever has no body comes after the checkpoint, with what is replayed
                self.subjects[key].panes.minutes.asleep[minute] = cells
        self.time.load(checkpoint.body)
        horizon = minute_of(self.clock) - RESIDENT_MINUTES
        self.groups.load(horizon, checkpoint.body["dirty"])

    def acknowledged(self, boundary: int) -> None:
        """ClickHouse has everything up to a boundary: let go of what is no longer needed."""
        self.remembered.evict(version_of(self.epoch, boundary), self.clock)
        horizon = minute_of(self.clock) - RESIDENT_MINUTES
        if horizon == self._evicted_minute:
            return
        self._evicted_minute = horizon
        for subject in self.subjects.values():
            subject.evict(horizon)
        self.groups.evict(horizon)
