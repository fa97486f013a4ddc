"""
The flush: each interval, or earlier when many rows wait, while the next records fold; seldom while the worker is
behind, as what changes again and again then has to be written once.

Order: (0) the broker has acknowledged everything produced up to the boundary, (1)-(3) what `Storage.write` writes,
checkpoint last, (4) the boundary is committed to Kafka. While ClickHouse is away the same flush is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic

import structlog
from faust.types import TP

from schemas.errors import Unavailable
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.freezing import SUBJECTS_AT_ONCE, Freezing
from streams.core.groups import GroupEngine
from streams.core.log import Frozen
from streams.core.partition import PartitionEngine
from streams.worker import cycles
from streams.worker.hops import Hops
from streams.worker.metrics import WorkerMetrics
from streams.worker.ports import Storage, WorkerConfig
from streams.worker.sending import Sender

FLUSH_ROWS = 20_000
BACKLOG = 2_000
"""With this many records fetched and not folded, a worker is behind."""
BEHIND_S = 5.0
"""Then it flushes after this much more time, or when `FLUSH_ROWS` wait."""
TURN_S = 0.005
"""Freezing gives way after this long."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Flusher:
    """Freezes, waits for the broker, writes in a thread, commits."""

    def __init__(
        self,
        config: WorkerConfig,
        hops: Hops,
        sender: Sender,
        storage: Storage,
        metrics: WorkerMetrics,
        commit: Callable[[TP, int], None],
    ) -> None:
        """`commit(tp, boundary)` tells the consumer what is durable."""
        self._config = config
        self._hops = hops
        self._sender = sender
        self._storage = storage
        self._metrics = metrics
        self._commit = commit
        self._thread = ThreadPoolExecutor(1, "flush")
        self._flushed: dict[TP, int] = {}
        self.sending = asyncio.Lock()
        self.wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.rows_in_flight = 0

    async def run(self) -> None:
        """Flush for ever."""
        with cycles.found_between_flushes():
            while True:
                await self._rest(self._config.flush_interval_s)
                if self._hops.waiting_records >= BACKLOG:
                    await self._rest(BEHIND_S)
                self.wake.clear()
                await self.flush()
                cycles.look()

    async def _rest(self, seconds: float) -> None:
        """Wait, unless somebody wakes or has woken the flusher."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), seconds)

    async def send_outboxes(self) -> None:
        """Produce what the engines have to say, so that an alert does not wait for a flush."""
        async with self.sending:
            for engine, topic, partition in self._owned():
                await self._sender.send(engine.take_outbox(), topic, partition)

    async def flush(self) -> None:
        """One flush of everything that changed."""
        self.idle.clear()
        try:
            frozen = await self._freeze()
            if not frozen:
                return
            self._config.step("after_outbox")
            await self._sender.acknowledged()
            self._config.step("after_acks")
            await self._write(frozen)
            self._settle(frozen)
            self._config.step("after_commit")
        finally:
            self.rows_in_flight = 0
            self.idle.set()

    def _owned(self) -> list[tuple[PartitionEngine | GroupEngine, str, int]]:
        owned: list[tuple[PartitionEngine | GroupEngine, str, int]] = [
            (engine, EVENTS, partition) for partition, engine in sorted(self._hops.engines.items())
        ]
        if self._hops.groups is not None:
            owned.append((self._hops.groups, CONTRIBUTIONS, 0))
        return owned

    async def _freeze(self) -> list[tuple[PartitionEngine | GroupEngine, Frozen]]:
        """
        Freeze one engine after the other.

        An outbox and its freeze belong to one boundary: nothing may be folded into an engine between them.
        """
        frozen: list[tuple[PartitionEngine | GroupEngine, Frozen]] = []
        for engine, topic, partition in self._owned():
            has_moved = engine.boundary > self._flushed.get(TP(topic, partition), -1)
            if isinstance(engine, GroupEngine):
                async with self.sending:
                    outbox = engine.take_outbox()
                    frozen += [(engine, engine.freeze())] if has_moved else []
                    await self._sender.send(outbox, topic, partition)
            else:
                with self._hops.gate.closed(partition):
                    async with self.sending:
                        await self._sender.send(engine.take_outbox(), topic, partition)
                    frozen += [(engine, await self._frozen(engine))] if has_moved else []
            await asyncio.sleep(0)
        return frozen

    async def _frozen(self, engine: PartitionEngine) -> Frozen:
        """Freeze a partition little by little, so that everybody else has a turn: a large one takes a while."""
        freezing, pause_at = Freezing(engine), monotonic() + TURN_S
        while not freezing.go_on(SUBJECTS_AT_ONCE):
            if monotonic() >= pause_at:
                await asyncio.sleep(0)
                pause_at = monotonic() + TURN_S
        frozen = freezing.frozen()
        self.rows_in_flight += len(frozen.events)
        return frozen

    async def _write(self, frozen: list[tuple[PartitionEngine | GroupEngine, Frozen]]) -> None:
        started, attempt = monotonic(), 0
        parts = [part for _, part in frozen]
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._storage.write, parts)
            except Unavailable as error:
                delay = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                structlog.get_logger(__name__).warning("flush_retried", error=str(error), delay_s=delay)
                attempt += 1
                self._metrics.retries.inc()
                await asyncio.sleep(delay)
            else:
                break
        self._metrics.flushed(sum(part.rows for part in parts), monotonic() - started)

    def _settle(self, frozen: list[tuple[PartitionEngine | GroupEngine, Frozen]]) -> None:
        owned = {id(engine) for engine, _, _ in self._owned()}
        for engine, part in frozen:
            if id(engine) not in owned:
                continue
            tp = TP(part.topic, part.partition)
            self._flushed[tp] = part.checkpoint.boundary
            self._commit(tp, part.checkpoint.boundary)
            self._metrics.boundary.labels(part.topic, str(part.partition)).set(part.checkpoint.boundary)
            for step, _version in part.transitions:
                self._metrics.alerts.labels(step.rule, step.state).inc()
            if isinstance(engine, PartitionEngine):
                engine.acknowledged(part.checkpoint.boundary)

    def forget(self, tp: TP) -> None:
        """A partition was assigned anew or taken away."""
        self._flushed.pop(tp, None)
