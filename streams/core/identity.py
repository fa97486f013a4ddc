"""Which facts are known: duplicates, revisions and conflicts are judged by the identity (source, id, type)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Literal, NamedTuple

from schemas.events import FloorEvent
from schemas.times import MINUTE_MS
from streams.core.spans import Identity
from streams.core.versions import version_of

REMEMBERED = 25_000
"""Of the ids that ClickHouse has, this many are kept at the most."""
REMEMBERED_MS = 30 * MINUTE_MS
"""Ids of older events are not kept in memory: ClickHouse is asked for history in any case."""

ELSEWHERE = -1
"""The partition of a fact whose higher revision went to another key, as far as is known here."""

PLAN = "\x1fshift_planned"
"""End of the identity of a plan: plans are told ahead of their time, so they are looked up whatever their time is."""

Standing = Literal["new", "duplicate", "conflict", "newer", "older"]


class Known(NamedTuple):
    """The newest revision of a fact that was seen."""

    partition: int
    offset: int
    revision: int
    content: int
    at_ms: int
    payload: bytes
    broker_ms: int = 0
    ingest: int = 0
    epoch: int = 0
    superseded_by: int = 0
    """Of a stored row: the revision that replaced it; 0 where none did, and of what is remembered."""
    version: int = 0
    """Of a stored row: of the record that wrote it last."""


def prior_of(
    found: Iterable[Known], partition: int, epoch: int, offset: int, revision: int | None = None
) -> Known | None:
    """
    What was known of a fact before a record of a partition, by the rows that are stored: the highest revision.

    A replayed record finds itself, and what came after it: neither counts. A row that was replaced before stands for
    the revision that did so: what it gave was taken back then.

    Other partitions' rows count for an event that is not above them, of a `revision`. Whether they are stored yet is
    chance: where this very record was taken in an earlier life, it was without them.
    """
    found, place = list(found), (epoch, offset)
    here = [known for known in found if known.partition == partition]
    before = [_as_of(known, version_of(*place)) for known in here if (known.epoch, known.offset) < place]
    was_taken = any((known.epoch, known.offset) == place and known.version for known in here)
    if revision is not None and not was_taken:
        before += [known for known in found if known.partition != partition and known.revision >= revision]
    return max(
        before,
        key=lambda known: (known.revision, known.partition != ELSEWHERE, known.epoch, known.offset),
        default=None,
    )


def _as_of(known: Known, version: int) -> Known:
    """A stored row as it stood before the record of a version."""
    if known.superseded_by and known.version < version:
        return known._replace(partition=ELSEWHERE, revision=known.superseded_by)
    return known


def newest_of(remembered: Known | None, prior: Known | None) -> Known | None:
    """
    What is known of a fact from memory and from ClickHouse, where that was asked.

    Memory knows of a fact that is held elsewhere neither content nor place: that may be here after all, with a time
    from before the ids that were read at the start.
    """
    if remembered is None or (
        prior is not None and remembered.partition == ELSEWHERE and prior.revision >= remembered.revision
    ):
        return prior
    return remembered


def identity_of(event: FloorEvent) -> Identity:
    """The identity of a fact, whatever key or time it carries."""
    return event.identity


def standing(revision: int, content: int, known: Known | None) -> Standing:
    """How an event stands to what is known of its identity."""
    if known is None:
        return "new"
    if revision != known.revision:
        return "newer" if revision > known.revision else "older"
    return "duplicate" if content == known.content else "conflict"


_FIXED = Struct("<iQQQqqQI")
"""The numbers of what is known of a fact; its payload follows. A tuple of them takes twice as much room."""
_NUMBERS_BYTES = _FIXED.size


def _packed(known: Known) -> bytes:
    numbers = _FIXED.pack(
        known.partition,
        known.offset,
        known.revision,
        known.content,
        known.at_ms,
        known.broker_ms,
        known.ingest,
        known.epoch,
    )
    return numbers + known.payload


def _unpacked(packed: bytes) -> Known:
    partition, offset, revision, content, at_ms, broker_ms, ingest, epoch = _FIXED.unpack_from(packed)
    return Known(partition, offset, revision, content, at_ms, packed[_NUMBERS_BYTES:], broker_ms, ingest, epoch)


def _last_ms(known: Known, now: int) -> int:
    """
    The latest time of which a record of a fact may come yet.

    Of one that was revised: when that was heard of. What it replaced may be of any time up to then, and come again.
    """
    return max(known.at_ms, min(known.broker_ms, now)) if known.revision else known.at_ms


class Remembered:
    """The ids of one partition that are kept in memory, oldest first."""

    def __init__(self) -> None:
        """Nothing is known, nothing was ever evicted."""
        self._facts: dict[Identity, bytes] = {}
        self.evicted_until = -1
        """Newest event time ever evicted: at or before it, absence proves nothing."""
        self.evictions = 0
        """How often ids were forgotten: what was looked up before may lack what only memory had then."""

    def facts(self) -> dict[Identity, Known]:
        """All that is remembered."""
        return {identity: _unpacked(packed) for identity, packed in self._facts.items()}

    def get(self, identity: Identity) -> Known | None:
        """What is remembered of an identity."""
        packed = self._facts.get(identity)
        return None if packed is None else _unpacked(packed)

    def put(self, identity: Identity, known: Known) -> None:
        """Remember the newest revision."""
        self._facts.pop(identity, None)
        self._facts[identity] = _packed(known)

    def replace(self, facts: dict[Identity, Known]) -> None:
        """Remember these instead, in their order."""
        self._facts = {identity: _packed(known) for identity, known in facts.items()}

    def evict(self, stored_until: int, now: int) -> None:
        """
        Forget the oldest ids that ClickHouse has (up to the version `stored_until`): those beyond `REMEMBERED`, and
        what is older than `REMEMBERED_MS`; plans whenever they begin.
        """
        since_ms = now - REMEMBERED_MS
        excess = len(self._facts) - REMEMBERED
        gone: list[Identity] = []
        for identity, packed in self._facts.items():
            known = _unpacked(packed)
            is_plan = identity.endswith(PLAN)
            last_ms = _last_ms(known, now)
            is_kept = len(gone) >= excess and last_ms >= since_ms and not is_plan
            if is_kept or version_of(known.epoch, known.offset) > stored_until:
                break
            gone.append(identity)
            if not is_plan:
                self.evicted_until = max(self.evicted_until, last_ms)
        self.evictions += bool(gone)
        for identity in gone:
            del self._facts[identity]
