"""The worker process: wires the Faust app to ClickHouse and the ledger, serves /metrics, /healthz and /readyz."""

from __future__ import annotations

import asyncio
import os
from threading import Timer
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry

from floorpulse.clock import now_ms
from floorpulse.crashing import crash_step
from floorpulse.heap import set_up_heap
from floorpulse.housekeeping import start_housekeeping
from floorpulse.offsets import admin_client
from floorpulse.serving import serve_metrics
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.topics import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from records.store.base import FiredAlerts, LedgerStore
    from streams.worker.recording import Recorder

EXIT_FAILED = 70
"""Exit code after an error: the supervisor starts the worker again, from its checkpoint."""

CRASH_WITHIN_S = 10.0
"""A worker that has crashed and does not get to its end in order ends without: it holds partitions until then."""


def run_worker(settings: Settings, name: str, *, accept_gap: bool) -> None:
    """Run until it is told to stop; exits with 70 after an unexpected error, or one that forbids to go on."""
    from streams.worker.app import run_app

    set_up_heap()
    app, metrics = _make_app(settings, name, accept_gap=accept_gap)
    address = (settings.metrics_host, settings.metrics_port)
    serve_metrics(address, metrics, lambda: "" if app.keeper.hops.engines else "no partition is assigned yet")
    log = structlog.get_logger(__name__)
    start_housekeeping(lambda: clickhouse_client(settings))
    log.info("worker_started", worker=name, clock=settings.clock, compiled=_is_compiled())
    try:
        run_app(app)
    except SystemExit as stop:
        if (crash := app.crash_reason) is not None:
            log.error("worker_failed", error_type=type(crash).__name__, reason=str(crash), exc_info=crash)
            os._exit(EXIT_FAILED)
        log.info("worker_stopping", code=stop.code)
        raise
    except BaseException as error:
        log.exception("worker_failed", error_type=type(error).__name__)
        os._exit(EXIT_FAILED)


def _is_compiled() -> bool:
    """True where the engine is machine code (docs/grow.md)."""
    from streams.core import partition

    return not partition.__file__.endswith(".py")


def _make_app(settings: Settings, name: str, *, accept_gap: bool) -> tuple[Any, CollectorRegistry]:
    from records.store.alerts import ClickHouseAlerts
    from records.store.clickhouse import ClickHouseLedgerStore
    from sinks.retention import gone_under_another_ms
    from sinks.storage import ClickHouseStorage
    from sinks.topics import ensure_epochs, topic_states
    from streams.worker.app import create_app
    from streams.worker.metrics import WorkerMetrics
    from streams.worker.ports import WorkerConfig
    from streams.worker.recording import command_of

    client = clickhouse_client(settings)
    with admin_client(settings) as admin:
        epochs = ensure_epochs(client, admin)
        partitions = topic_states(admin)[EVENTS].partitions
    config = WorkerConfig(
        bootstrap=settings.kafka_bootstrap,
        instance=name,
        partitions=partitions,
        epochs=epochs,
        event_clock=settings.clock == "event",
        flush_interval_s=settings.flush_interval_s,
        buffer_rows=settings.buffer_rows,
        accept_gap=accept_gap,
        letter_limit=settings.letter_limit(),
        kept_ms=settings.retention().events_ms,
        gone_before_ms=gone_under_another_ms(client, event_clock=settings.clock == "event"),
        step=crash_step(),
    )
    storage = ClickHouseStorage(lambda: clickhouse_client(settings), config.step, settings.retention())
    alerts = ClickHouseAlerts(client, event_clock=config.event_clock)
    recorder = make_recorder(ClickHouseLedgerStore(client), storage.erased, alerts)
    registry = CollectorRegistry()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_app(config, storage, recorder, command_of, WorkerMetrics(registry), now_ms, _end_soon)
    return app, registry


def make_recorder(store: LedgerStore, erased: Callable[[], Collection[str]], alerts: FiredAlerts) -> Recorder:
    """What decides the commands of a worker; `erased`: the agents who are erased by now."""
    from records.store.ledger import Ledger
    from streams.worker.recording import Recorder

    ledger = Ledger(store, erased=erased, alerts=alerts)
    return Recorder(ledger.handle_all, ledger.clear)


def _end_soon() -> None:
    watch = Timer(CRASH_WITHIN_S, os._exit, (EXIT_FAILED,))
    watch.daemon = True
    watch.start()
