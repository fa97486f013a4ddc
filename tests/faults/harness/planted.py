"""
Bugs that a run must catch (negative controls), and what only tests change in a worker.

Each takes one mechanism out by a subclass; nothing of it can be switched on in the product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from faust.types import TP

from schemas.topics import ALERTS, EVENTS, WORKER_GROUP
from sinks import raw, restore, storage
from sinks.clickhouse import ClickHouseSink
from sinks.stored_panes import panes_of
from streams.core import identity
from streams.core.log import Frozen, Item, Stored
from streams.core.partition import PartitionEngine
from streams.core.spans import Identity
from streams.worker import app, floor, hops
from streams.worker.floor import Floor
from streams.worker.flushing import Flusher
from streams.worker.sending import Sender
from streams.worker.transport import Places

if TYPE_CHECKING:
    from tests.faults.harness.parts import WorkerSpec


COMMIT_S = 0.2


class CommitsBeforeWriting(Flusher):
    """Kafka's offset is committed first, and a start trusts it."""

    async def _write(self, frozen: Any) -> None:
        self._settle(frozen)
        await super()._write(frozen)


class TrustsTheCommit(Floor):
    """Goes on where Kafka has it committed."""

    async def starts_of(self, places: Places) -> dict[TP, int]:
        """Where Kafka says."""
        starts = await super().starts_of(places)
        for tp in starts:
            if tp.topic == EVENTS:
                starts[tp] = max(starts[tp], await asyncio.to_thread(_committed, self._config.bootstrap, tp))
        return starts


def _committed(bootstrap: str, tp: TP) -> int:
    from kafka import KafkaAdminClient

    from floorpulse.offsets import committed_offsets

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return committed_offsets(admin, tp.topic, WORKER_GROUP).get(tp.partition, 0)
    finally:
        admin.close()


def _as_they_stand(client: Any, key: str, minutes: set[int], *_limits: int) -> list[Any]:
    """The panes above the checkpoint, with what will be replayed already in them."""
    return [pane for pane in panes_of(client, key) if pane[1] in minutes]


class SubjectsFirst(ClickHouseSink):
    """The checkpoint is written before what it stands for."""

    def _write(self, flush: Sequence[Frozen]) -> None:
        late: list[Callable[[], None]] = []
        whole: Callable[..., None] = super()._insert

        def insert(table: Any, rows: Any, *more: Any, **named: Any) -> None:
            kept = list(rows)
            if table.name == "subjects":
                whole(table, kept, *more, **named)
                self._step("after_subjects_first")
            else:
                late.append(lambda: whole(table, kept, *more, **named))

        self._insert = insert  # type: ignore[method-assign]
        super()._write(flush)
        for write in late:
            write()


class NeverWaits(Sender):
    """Does not wait for the broker."""

    async def acknowledged(self) -> None:
        """Goes on at once."""
        self._unacknowledged = []


class MemoryOnly(PartitionEngine):
    """Judges duplicates by the ids that this process has seen."""

    def asks_for(self, item: Item) -> Identity | None:
        """Nothing is looked up."""
        return None

    def load(self, stored: Stored) -> None:
        """The ids of earlier lives are gone."""
        super().load(stored)
        self.remembered = identity.Remembered()


class Raises(PartitionEngine):
    """A bug in the fold: one event cannot be taken (F3)."""

    def apply(self, item: Item) -> None:
        """Stumbles over the task `stumble`."""
        if b'"stumble"' in item.payload:
            raise KeyError("a bug in a rule")
        super().apply(item)


BUGS: dict[str, list[tuple[ModuleType, str, Any]]] = {
    "commit before write": [(floor, "Flusher", CommitsBeforeWriting), (app, "Floor", TrustsTheCommit)],
    "start without refolding panes above the checkpoint": [(restore, "refolded", _as_they_stand)],
    "subjects written before panes": [(storage, "ClickHouseSink", SubjectsFirst)],
    "alerts not awaited": [(app, "Sender", NeverWaits)],
    "duplicates judged by the memory only": [(hops, "PartitionEngine", MemoryOnly)],
    "raises": [(hops, "PartitionEngine", Raises)],
}
"""Name -> what is put in whose place: (module, name in it, replacement)."""


def plant(bug: str) -> None:
    """Put a bug into this process."""
    for module, name, replacement in BUGS[bug]:
        setattr(module, name, replacement)


def _late(send: Callable[..., Any], late_s: float) -> Callable[..., Any]:
    """A producer's `send` that keeps alerts for a while before the broker gets them."""

    async def later(*message: Any) -> Any:
        await asyncio.sleep(late_s)
        return await (await send(*message))

    async def send_late(topic: str, *message: Any) -> Any:
        if topic == ALERTS:
            return asyncio.ensure_future(later(topic, *message))
        return await send(topic, *message)

    return send_late


def wire(spec: WorkerSpec) -> None:
    """What a test changes in this worker without taking anything out."""
    make: Callable[..., Any] = app.create_app

    def create_app(*args: Any) -> Any:
        *others, now_ms, when_crashed = args
        made = make(*others, lambda: now_ms() + spec.clock_ms, when_crashed)
        made.conf.broker_commit_interval = COMMIT_S
        if spec.alerts_late_s is not None:
            made.producer.send = _late(made.producer.send, spec.alerts_late_s)
        if spec.session_s is not None:
            made.conf.broker_session_timeout = spec.session_s
            made.conf.broker_heartbeat_interval = spec.session_s / 6
        if spec.request_s is not None:
            made.conf.broker_request_timeout = spec.request_s
        return made

    changed: list[tuple[ModuleType, str, Any]] = [(app, "create_app", create_app)]
    if spec.remembered is not None:
        changed += [(identity, "REMEMBERED", spec.remembered), (raw, "REMEMBERED", spec.remembered)]
    for module, name, replacement in changed:
        setattr(module, name, replacement)
