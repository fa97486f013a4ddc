"""What goes into an engine and what comes out: items of the log, rows for the sinks, messages for other topics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.alerts import Judge, Transition
from schemas.controls import Control, RefoldAsked
from schemas.errors import InvalidEvent
from schemas.events import FloorEvent
from schemas.registry import Registry
from streams.core.facts import CellKey
from streams.core.identity import Known
from streams.core.panes import Pane
from streams.core.spans import Identity


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of the registry with one of the rules, ready for both hops."""

    registry: Registry
    first: Judge
    second: Judge


class Item(NamedTuple):
    """One message of a partition, decoded, with what had to be looked up for it."""

    offset: int
    broker_ms: int
    payload: bytes
    key: bytes
    record: FloorEvent | Control | None
    """None when the bytes are no record: then `fault` says why."""
    fault: InvalidEvent | None = None
    content: int = 0
    ingest: int = 0
    prior: Known | None = None
    """What ClickHouse knows of the identity, where it had to be asked."""
    revision: Revision | None = None
    """What holds from a control record on that names a revision."""


class EventRow(NamedTuple):
    """A row of `events`."""

    type: str
    subject: str
    at_ms: int
    source: str
    id: str
    revision: int
    void: bool
    superseded_by: int
    payload: bytes
    content: int
    offset: int
    broker_ms: int
    ingest: int
    version: int
    epoch: int


def event_row(event: FloorEvent, item: Item, superseded_by: int, version: int, epoch: int) -> EventRow:
    """The row of an event of an epoch that was accepted, or marked, by the record of a version."""
    fields = event.__dict__  # an attribute of a model takes four times as long as an item of a dict
    return EventRow(
        fields["type"],
        event.subject,
        event.at_ms,
        fields["source"],
        fields["id"],
        fields["revision"],
        fields["void"],
        superseded_by,
        item.payload,
        item.content,
        item.offset,
        item.broker_ms,
        item.ingest,
        version,
        epoch,
    )


def known_of(event: FloorEvent, item: Item, partition: int, epoch: int) -> Known:
    """What is remembered of an event that was accepted."""
    return Known(
        partition,
        item.offset,
        event.revision,
        item.content,
        event.at_ms,
        item.payload,
        item.broker_ms,
        item.ingest,
        epoch,
    )


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that cannot be taken."""

    offset: int
    reason: str
    detail: str
    key: bytes
    value: bytes
    ingest: int
    epoch: int
    """Of the topic: the offsets of each begin at 0."""
    content: int = 0
    """The hash by which the fact is known when it comes again; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """
    What one source partition gives to the groups up to a minute.

    `sums`: group -> minute -> absolute sums of this partition. `mark`: the partition's time has passed this minute.
    The same prefix of the log makes the same contributions, so a repeated one changes nothing.
    """

    partition: int
    mark: int
    version: int
    sums: dict[str, dict[int, dict[str, int]]]
    part: int = 0
    parts: int = 1
    """A large one comes in several parts; the mark counts with the last."""


@dataclass(frozen=True, slots=True)
class PackedContribution:
    """A contribution as it came: the sums of a minute are JSON."""

    partition: int
    mark: int
    version: int
    sums: dict[str, dict[int, bytes]]
    part: int
    parts: int


@dataclass(slots=True)
class Outbox:
    """What must be acknowledged by the broker before a flush may go on."""

    transitions: list[tuple[Transition, int]] = field(default_factory=list)
    """With the version of the record that brought them."""
    letters: list[Letter] = field(default_factory=list)
    asks: list[RefoldAsked] = field(default_factory=list)
    """For every other partition."""
    contributions: list[Contribution] = field(default_factory=list)


class Move(NamedTuple):
    """A fact of which another partition has a higher revision, and of which nothing was here to be taken back."""

    identity: Identity
    revision: int
    offset: int
    at_ms: int
    """Of the record that told of it."""


class WindowRow(NamedTuple):
    """A row of `windows`."""

    subject: str
    window: str
    opened_ms: int
    closed_ms: int
    sums: dict[str, int]


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A row of `subjects`: open state for reading, body for the restart."""

    subject: str
    kind: str
    state: str = ""
    reason: str = ""
    since_ms: int = 0
    in_hand: int = 0
    waiting: int = 0
    oldest_wait_ms: int = 0
    team: str = ""
    site: str = ""
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The partition's own row of `subjects`."""

    boundary: int
    clock_ms: int
    rows: int
    duplicates: int
    dead: int
    controls: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What ClickHouse holds of one partition at its checkpoint."""

    checkpoint: Checkpoint
    bodies: dict[str, bytes]
    """Subject -> its whole small state, JSON."""
    panes: list[tuple[str, int, bytes]]
    """(subject, minute, its panes as `streams.core.panes.packed` has them): the resident ones as of the checkpoint."""
    known: list[tuple[Identity, Known]]
    """The last ids, oldest first."""
    forgotten_until: int
    """Newest event time among the ids that are not in `known`; -1 when all are."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is erased by a flush."""

    ids: frozenset[str]
    """As events and panes have them."""
    places: tuple[tuple[int, int], ...] = ()
    """(epoch, offset) of their events that were taken and never written."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Everything that a flush writes for one partition up to `checkpoint.boundary`."""

    topic: str
    partition: int
    epoch: int
    events: list[EventRow]
    panes: list[tuple[str, int, CellKey, Pane]]
    """(subject, minute, cell, pane)."""
    late: dict[str, set[int]]
    """Subject -> minutes that are not resident: the flusher folds them again from the raw events."""
    windows: list[WindowRow]
    transitions: list[tuple[Transition, int]]
    subjects: list[SubjectRow]
    checkpoint: Checkpoint
    erasure: Erasure | None = None
    """Whose rows of this partition are to go, once the checkpoint stands that needs them no more."""
    moves: list[Move] = field(default_factory=list)

    @property
    def hop(self) -> int:
        """1 for a partition of events, 2 for the contributions."""
        return 1 if self.events or self.topic.endswith("events") else 2

    @property
    def rows(self) -> int:
        """How many rows it is."""
        of_panes = len(self.panes) + len(self.windows)
        return len(self.events) + len(self.moves) + of_panes + len(self.subjects) + len(self.transitions)
