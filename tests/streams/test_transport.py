"""The batch transport against a real Kafka: the guard against each Faust release."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.types import TP, StreamT
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import TopicPartition

from streams.worker.transport import FETCH_WAIT_MS, batch_app, batches_of

RECORDS = 3_000


class Wanted:
    """A keeper that wants partition 0 from offset 100 on and the other from its committed offset; holds none."""

    def __init__(self) -> None:
        self.asked: dict[TP, tuple[int, int]] = {}
        self.holding: set[TP] = set()

    def held(self) -> set[TP]:
        """What must not be fetched."""
        return self.holding

    async def start_of(self, tp: TP, earliest: int, end: int) -> int | None:
        """100 for partition 0."""
        self.asked[tp] = (earliest, end)
        return 100 if tp.partition == 0 else None


class Floorlike(faust.App):
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
    bootstrap: str, topic: str, folder: Path, batches: list[list[Any]], keeper: Wanted
) -> AsyncIterator[Floorlike]:
    """The app, as the worker sets it up."""
    app = batch_app(Floorlike, f"group-{topic}", bootstrap, str(folder), broker_commit_interval=0.2)
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


async def test_every_record_comes_once_in_batches_from_where_the_keeper_says(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    """In order, many at a time; what was stored is committed, and nothing else."""
    batches: list[list[Any]] = []
    keeper = Wanted()

    async with running(kafka_bootstrap, topic, tmp_path, batches, keeper) as app:
        await until(lambda: len(offsets(batches, 0)) + len(offsets(batches, 1)) >= 2 * RECORDS - 100)
        app.consumer.stored(TP(topic, 0), 1_499)  # type: ignore[attr-defined]
        await asyncio.to_thread(_until_committed, kafka_bootstrap, topic, 1_500)

    assert offsets(batches, 0) == list(range(100, RECORDS))
    assert offsets(batches, 1) == list(range(RECORDS))
    assert len(batches) < RECORDS // 10
    assert keeper.asked == {TP(topic, 0): (0, RECORDS), TP(topic, 1): (0, RECORDS)}
    assert committed(kafka_bootstrap, topic)[1] in {None, 0}


def _until_committed(bootstrap: str, topic: str, offset: int) -> None:
    for _ in range(100):
        if committed(bootstrap, topic)[0] == offset:
            return
    raise AssertionError(f"{committed(bootstrap, topic)} is committed, not {offset}")


async def test_a_fetch_that_finds_nothing_comes_back_soon(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """As Faust makes it, it may hold up what has come for other partitions for 1.5 s."""
    batches: list[list[Any]] = []

    async with running(kafka_bootstrap, topic, tmp_path, batches, Wanted()) as app:
        await until(lambda: bool(batches))
        consumer: Any = app.consumer

        assert consumer._thread._consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS


async def test_a_held_partition_is_not_fetched(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    """Until it is let go."""
    batches: list[list[Any]] = []
    keeper = Wanted()
    keeper.holding = {TP(topic, 1)}

    async with running(kafka_bootstrap, topic, tmp_path, batches, keeper):
        await until(lambda: len(offsets(batches, 0)) == RECORDS - 100)
        assert offsets(batches, 1) == []
        keeper.holding = set()
        await until(lambda: len(offsets(batches, 1)) == RECORDS)
