"""
What runs between Kafka and ClickHouse in one worker: batches come in, engines fold them in turn, outboxes go out,
flushes make it durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from time import monotonic
from typing import Any

import structlog
from faust.types import TP

from schemas.controls import RegistryChanged, RulesApplied, Ticked
from schemas.errors import InvalidEvent, StopWorker, Unavailable
from schemas.events import encode
from schemas.times import from_ms
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.contributions import decode_contributions
from streams.core.groups import GroupEngine
from streams.core.log import Item, Revision
from streams.core.partition import PartitionEngine
from streams.worker.decoding import Fetched
from streams.worker.flushing import FLUSH_ROWS, Flusher
from streams.worker.hops import Hops, Restored
from streams.worker.inbox import CHUNK, FULL, turn_by_time, turn_in_order
from streams.worker.metrics import WorkerMetrics
from streams.worker.ports import Storage, WorkerConfig
from streams.worker.sending import Sender
from streams.worker.transport import Places

SILENT_S = 5.0
"""The owner ticks a partition that was silent for this long, under the wall clock."""
LOOK_S = 0.5
TURN_S = 0.01
"""Folding gives way after this long: a record takes several turns of the loop to get from the socket to the agent."""
LOOKUP_RETRY_S = 1.0
SHARES = 2
"""The partitions are restored in so many shares at once: one waits for ClickHouse while another is made."""
READERS = SHARES + 1
REVOKE_WAIT_S = 5.0


class Floor:
    """The work of one worker (`streams.worker.transport.Keeper`)."""

    def __init__(
        self,
        config: WorkerConfig,
        storage: Storage,
        sender: Sender,
        metrics: WorkerMetrics,
        now_ms: Callable[[], int],
        commit: Callable[[TP, int], None],
    ) -> None:
        """`now_ms` is the wall clock, for ticks only; `commit` tells the consumer what is durable."""
        self._config = config
        self._storage = storage
        self._sender = sender
        self._metrics = metrics
        self._now_ms = now_ms
        self.hops = Hops(config, storage)
        self.flusher = Flusher(config, self.hops, sender, storage, metrics, commit)
        self._reads = ThreadPoolExecutor(READERS, "reads")
        self._wake = asyncio.Event()
        self._last_turn = -1
        self._heard: dict[int, float] = {}
        self._is_paused = False

    def held(self) -> set[TP]:
        """Partitions with enough in hand; all of them while the buffer is full."""
        rows = self.hops.buffered_rows + self.flusher.rows_in_flight
        self._pause(rows >= self._config.buffer_rows)
        self._metrics.buffered.set(rows)
        self._metrics.unacknowledged.set(self._sender.waiting)
        return {
            TP(EVENTS, partition)
            for partition, inbox in self.hops.inboxes.items()
            if self._is_paused or len(inbox) >= FULL
        }

    def keep(self, assigned: set[TP]) -> None:
        """Give up what is not assigned any more."""
        for tp in self.hops.owned() - assigned:
            self._give_up(tp)

    def _give_up(self, tp: TP) -> None:
        self.hops.drop(tp)
        self.flusher.forget(tp)
        self._metrics.given_up(tp.topic, tp.partition)

    async def starts_of(self, places: Places) -> dict[TP, int]:
        """
        Restore the partitions that were assigned; tries until ClickHouse answers.

        Cancelled when partitions are assigned anew meanwhile: what a thread still reads then must not be owned, as a
        newer start may be folding by then.
        """
        events = [tp for tp in places if tp.topic == EVENTS]
        shares = [events[share::SHARES] for share in range(SHARES)]
        shares.append([tp for tp in places if tp.topic == CONTRIBUTIONS])
        for tp in chain(*shares):
            self._give_up(tp)
        starts = await asyncio.gather(*(self._restore({tp: places[tp] for tp in share}) for share in shares if share))
        return {tp: start for share in starts for tp, start in share.items()}

    async def _restore(self, places: Places) -> dict[TP, int]:
        restored: dict[TP, Restored] = await self._patiently(lambda: self._blocking(self.hops.restored, places))
        for tp, one in restored.items():
            self.hops.own(tp, one)
            self._heard[tp.partition] = monotonic()
        return {tp: one.start for tp, one in restored.items()}

    async def revoked(self, tps: set[TP]) -> None:
        """Wait a little for the insert in flight, then drop everything of the partitions."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.flusher.idle.wait(), REVOKE_WAIT_S)
        for tp in tps:
            self._give_up(tp)

    def put(self, partition: int, records: Sequence[Fetched]) -> None:
        """Take a fetched batch of `floor.events`."""
        inbox = self.hops.inboxes.get(partition)
        if inbox is not None:
            inbox.put(records)
            self._heard[partition] = monotonic()
            self._wake.set()
            self._config.step("after_poll")

    async def fold_forever(self) -> None:
        """Fold what waits, partition by partition, a chunk at a time."""
        while True:
            folded = 0
            while folded < CHUNK and (turn := self._turn()) is not None:
                folded += await self._fold(*turn)
            if not folded:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 0.2)
                continue
            self._measure(folded)
            self._config.step("after_fold")
            await self.flusher.send_outboxes()
            if self.hops.buffered_rows >= FLUSH_ROWS:
                self.flusher.wake.set()
            await asyncio.sleep(0)

    async def contribute(self, records: Sequence[Fetched]) -> None:
        """Take a batch of `floor.contributions`."""
        groups = self.hops.groups
        for record in records:
            if groups is None or self.hops.groups is not groups:
                return
            await self._contribute(groups, record)
            await asyncio.sleep(0)
        await self.flusher.send_outboxes()

    async def _contribute(self, groups: GroupEngine, record: Fetched) -> None:
        if record.offset <= groups.boundary:
            return
        try:
            message = decode_contributions(record.value or b"")
        except InvalidEvent as fault:
            self.hops.burials.note(TP(CONTRIBUTIONS, 0), groups.rows, record.offset, fault.reason)
            groups.bury(record.offset, record.key or b"", record.value or b"", fault)
            return
        if isinstance(message, list):
            groups.apply(record.offset, message)
        else:
            groups.revise(record.offset, await self._patiently(lambda: self._revision(message, groups)))

    async def tick_forever(self) -> None:
        """Under the wall clock, tell silent partitions that time goes on: at once where something is due by now."""
        while not self._config.event_clock:
            await asyncio.sleep(LOOK_S)
            now = self._now_ms()
            for partition, engine in list(self.hops.engines.items()):
                silent = monotonic() - self._heard.get(partition, 0.0)
                if silent >= SILENT_S or (silent >= LOOK_S and engine.time.is_due(now)):
                    self._heard[partition] = monotonic()
                    await self._sender.tick(partition, encode(Ticked(at=from_ms(now))))

    def _turn(self) -> tuple[int, int | None] | None:
        now = monotonic()
        if self._config.event_clock:
            return turn_by_time(self.hops.inboxes, self.hops.clocks(), now)
        partition = turn_in_order(self.hops.gate.open_ones(self.hops.inboxes), self._last_turn, now)
        if partition is None:
            return None
        self._last_turn = partition
        return partition, None

    async def _fold(self, partition: int, until_ms: int | None) -> int:
        """
        Fold the next items of a partition; returns how many. What cannot be looked up now goes back.

        Whether memory can judge an item is asked just before it is folded: time goes on, and ids are forgotten.
        """
        inbox, engine = self.hops.inboxes[partition], self.hops.engines[partition]
        items = inbox.take(until_ms)
        done, looked_up, pause_at = 0, set[int](), monotonic() + TURN_S
        evictions = engine.remembered.evictions
        try:
            while done < len(items):
                if monotonic() >= pause_at:
                    await self._give_way(engine)
                    pause_at = monotonic() + TURN_S
                if evictions != engine.remembered.evictions:
                    evictions = engine.remembered.evictions
                    looked_up.clear()  # a fact may have been folded, stored and forgotten since
                if items[done].offset not in looked_up and engine.asks_for(items[done]) is not None:
                    looked_up |= await self._look_up(engine, items, done, looked_up)
                ready = await self._revised(engine, items[done])
                if await self.hops.gate.waited_for(partition):
                    continue
                if self.hops.engines.get(partition) is not engine:
                    return done
                self._apply(partition, engine, ready)
                inbox.has_ended = engine.has_ended
                done += 1
        except Unavailable:
            inbox.give_back(items[done:])
            inbox.blocked_until = monotonic() + LOOKUP_RETRY_S
        return done

    async def _give_way(self, engine: PartitionEngine) -> None:
        """Let others have their turn; alerts go out at once, whatever else is to be folded."""
        if engine.out.transitions:
            await self.flusher.send_outboxes()
        await asyncio.sleep(0)

    def _apply(self, partition: int, engine: PartitionEngine, item: Item) -> None:
        dead = engine.dead
        engine.apply(item)
        if engine.dead != dead and engine.out.letters[-1].reason != "erased":
            self._buried(partition, engine, item)

    def _buried(self, partition: int, engine: PartitionEngine, item: Item) -> None:
        """Stop where the limit of dead letters is reached; what was buried and not yet said stays in the log."""
        tp = TP(EVENTS, partition)
        try:
            self.hops.burials.note(tp, engine.rows + engine.duplicates, item.offset, engine.out.letters[-1].reason)
        except StopWorker:
            self.hops.drop(tp)
            raise

    async def _revised(self, engine: PartitionEngine, item: Item) -> Item:
        """An item that names a revision, with that revision."""
        record = item.record
        if type(record) is not RegistryChanged and type(record) is not RulesApplied:
            return item
        return item._replace(revision=await self._revision(record, engine))

    async def _look_up(self, engine: PartitionEngine, items: list[Item], first: int, known: set[int]) -> set[int]:
        """
        Give the items from one on what ClickHouse knows of those that memory cannot judge; returns their offsets.

        `known`: offsets that have it already.
        """
        asked: dict[int, str] = {}
        for index in range(first, len(items)):
            identity = None if items[index].offset in known else engine.asks_for(items[index])
            if identity is not None:
                asked[index] = identity
        found = await self._blocking(self._storage.look_up, sorted(set(asked.values())))
        for index, identity in asked.items():
            items[index] = items[index]._replace(prior=engine.prior_of(items[index], found.get(identity, ())))
        return {items[index].offset for index in asked}

    async def _revision(self, record: RegistryChanged | RulesApplied, engine: object) -> Revision:
        """
        The revision that a control record names, with what holds of the other kind.

        One that is told after a newer one changes nothing: in ClickHouse the newest holds.
        """
        registry = engine.registry.revision  # type: ignore[attr-defined]
        rules = engine.judge.revision  # type: ignore[attr-defined]
        if isinstance(record, RegistryChanged):
            registry = max(registry, record.revision)
        else:
            rules = max(rules, record.revision)
        revision: Revision = await self._blocking(self._storage.revision, registry, rules)
        structlog.get_logger(__name__).info("revision_loaded", registry=registry, rules=rules)
        return revision

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """An answer of ClickHouse, asked for until it comes: nothing else can be done there before."""
        while True:
            try:
                return await ask()
            except Unavailable as error:
                structlog.get_logger(__name__).warning("flush_retried", error=str(error), delay_s=LOOKUP_RETRY_S)
                await asyncio.sleep(LOOKUP_RETRY_S)

    async def _blocking(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reads, call, *args)

    def _pause(self, is_full: bool) -> None:
        if is_full != self._is_paused:
            self._is_paused = is_full
            self._metrics.paused.set(int(is_full))
            event = "consumption_paused" if is_full else "consumption_resumed"
            structlog.get_logger(__name__).warning(event, rows=self.hops.buffered_rows)

    def _measure(self, folded: int) -> None:
        self._metrics.records.inc(folded)
        for number, engine in self.hops.engines.items():
            partition = str(number)
            self._metrics.clock.labels(partition).set(max(engine.clock, 0) / 1000)
            self._metrics.dead.labels(partition).set(engine.dead)
            self._metrics.duplicates.labels(partition).set(engine.duplicates)
            self._metrics.waiting.labels(partition).set(len(self.hops.inboxes[number]))
