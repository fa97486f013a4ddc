"""Partitions of floor.commands that go to another worker and come back, while the first one lives on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from floorpulse.worker import make_recorder
from records.core.chain import broken_at
from records.store.base import LedgerStore
from records.store.memory import MemoryLedgerStore
from schemas.records import Command, RecordEvent
from schemas.topics import COMMANDS
from streams.worker.app import FloorApp, create_app
from streams.worker.metrics import WorkerMetrics
from streams.worker.ports import WorkerConfig
from streams.worker.recording import command_of
from tests.records.test_alert_streams import Alerts
from tests.records.test_ledger_store import NOON_MS, CountingStore, fetched, opening, step

MARIA = "agent:a0412"


class Worker:
    """A worker with its app and its ledger, without Kafka: a test moves its partitions and hands it commands."""

    def __init__(self, store: LedgerStore) -> None:
        self.recorder = make_recorder(store, frozenset, Alerts())
        self.app = _app(self.recorder)

    def decide(self, *commands: Command) -> None:
        """One batch."""
        self.recorder.record([fetched(command) for command in commands])

    async def tell(self, signal: str) -> None:
        """What Faust says of the partitions."""
        await getattr(self.app, signal).send({TP(COMMANDS, 0)})


class SeenWriting(MemoryLedgerStore):
    """Says when a batch is about to be stored."""

    when_writing: Callable[[], None] = staticmethod(lambda: None)

    def append(self, events: Sequence[RecordEvent]) -> None:
        self.when_writing()
        super().append(events)


def _app(recorder: Any) -> FloorApp:
    config = WorkerConfig("127.0.0.1:1", "w", 1, {}, False, 1.0, 1_000)
    storage: Any = None
    metrics = WorkerMetrics(CollectorRegistry())
    return create_app(config, storage, recorder, command_of, metrics, lambda: NOON_MS, lambda: None)


def handled_by(worker: Worker) -> None:
    """What a lead does about the case, one batch a step."""
    worker.decide(step(MARIA, "acknowledge_case"))
    worker.decide(step(MARIA, "plan_case", goal="Two sessions", due="2030-01-31"))
    worker.decide(step(MARIA, "hold_session", shared_notes="Agreed on a closing sentence"))


def kinds_in(store: LedgerStore) -> list[str]:
    """The entries of the stream, whose chain holds."""
    entries = store.load([MARIA])[MARIA]
    assert broken_at(entries) is None
    return [entry.kind for entry in entries]


KEPT = ["case_opened", "case_acknowledged", "plan_written", "session_held", "case_commented"]


@pytest.mark.parametrize("signal", ["on_partitions_revoked", "on_partitions_assigned"])
async def test_whoever_gets_a_partition_back_knows_what_was_decided_meanwhile(signal: str) -> None:
    """Each of both signals is enough: after it the first worker decides by what the second has written."""
    store = MemoryLedgerStore()
    first, second = Worker(store), Worker(store)
    first.decide(opening(MARIA))

    await first.tell(signal)
    handled_by(second)
    first.decide(step(MARIA, "comment_case", text="Thank you, that helped"))

    assert kinds_in(store) == KEPT


async def test_a_batch_under_way_while_partitions_move_puts_nothing_back() -> None:
    """It had read the stream before they moved; the next batch reads it again."""
    store = SeenWriting()
    first, second = Worker(store), Worker(store)
    store.when_writing = first.recorder.moved
    first.decide(opening(MARIA))
    store.when_writing = lambda: None

    handled_by(second)
    first.decide(step(MARIA, "comment_case", text="Thank you, that helped"))

    assert kinds_in(store) == KEPT


async def test_what_is_remembered_serves_while_nothing_moves() -> None:
    """One move, one new look at the store."""
    store = CountingStore()
    worker = Worker(store)
    worker.decide(opening(MARIA))
    await worker.tell("on_partitions_revoked")
    await worker.tell("on_partitions_assigned")

    handled_by(worker)

    assert store.loads == 2
