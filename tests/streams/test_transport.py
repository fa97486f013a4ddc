"""The batch transport against a real Kafka: the guard against each Faust release."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from faust.transport.conductor import Conductor
from faust.types import TP, StreamT
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import TopicPartition

from schemas.errors import StopWorker
from streams.worker.transport import (
    FETCH_WAIT_MS,
    BatchConsumer,
    BatchTransport,
    FilelessApp,
    Places,
    batch_app,
    batches_of,
)

RECORDS = 3_000


class Wanted:
    """A keeper that wants partition 0 from offset 100 on and the other from its committed offset; holds none."""

    def __init__(self) -> None:
        self.asked: dict[TP, tuple[int, int]] = {}
        self.holding: set[TP] = set()
        self.kept: set[TP] = set()
        self.takes_s = 0.0

    def held(self) -> set[TP]:
        """What must not be fetched."""
        return self.holding

    def keep(self, assigned: set[TP]) -> None:
        """Note it."""
        self.kept = assigned

    async def starts_of(self, places: Places) -> dict[TP, int]:
        """100 for partition 0."""
        self.asked.update(places)
        await asyncio.sleep(self.takes_s)
        return {tp: 100 for tp in places if tp.partition == 0}


class Floorlike(FilelessApp):
    """An app with a keeper."""

    keeper: Wanted


@pytest.fixture
def topic(kafka_bootstrap: str) -> str:
    """A topic of two partitions with 3,000 records in each, numbered."""
    name = f"transport-{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(name, 2, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    for partition in (0, 1):
        for number in range(RECORDS):
            producer.send(name, str(number).encode(), partition=partition)
    producer.flush()
    producer.close()
    return name


@asynccontextmanager
async def running(
    bootstrap: str, topic: str, batches: list[list[Any]], keeper: Wanted, **settings: Any
) -> AsyncIterator[Floorlike]:
    """The app, as the worker sets it up."""
    app = batch_app(Floorlike, f"group-{topic}", bootstrap, **{"broker_commit_interval": 0.2, **settings})
    app.keeper = keeper

    @app.agent(batches_of(app, topic), name="take")
    async def take(stream: StreamT[Any]) -> None:
        async for batch in stream:
            batches.append(batch)

    app.finalize()
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, 30 s at most."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.02)

    waiting: Awaitable[None] = poll()
    await asyncio.wait_for(waiting, 30)


def offsets(batches: list[list[Any]], partition: int) -> list[int]:
    """The offsets of a partition as they were delivered."""
    return [record.offset for batch in batches if batch[0].partition == partition for record in batch]


def committed(bootstrap: str, topic: str) -> list[int | None]:
    """What the group has committed, by partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=f"group-{topic}", enable_auto_commit=False)
    try:
        return [consumer.committed(TopicPartition(topic, partition)) for partition in (0, 1)]
    finally:
        consumer.close()


async def test_every_record_comes_once_in_batches_from_where_the_keeper_says(kafka_bootstrap: str, topic: str) -> None:
    """In order, many at a time; what was stored is committed, and nothing else."""
    batches: list[list[Any]] = []
    keeper = Wanted()

    async with running(kafka_bootstrap, topic, batches, keeper) as app:
        await until(lambda: len(offsets(batches, 0)) + len(offsets(batches, 1)) >= 2 * RECORDS - 100)
        app.consumer.stored(TP(topic, 0), 1_499)  # type: ignore[attr-defined]
        await asyncio.to_thread(_until_committed, kafka_bootstrap, topic, 0, 1_500)

    assert offsets(batches, 0) == list(range(100, RECORDS))
    assert offsets(batches, 1) == list(range(RECORDS))
    assert len(batches) < RECORDS // 10
    assert keeper.asked == {TP(topic, 0): (0, RECORDS), TP(topic, 1): (0, RECORDS)}
    assert keeper.kept == set(keeper.asked)
    assert committed(kafka_bootstrap, topic)[1] in {None, 0}


def _until_committed(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    for _ in range(100):
        if committed(bootstrap, topic)[partition] == offset:
            return
    raise AssertionError(f"{committed(bootstrap, topic)} is committed, not {offset}")


async def test_what_was_not_committed_is_committed_later(kafka_bootstrap: str, topic: str) -> None:
    """
    Nothing is committed while the group is joined anew; Faust takes what was refused for done.

    The last records before a quiet hour would look unread until the next one comes.
    """
    batches: list[list[Any]] = []

    async with running(kafka_bootstrap, topic, batches, Wanted()) as app:
        await until(lambda: len(offsets(batches, 1)) == RECORDS)
        consumer: Any = app.consumer
        consumer._thread.is_joining = True
        consumer.stored(TP(topic, 1), RECORDS - 1)
        await asyncio.sleep(1.0)
        consumer._thread.is_joining = False
        await asyncio.to_thread(_until_committed, kafka_bootstrap, topic, 1, RECORDS)

    assert committed(kafka_bootstrap, topic)[1] == RECORDS


async def test_what_was_stored_under_an_older_assignment_is_not_committed(kafka_bootstrap: str, topic: str) -> None:
    """Another worker may have had the partition since, and be further."""
    batches: list[list[Any]] = []

    async with running(kafka_bootstrap, topic, batches, Wanted()) as app:
        await until(lambda: len(offsets(batches, 1)) == RECORDS)
        consumer: Any = app.consumer
        consumer._thread.is_joining = True
        consumer.stored(TP(topic, 1), 1_000)
        await consumer.perform_seek()
        consumer._thread.is_joining = False
        await asyncio.sleep(1.0)

    assert committed(kafka_bootstrap, topic)[1] in {None, 0}


async def test_a_fetch_that_finds_nothing_comes_back_soon(kafka_bootstrap: str, topic: str) -> None:
    """As Faust makes it, it may hold up what has come for other partitions for 1.5 s."""
    batches: list[list[Any]] = []

    async with running(kafka_bootstrap, topic, batches, Wanted()) as app:
        await until(lambda: bool(batches))
        consumer: Any = app.consumer

        assert consumer._thread._consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS


async def test_a_held_partition_is_not_fetched(kafka_bootstrap: str, topic: str) -> None:
    """Until it is let go."""
    batches: list[list[Any]] = []
    keeper = Wanted()
    keeper.holding = {TP(topic, 1)}

    async with running(kafka_bootstrap, topic, batches, keeper):
        await until(lambda: len(offsets(batches, 0)) == RECORDS - 100)
        assert offsets(batches, 1) == []
        keeper.holding = set()
        await until(lambda: len(offsets(batches, 1)) == RECORDS)


async def test_a_start_may_take_longer_than_a_request(kafka_bootstrap: str, topic: str) -> None:
    """ClickHouse may be away for long: Faust as it is gives the start up, and fetches nothing ever after."""
    batches: list[list[Any]] = []
    keeper = Wanted()
    keeper.takes_s = 7.0
    hasty = {"broker_request_timeout": 6.0, "broker_session_timeout": 6.0, "broker_heartbeat_interval": 2.0}

    async with running(kafka_bootstrap, topic, batches, keeper, **hasty):
        await until(lambda: len(offsets(batches, 0)) + len(offsets(batches, 1)) >= 2 * RECORDS - 100)

    assert offsets(batches, 0) == list(range(100, RECORDS))


async def test_a_group_that_grows_comes_to_rest(kafka_bootstrap: str, topic: str) -> None:
    """
    A commit that waits behind the join of its own connection is refused, and whoever is refused joins again.

    All commit all the time, and hear of a join at different times; joining again and again did not end.
    """
    often = {"broker_commit_interval": 0.02, "broker_heartbeat_interval": 1.0}
    apps: list[Floorlike] = []

    async def store() -> None:
        for boundary in count():
            for app in apps:
                for tp in app.consumer.assignment():
                    app.consumer.stored(tp, boundary)  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)

    async with AsyncExitStack() as stack:
        storing = asyncio.create_task(store())
        for _ in range(3):
            app = running(kafka_bootstrap, topic, [], Wanted(), **often)
            apps.append(await stack.enter_async_context(app))
            await asyncio.sleep(3.0)
        joins = apps[0].rebalancing_count
        storing.cancel()

    assert joins <= 4


async def test_an_agent_that_is_slow_to_start_is_subscribed_with_the_others(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust waits for a second; a topic that is named later it reads 45 s later, or never."""
    batches: list[list[Any]] = []
    add = Conductor.add

    def late(conductor: Any, named: Any) -> None:
        asyncio.get_running_loop().call_later(2.0, add, conductor, named)

    monkeypatch.setattr(Conductor, "add", late)

    async with running(kafka_bootstrap, topic, batches, Wanted()):
        await until(lambda: len(offsets(batches, 1)) == RECORDS)

    assert offsets(batches, 1) == list(range(RECORDS))


class Held(BatchConsumer):
    """A consumer whose next fetch may be kept back."""

    kept: asyncio.Event | None = None
    asked: asyncio.Event | None = None

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        if self.kept is not None and self.asked is not None:
            self.asked.set()
            await self.kept.wait()
        return await super()._getmany(active_partitions, timeout)


@pytest.mark.parametrize("stored", [RECORDS - 1, None], ids=["committed before", "nothing committed yet"])
async def test_what_is_fetched_while_partitions_are_assigned_is_not_lost(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch, stored: int | None
) -> None:
    """
    What was asked for under the old assignment is not delivered under the new one, and must be fetched again.

        fetch      asked, under generation 1 |-----------------| answer: thrown away
        rebalance            generation 2 | seeks to what is committed, to the beginning if nothing is
    """
    monkeypatch.setattr(BatchTransport, "Consumer", Held)
    batches: list[list[Any]] = []

    async with running(kafka_bootstrap, topic, batches, Wanted()) as app:
        await until(lambda: len(offsets(batches, 0)) + len(offsets(batches, 1)) >= 2 * RECORDS - 100)
        consumer: Any = app.consumer
        if stored is not None:
            consumer.stored(TP(topic, 1), stored)
            await asyncio.to_thread(_until_committed, kafka_bootstrap, topic, 1, stored + 1)
        consumer.kept, consumer.asked = asyncio.Event(), asyncio.Event()
        await asyncio.wait_for(consumer.asked.wait(), 10)
        app.consumer_generation_id += 1
        seeks = asyncio.create_task(consumer.perform_seek())
        await asyncio.to_thread(_produce, kafka_bootstrap, topic, 1)
        consumer.kept.set()
        await seeks
        await until(lambda: RECORDS in offsets(batches, 1))

    again = 0 if stored is None else stored + 1
    assert offsets(batches, 1) == [*range(RECORDS), *range(again, RECORDS + 1)]


def _produce(bootstrap: str, topic: str, partition: int) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    producer.send(topic, b"one more", partition=partition)
    producer.flush()
    producer.close()


async def test_what_kafka_deleted_before_it_was_read_stops_the_worker(kafka_bootstrap: str, topic: str) -> None:
    """The client goes on with what is left, and says nothing: a floor that is far behind would miss days."""
    batches: list[list[Any]] = []
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await asyncio.to_thread(admin.delete_records, {TopicPartition(topic, 0): 2_000})
    admin.close()

    async with running(kafka_bootstrap, topic, batches, Wanted()) as app:
        await until(lambda: app.crash_reason is not None)

    assert isinstance(app.crash_reason, StopWorker)
    assert "begins at 2000, but 100 is the next to be read: 1900 records are gone" in str(app.crash_reason)
    assert offsets(batches, 0) == []
