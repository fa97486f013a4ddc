"""A stretch of a partition, read at once: what the groups had been given before the start of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable

FETCH_BYTES = 8_388_608
"""One message may be a megabyte, and all of them are wanted."""
SILENT_S = 10.0


def values_between(bootstrap: str, topic: str, partition: int, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """
    (offset, value) of what Kafka still has of the records from `first` to `last`, in order. Blocks.

    Unavailable: Kafka does not answer.
    """
    if first > last:
        return
    with asyncio.Runner() as runner:
        batches = _batches(bootstrap, TopicPartition(topic, partition), first, last)
        try:
            while (batch := runner.run(anext(batches, None))) is not None:
                yield from batch
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka does not give {topic}:{partition}: {error}") from error
        finally:
            runner.run(batches.aclose())


async def _batches(
    bootstrap: str, place: TopicPartition, first: int, last: int
) -> AsyncGenerator[list[tuple[int, bytes]], None]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        client_id="floorpulse",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    try:
        await consumer.start()
        consumer.assign([place])
        consumer.seek(place, first)
        while await consumer.position(place) <= last:
            records = (await consumer.getmany(place, timeout_ms=round(SILENT_S * 1000))).get(place)
            if not records:
                raise Unavailable(f"Kafka gave no record of {place.topic} within {SILENT_S:.0f} s")
            yield [(record.offset, record.value or b"") for record in records if record.offset <= last]
    finally:
        await consumer.stop()
