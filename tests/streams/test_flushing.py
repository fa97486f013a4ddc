"""A flush: what the broker must have acknowledged first, what is tried again, what ends the worker (P1, P5)."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import ref

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.alerts import Transition
from schemas.errors import StopWorker, Unavailable
from schemas.topics import ALERTS, COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS
from streams.core.log import Frozen
from streams.worker import flushing
from streams.worker.flushing import Flusher
from streams.worker.hops import Hops
from streams.worker.inbox import Inbox
from streams.worker.metrics import WorkerMetrics
from streams.worker.ports import WorkerConfig
from streams.worker.sending import Sender
from tests.streams.runs import new_engine
from tests.streams.test_identity import asked, fact
from tests.streams.test_restart import handled

CONFIG = WorkerConfig(
    bootstrap="",
    instance="w1",
    partitions=3,
    epochs={EVENTS: 1, CONTRIBUTIONS: 1},
    event_clock=False,
    flush_interval_s=0.01,
    buffer_rows=1_000,
)


class Broker:
    """A producer whose acknowledgements come when told."""

    def __init__(self, *, acknowledges: bool = True) -> None:
        self.sent: list[tuple[str, bytes | None, int | None]] = []
        self.headers: list[dict[str, bytes]] = []
        self.futures: list[asyncio.Future[None]] = []
        self.acknowledges = acknowledges

    async def send(self, topic: str, key: bytes | None, *rest: Any) -> Awaitable[Any]:
        """Note the message."""
        self.sent.append((topic, key, rest[1]))
        self.headers += [rest[3]] if rest[3] else []
        future = asyncio.get_running_loop().create_future()
        if self.acknowledges:
            future.set_result(None)
        self.futures.append(future)
        return future

    def topics(self) -> list[str]:
        """Where messages went."""
        return [topic for topic, _, _ in self.sent]


class Store:
    """Takes flushes, after failing as often as told."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.tried: list[Sequence[Frozen]] = []
        self.written: list[Frozen] = []

    def write(self, flush: Sequence[Frozen]) -> None:
        """Take a flush or fail."""
        self.tried.append(flush)
        if self.faults:
            raise self.faults.pop(0)
        self.written += flush


class Bench:
    """A flusher of one partition, with what it wrote and committed."""

    def __init__(self, store: Store, broker: Broker) -> None:
        self.store, self.broker = store, broker
        self.committed: list[tuple[TP, int]] = []
        self.hops = Hops(CONFIG, store)  # type: ignore[arg-type]
        self.hops.engines[0] = new_engine(event_clock=False)
        self.sender = Sender(lambda: broker, _command_of, 3)
        metrics = WorkerMetrics(CollectorRegistry())
        self.flusher = Flusher(
            CONFIG,
            self.hops,
            self.sender,
            store,  # type: ignore[arg-type]
            metrics,
            lambda tp, end: self.committed.append((tp, end)),
        )


def _command_of(transition: Transition) -> tuple[bytes, bytes] | None:
    return (transition.subject.encode(), b"{}") if transition.rule == "busy" else None


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """Makes a bench."""
    return lambda *faults, acknowledges=True: Bench(Store(*faults), Broker(acknowledges=acknowledges))


async def test_a_flush_is_written_then_committed(bench: Callable[..., Bench]) -> None:
    """The boundary is that of the last record folded."""
    b = bench()
    b.hops.engines[0].apply(handled(0, 1))
    b.hops.engines[0].apply(handled(1, 2))

    await b.flusher.flush()

    assert [part.checkpoint.boundary for part in b.store.written] == [1]
    assert b.committed == [(TP(EVENTS, 0), 1)]


async def test_nothing_new_writes_nothing(bench: Callable[..., Bench]) -> None:
    """The second flush has nothing to say."""
    b = bench()
    b.hops.engines[0].apply(handled(0, 1))

    await b.flusher.flush()
    await b.flusher.flush()

    assert len(b.store.tried) == 1


async def test_records_are_folded_between_the_partitions_of_a_flush(bench: Callable[..., Bench]) -> None:
    """Freezing a large floor takes a while, so each partition is frozen at a boundary of its own."""
    b = bench()
    b.hops.engines[1] = new_engine(event_clock=False)
    for engine in b.hops.engines.values():
        engine.apply(handled(0, 1))

    async def go_on() -> None:
        for engine in b.hops.engines.values():
            engine.apply(handled(1, 2))

    await asyncio.gather(b.flusher.flush(), go_on())

    assert [part.checkpoint.boundary for part in b.store.written] == [0, 1]


async def test_what_is_being_sent_while_a_flush_begins_to_wait_is_waited_for_by_the_next(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The first message to a topic waits for the broker's word about it; a letter sent so was waited for by nobody.

        letter     sent |---- the topic is looked up ----| acknowledged ...
        flush 1             waits for what was sent before |
        flush 2                                                  waits for the letter
    """
    b = bench(acknowledges=False)
    looked_up = asyncio.Event()
    send = b.broker.send

    async def slow(*message: Any) -> Awaitable[Any]:
        await looked_up.wait()
        return await send(*message)

    monkeypatch.setattr(b.broker, "send", slow)
    sending = asyncio.create_task(b.sender.tick(0, b"{}"))
    await asyncio.sleep(0)
    await b.sender.acknowledged()

    looked_up.set()
    await sending

    assert b.sender.waiting == 1
    next_flush = asyncio.create_task(b.sender.acknowledged())
    await asyncio.sleep(0)
    assert not next_flush.done()
    b.broker.futures[0].set_result(None)
    await next_flush


async def test_a_large_partition_is_frozen_little_by_little(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else has a turn meanwhile; only the partition itself takes no record, so all is of one boundary."""
    monkeypatch.setattr(flushing, "TURN_S", 0.0)
    monkeypatch.setattr(flushing, "SUBJECTS_AT_ONCE", 1)
    b = bench()
    for number in range(20):
        b.hops.engines[0].apply(handled(number, 1, agent=f"a{number}"))
    flush = asyncio.create_task(b.flusher.flush())
    others = 0

    await asyncio.sleep(0)
    waited = asyncio.create_task(b.hops.gate.waited_for(0))
    while not waited.done():
        await asyncio.sleep(0)
        others += 1
    is_free = not await b.hops.gate.waited_for(0)
    await flush

    assert waited.result()
    assert is_free
    assert others >= 20
    assert [(part.checkpoint.boundary, len(part.subjects)) for part in b.store.written] == [(19, 20)]


async def test_without_the_brokers_word_nothing_is_written(
    bench: Callable[..., Bench],
) -> None:
    """A dead letter that may be lost holds the checkpoint that stands for it."""
    b = bench(acknowledges=False)
    b.hops.engines[0].apply(fact(0))
    b.hops.engines[0].apply(fact(1, content=2))

    flush = asyncio.create_task(b.flusher.flush())
    while DEAD_LETTERS not in b.broker.topics():
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert b.store.tried == []

    for future in b.broker.futures:
        future.set_result(None)
    await flush
    assert len(b.store.written) == 1


async def test_a_dead_letter_says_which_topic_it_came_from(bench: Callable[..., Bench]) -> None:
    """
    Topic, epoch and place: one of the same place of a topic made anew is another letter.

    The hash of the fact goes along: sent again it is a duplicate of what its source sends again.
    """
    b = bench()
    b.hops.engines[0].epoch = 2
    b.hops.engines[0].apply(fact(0))
    b.hops.engines[0].apply(fact(1, content=2))

    await b.flusher.send_outboxes()

    (told,) = b.broker.headers
    assert [told[name] for name in ("topic", "epoch", "partition", "offset")] == [EVENTS.encode(), b"2", b"0", b"1"]
    assert told["content"] == b"%016x" % 2


async def test_a_message_the_broker_refuses_ends_the_worker(bench: Callable[..., Bench]) -> None:
    """Nothing is written, and the error is raised."""
    b = bench(acknowledges=False)
    b.hops.engines[0].apply(fact(0))
    b.hops.engines[0].apply(fact(1, content=2))
    await b.flusher.send_outboxes()
    for future in b.broker.futures:
        future.set_exception(RuntimeError("refused"))

    with pytest.raises(RuntimeError, match="refused"):
        await b.flusher.flush()

    assert b.store.tried == []


async def test_while_the_store_is_away_the_very_same_flush_is_tried(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes meanwhile waits for the next one."""
    monkeypatch.setattr(flushing, "RETRY_S", (0.0,))
    b = bench(Unavailable("away"), Unavailable("away"))
    b.hops.engines[0].apply(handled(0, 1))

    await b.flusher.flush()

    assert len(b.store.tried) == 3
    assert all(tried is b.store.tried[0] for tried in b.store.tried)
    assert b.committed == [(TP(EVENTS, 0), 0)]


async def test_what_no_retry_mends_ends_the_worker(bench: Callable[..., Bench]) -> None:
    """Nothing is committed."""
    b = bench(StopWorker("no such column"))
    b.hops.engines[0].apply(handled(0, 1))

    with pytest.raises(StopWorker):
        await b.flusher.flush()

    assert b.committed == []


async def test_what_a_flush_holds_does_not_change_while_records_are_folded(bench: Callable[..., Bench]) -> None:
    """A frozen flush stands for its boundary, however long it is under way."""
    engine = bench().hops.engines[0]
    engine.apply(handled(0, 1))
    frozen = engine.freeze()
    before = repr([(row.subject, row.body) for row in frozen.subjects] + [frozen.checkpoint.body])

    for number in range(1, 9):
        engine.apply(handled(number, 1 + 30 * number))

    assert repr([(row.subject, row.body) for row in frozen.subjects] + [frozen.checkpoint.body]) == before


async def test_what_an_engine_says_goes_to_its_topics(bench: Callable[..., Bench]) -> None:
    """An alert, its command, what the groups get, a dead letter; an ask to every other partition."""
    b = bench()
    for item in (
        handled(0, 1),
        handled(1, 1.1),
        handled(2, 3),
        fact(3, content=7),
        fact(4, 9, revision=1),
        asked(5, 9),
    ):
        b.hops.engines[0].apply(item)

    b.hops.engines[0].apply(fact(6, 3, id="unseen", revision=2))
    await b.flusher.send_outboxes()

    assert {ALERTS, COMMANDS, CONTRIBUTIONS, DEAD_LETTERS} <= set(b.broker.topics())
    assert [(key, partition) for topic, key, partition in b.broker.sent if topic == EVENTS] == [(None, 1), (None, 2)]
    assert {partition for topic, _, partition in b.broker.sent if topic == CONTRIBUTIONS} == {0}


async def test_a_dropped_partition_is_not_committed(bench: Callable[..., Bench]) -> None:
    """Its new owner says what is durable."""
    b = bench()
    b.hops.engines[0].apply(handled(0, 1))
    engine = b.hops.engines[0]
    frozen = [(engine, engine.freeze())]
    b.hops.drop(TP(EVENTS, 0))

    b.flusher._settle(frozen)  # type: ignore[arg-type]

    assert b.committed == []


async def _runs_for(b: Bench, seconds: float) -> None:
    task = asyncio.create_task(b.flusher.run())
    await asyncio.sleep(seconds)
    task.cancel()


class Ring:
    """Holds itself."""

    def __init__(self) -> None:
        self.ring = self


async def test_cycles_are_looked_for_after_a_flush_and_not_in_one(bench: Callable[..., Bench]) -> None:
    """Whatever a flush holds is gone by then; else Python would go through it again and again."""
    b = bench()
    thresholds = gc.get_threshold()
    flush = asyncio.create_task(b.flusher.run())
    await asyncio.sleep(0)
    gc.set_threshold(1, *thresholds[1:])
    try:
        lost = ref(Ring())
        news = [[number] for number in range(10)]
        is_there = lost() is not None
        b.hops.engines[0].apply(handled(0, 1))
        while not b.store.written:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        flush.cancel()
        await asyncio.gather(flush, return_exceptions=True)
    finally:
        gc.set_threshold(*thresholds)

    assert is_there
    assert lost() is None
    assert len(news) == 10
    assert gc.isenabled()


async def test_a_worker_that_is_behind_flushes_seldom(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What changes again and again is written once, however short the interval is.

        fetched, not folded    1 record     2 records      2 records, woken
        flushed                at once      after 5 s      at once
    """
    monkeypatch.setattr(flushing, "BACKLOG", 2)
    b = bench()
    b.hops.engines[0].apply(handled(0, 1))
    b.hops.inboxes[0] = Inbox(items=deque([handled(1, 2)]))
    await _runs_for(b, 0.1)
    assert [part.checkpoint.boundary for part in b.store.written] == [0]

    b.hops.engines[0].apply(handled(1, 2))
    b.hops.inboxes[0] = Inbox(items=deque([handled(2, 3), handled(3, 4)]))
    await _runs_for(b, 0.1)
    assert [part.checkpoint.boundary for part in b.store.written] == [0]

    b.flusher.wake.set()
    await _runs_for(b, 0.1)
    assert [part.checkpoint.boundary for part in b.store.written] == [0, 1]
