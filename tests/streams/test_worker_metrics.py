"""What the worker says about itself: every bounded buffer has a gauge, and every figure moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, generate_latest

from schemas.errors import Unavailable
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.worker import flushing
from streams.worker.flushing import Flusher
from streams.worker.inbox import Inbox
from streams.worker.metrics import WorkerMetrics
from tests.streams.test_burials import Bench as FloorBench
from tests.streams.test_flushing import CONFIG, Bench, Broker, Store
from tests.streams.test_restart import handled

Figures = Callable[[], str]


def measured(bench: Bench) -> Figures:
    """A registry that hears of the bench's flushes; what it says."""
    registry = CollectorRegistry()
    store: Any = bench.store
    parts = (bench.hops, bench.sender, store, WorkerMetrics(registry), lambda *_: None)
    bench.flusher = Flusher(CONFIG, *parts)
    return lambda: generate_latest(registry).decode()


async def test_a_flush_moves_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The durable offset, and how often ClickHouse had to be asked again."""
    monkeypatch.setattr(flushing, "RETRY_S", (0.0,))
    bench = Bench(Store(Unavailable("away"), Unavailable("away")), Broker())
    figures = measured(bench)
    bench.hops.engines[0].apply(handled(0, 1))
    bench.hops.engines[0].apply(handled(1, 2))

    await bench.flusher.flush()

    assert f'floorpulse_boundary_offset{{partition="0",topic="{EVENTS}"}} 1.0' in figures()
    assert "floorpulse_flush_retries_total 2.0" in figures()


async def test_every_bounded_buffer_has_a_gauge() -> None:
    """Fetched records, rows that wait for a flush, messages that the broker has not acknowledged."""
    bench = FloorBench()
    bench.hops.inboxes[0] = Inbox()
    bench.put("ggd")
    await bench.fold()
    await bench.floor.flusher.send_outboxes()

    bench.floor.held()

    metrics = bench.floor._metrics
    assert (metrics.buffered._value.get(), metrics.unacknowledged._value.get()) == (2, 1)
    assert metrics.waiting.labels("0")._value.get() == 0


async def test_a_partition_that_went_to_another_worker_is_told_of_no_more() -> None:
    """A time that stands still here would be told as this worker's lag for ever."""
    bench = FloorBench()
    bench.hops.inboxes[0] = Inbox()
    bench.put("gd")
    await bench.fold()
    await bench.floor.flusher.flush()
    metrics = bench.floor._metrics
    told = [metrics.clock, metrics.waiting, metrics.dead, metrics.duplicates, metrics.boundary]
    before = [len(gauge._metrics) for gauge in told]

    await bench.floor.revoked({TP(EVENTS, 0), TP(CONTRIBUTIONS, 0)})

    assert before == [1] * len(told)
    assert [len(gauge._metrics) for gauge in told] == [0] * len(told)
