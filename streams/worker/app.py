"""The Faust app: its settings, its four agents, its tasks. Nothing happens at import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from faust.types import TP, StreamT
from mode import CrashingSupervisor

from schemas.errors import Unavailable
from schemas.topics import COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS, RECORD_EVENTS, WORKER_GROUP
from streams.worker.floor import Floor
from streams.worker.letters import letter_of, letter_row
from streams.worker.metrics import WorkerMetrics
from streams.worker.ports import Storage, WorkerConfig
from streams.worker.recording import Recorded, Recorder
from streams.worker.sending import CommandOf, Sender
from streams.worker.transport import BatchConsumer, FilelessApp, batch_app, batches_of

RETRY_S = 1.0


class FloorApp(FilelessApp):
    """A Faust app that knows its floor, and says when it has crashed: stopping in order may take for ever then."""

    keeper: Floor
    when_crashed: Callable[[], object]

    def _crash(self, reason: BaseException) -> None:
        super()._crash(reason)
        self.when_crashed()


def create_app(
    config: WorkerConfig,
    storage: Storage,
    recorder: Recorder,
    command_of: CommandOf,
    metrics: WorkerMetrics,
    now_ms: Callable[[], int],
    when_crashed: Callable[[], object],
) -> FloorApp:
    """The app of one worker. Unexpected errors crash it: the supervisor of the process starts it again."""
    app = batch_app(
        FloorApp,
        WORKER_GROUP,
        config.bootstrap,
        consumer_group_instance_id=config.instance,
        broker_commit_interval=1.0,
        broker_session_timeout=30.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=60.0,
        stream_buffer_maxsize=32,
        stream_processing_timeout=86_400.0,
        producer_linger=0.005,
        producer_max_batch_size=262_144,
        producer_max_request_size=8_388_608,
        agent_supervisor=CrashingSupervisor,
    )
    app.when_crashed = when_crashed
    sender = Sender(lambda: app.producer, command_of, config.partitions)
    app.keeper = Floor(config, storage, sender, metrics, now_ms, lambda tp, end: _consumer(app).stored(tp, end))
    _agents(app, config, storage, recorder, sender)
    _tasks(app, recorder)
    return app


def _agents(app: FloorApp, config: WorkerConfig, storage: Storage, recorder: Recorder, sender: Sender) -> None:
    threads = ThreadPoolExecutor(2, "records")

    @app.agent(batches_of(app, EVENTS), name="fold")
    async def fold(batches: StreamT[Any]) -> None:
        async for batch in batches:
            app.keeper.put(batch[0].partition, batch)

    @app.agent(batches_of(app, CONTRIBUTIONS), name="group")
    async def group(batches: StreamT[Any]) -> None:
        async for batch in batches:
            await app.keeper.contribute(batch)

    @app.agent(batches_of(app, COMMANDS), name="record")
    async def record(batches: StreamT[Any]) -> None:
        async for batch in batches:
            recorded: Recorded = await _patiently(threads, recorder.record, batch)
            config.step("after_ledger")
            await sender.publish(RECORD_EVENTS, recorded.entries)
            letters = [letter_of(record, fault, config.epochs[COMMANDS]) for record, fault in recorded.unreadable]
            await sender.bury(letters, COMMANDS, batch[0].partition)
            _store(app, batch)

    @app.agent(batches_of(app, DEAD_LETTERS), name="bury")
    async def bury(batches: StreamT[Any]) -> None:
        async for batch in batches:
            await _patiently(threads, storage.write_letters, [letter_row(letter) for letter in batch])
            config.step("after_letters")
            _store(app, batch)


def _tasks(app: FloorApp, recorder: Recorder) -> None:
    floor = app.keeper
    for work in (floor.fold_forever, floor.flusher.run, floor.tick_forever):
        app.task(work)

    async def revoked(_app: Any, tps: set[TP], **_kwargs: Any) -> None:
        recorder.moved()
        await floor.revoked(tps)

    async def assigned(_app: Any, _tps: set[TP], **_kwargs: Any) -> None:
        recorder.moved()

    app.on_partitions_revoked.connect(revoked)  # type: ignore[arg-type]
    app.on_partitions_assigned.connect(assigned)  # type: ignore[arg-type]


def _consumer(app: FloorApp) -> BatchConsumer:
    consumer: BatchConsumer = app.consumer  # type: ignore[assignment]
    return consumer


def _store(app: FloorApp, batch: Sequence[Any]) -> None:
    """A batch is durable: commit it."""
    last = batch[-1]
    _consumer(app).stored(TP(last.topic, last.partition), last.offset)


async def _patiently(threads: ThreadPoolExecutor, call: Callable[..., Any], *args: Any) -> Any:
    """Call in a thread until the store answers."""
    while True:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, call, *args)
        except Unavailable:
            await asyncio.sleep(RETRY_S)


def run_app(app: FloorApp) -> None:
    """Run until told to stop; ends with SystemExit, or with the error that crashed the app."""
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False, override_logging=False, quiet=True)
    worker.execute_from_commandline()
