"""What Kafka says of its topics: ends, what the worker committed, and the last records of a partition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from floorpulse.settings import Settings
from schemas.errors import Unavailable

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

READ_WITHIN_MS = 10_000


@contextmanager
def admin_client(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client, closed at the end; Unavailable when no broker answers."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap(), client_id="floorpulse")
    except KafkaError as error:
        raise Unavailable(f"Kafka at {settings.kafka_bootstrap} does not answer: {error}") from error
    try:
        yield admin
    finally:
        admin.close()


def end_offsets(admin: Any, topic: str) -> dict[int, int]:
    """The next offset of each partition; empty when there is no such topic."""
    from kafka.admin import OffsetSpec

    return _offsets(admin, topic, OffsetSpec.LATEST)


def first_offsets(admin: Any, topic: str) -> dict[int, int]:
    """The first offset that each partition still holds; empty when there is no such topic."""
    from kafka.admin import OffsetSpec

    return _offsets(admin, topic, OffsetSpec.EARLIEST)


def _offsets(admin: Any, topic: str, which: Any) -> dict[int, int]:
    from kafka import TopicPartition

    described = [found for found in admin.describe_topics() if found["name"] == topic]
    numbers = [part["partition_index"] for found in described for part in found["partitions"]]
    asked = {TopicPartition(topic, number): which for number in numbers}
    found = admin.list_partition_offsets(asked) if asked else {}
    return {key.partition: int(value.offset) for key, value in found.items()}


def committed_offsets(admin: Any, topic: str, group: str) -> dict[int, int]:
    """The next offset that a group will read of each partition it has committed; empty before its first commit."""
    from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError

    try:
        found = admin.list_group_offsets(group).get(group, {})
    except (CoordinatorNotAvailableError, GroupIdNotFoundError):  # a cluster without any group yet says the former
        return {}
    return {key.partition: int(value.offset) for key, value in found.items() if key.topic == topic}


def last_values(settings: Settings, topic: str, ends: dict[int, int], count: int) -> dict[int, list[bytes | None]]:
    """
    Up to `count` values before the end of each partition that is not empty, oldest first.

    Unavailable: they could not be read within 10 s.
    """
    from kafka import KafkaConsumer, TopicPartition

    places = {TopicPartition(topic, number): end for number, end in ends.items() if end > 0}
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap(), client_id="floorpulse", enable_auto_commit=False)
    try:
        consumer.assign(list(places))
        first = consumer.beginning_offsets(list(places))
        for place, end in places.items():
            consumer.seek(place, max(end - count, first[place]))
        return _read(consumer, {place: end for place, end in places.items() if end > first[place]})
    finally:
        consumer.close()


def _read(consumer: Any, places: dict[Any, int]) -> dict[int, list[bytes | None]]:
    values: dict[int, list[bytes | None]] = {place.partition: [] for place in places}
    while any(consumer.position(place) < end for place, end in places.items()):
        polled = consumer.poll(timeout_ms=READ_WITHIN_MS)
        if not polled:
            raise Unavailable(f"Kafka gave no record within {READ_WITHIN_MS // 1000} s")
        for place, records in polled.items():
            if place in places:
                values[place.partition] += [record.value for record in records if record.offset < places[place]]
    return values
