"""The engines of the partitions that this worker owns: made, restored and dropped with the assignment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from faust.types import TP

from schemas.errors import InvalidEvent, StopWorker
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.contributions import decode_contributions, packed_contributions
from streams.core.groups import GroupEngine
from streams.core.log import Stored
from streams.core.partition import PartitionEngine
from streams.worker.burials import Burials
from streams.worker.gate import Gate
from streams.worker.inbox import Inbox
from streams.worker.ports import Storage, WorkerConfig
from streams.worker.reading import values_between
from streams.worker.transport import Place, Places, gone

Read = Callable[[str, str, int, int, int], Iterable[tuple[int, bytes]]]
"""See `streams.worker.reading.values_between`."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The state of a partition up to its checkpoint."""

    engine: PartitionEngine | GroupEngine
    start: int
    """The offset to go on from."""
    taken: int
    in_a_row: int = 0
    """Dead letters since the last record that was taken."""


class Hops:
    """What this worker owns: partition engines with their inboxes, and the groups."""

    def __init__(self, config: WorkerConfig, storage: Storage, read: Read = values_between) -> None:
        """Own nothing; `read` gives a stretch of a partition."""
        self._config = config
        self._storage = storage
        self._read = read
        self.burials = Burials(config.letter_limit)
        self.engines: dict[int, PartitionEngine] = {}
        self.inboxes: dict[int, Inbox] = {}
        self.groups: GroupEngine | None = None
        self.gate = Gate()

    @property
    def buffered_rows(self) -> int:
        """Rows that wait for a flush."""
        return sum(len(engine.events) for engine in self.engines.values())

    @property
    def waiting_records(self) -> int:
        """Records that are fetched and not folded."""
        return sum(map(len, self.inboxes.values()))

    def clocks(self) -> dict[int, int]:
        """The time of each partition."""
        return {partition: engine.clock for partition, engine in self.engines.items()}

    def owned(self) -> set[TP]:
        """The partitions that are restored."""
        return {TP(EVENTS, partition) for partition in self.engines} | (
            {TP(CONTRIBUTIONS, 0)} if self.groups else set()
        )

    def drop(self, tp: TP) -> None:
        """Own a partition no longer: what was not stored is folded again by the next owner."""
        if tp.topic == EVENTS:
            self.engines.pop(tp.partition, None)
            self.inboxes.pop(tp.partition, None)
        elif tp.topic == CONTRIBUTIONS:
            self.groups = None

    def own(self, tp: TP, restored: Restored) -> None:
        """Go on with a partition from its restored state."""
        engine = restored.engine
        self.burials.begin(tp, restored.taken, restored.in_a_row)
        if isinstance(engine, PartitionEngine):
            self.engines[tp.partition] = engine
            self.inboxes[tp.partition] = Inbox(has_ended=engine.has_ended, next_offset=restored.start)
            subjects = len(engine.subjects)
        else:
            self.groups = engine
            subjects = len(engine.groups)
        log = structlog.get_logger(__name__)
        log.info(
            "partition_restored", topic=tp.topic, partition=tp.partition, offset=engine.boundary + 1, subjects=subjects
        )

    def restored(self, places: Places) -> dict[TP, Restored]:
        """
        The state of each log up to its checkpoint. Blocks, and changes nothing here.

        Whoever asked may have lost the partition by the time it is there, or have asked again: only what is awaited
        to its end may be owned.
        """
        events = [tp.partition for tp in places if tp.topic == EVENTS]
        stored = self._storage.stored(events, self._config.epochs[EVENTS]) if events else {}
        restored = {}
        for tp, place in places.items():
            if tp.topic == EVENTS:
                restored[tp] = self._restored_events(tp.partition, stored.pop(tp.partition, None), place)
            elif tp.topic == CONTRIBUTIONS:
                restored[tp] = self._restored_groups(place)
        return restored

    def _restored_events(self, partition: int, stored: Stored | None, place: Place) -> Restored:
        epoch = self._config.epochs[EVENTS]
        body = stored.checkpoint.body if stored else {"registry": 0, "rules": 0}
        revision = self._storage.revision(body["registry"], body["rules"])
        engine = PartitionEngine(
            partition,
            epoch,
            revision.registry,
            revision.first,
            event_clock=self._config.event_clock,
            kept_ms=self._config.kept_ms,
            gone_before_ms=self._config.gone_before_ms,
        )
        if stored is not None:
            engine.load(stored)
        start = self._checked(EVENTS, partition, engine.boundary + 1, place)
        taken = engine.rows + engine.duplicates
        return Restored(engine, start, taken, self._buried_in_a_row(stored, partition))

    def _restored_groups(self, place: Place) -> Restored:
        epoch = self._config.epochs[CONTRIBUTIONS]
        stored = self._storage.stored_groups(epoch)
        body = stored[0].body if stored else {"registry": 0, "rules": 0}
        revision = self._storage.revision(body["registry"], body["rules"])
        groups = GroupEngine(self._config.partitions, epoch, revision.registry, revision.second)
        replay_from = groups.load(*stored) if stored is not None else 0
        start = self._checked(CONTRIBUTIONS, 0, groups.boundary + 1, place)
        for offset, value in self._read(
            self._config.bootstrap, CONTRIBUTIONS, 0, max(replay_from, place[0]), groups.boundary
        ):
            with suppress(InvalidEvent):  # it was buried then, and needs nothing now
                if groups.dead:
                    decode_contributions(value)  # every sum of it: seldom needed, and most of the time of a start
                groups.replay(offset, packed_contributions(value))
        groups.replayed()
        return Restored(groups, start, groups.rows)

    def _buried_in_a_row(self, stored: Stored | None, partition: int) -> int:
        """Dead letters since the last event that was taken: a worker that stopped for them takes no more of them."""
        if stored is None or not stored.checkpoint.dead or stored.checkpoint.boundary < 0:
            return 0
        newest = stored.known[-1][1] if stored.known else None
        after = newest.offset if newest and newest.epoch == self._config.epochs[EVENTS] else -1
        return self._storage.letters_between(EVENTS, partition, after, stored.checkpoint.boundary)

    def _checked(self, topic: str, partition: int, start: int, place: Place) -> int:
        """The offset to start at; StopWorker when the log does not hold it."""
        earliest, end = place
        if earliest <= start <= end:
            return start
        if start > end:
            raise StopWorker(
                f"{topic}:{partition} ends at {end}, but {start} was stored already: the log is not the one that was "
                "read before"
            )
        if not self._config.accept_gap:
            raise StopWorker(gone(TP(topic, partition), start, earliest))
        self._storage.accept_gap(topic, partition, start, earliest - 1)
        structlog.get_logger(__name__).warning("gap_accepted", topic=topic, partition=partition, first=start)
        return earliest
