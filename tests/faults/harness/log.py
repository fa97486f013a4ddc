"""Topics as a plain consumer reads them, whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic."""

    partition: int
    offset: int
    broker_ms: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]

    @property
    def place(self) -> tuple[int, int]:
        """(partition, offset)."""
        return self.partition, self.offset


def read_topic(bootstrap: str, topic: str) -> list[Message]:
    """Everything of a topic that stood there at the call, by partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found = list(_read(consumer, consumer.end_offsets(places)))
    finally:
        consumer.close()
    return sorted(found, key=lambda message: message.place)


def _read(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterator[Message]:
    while any(consumer.position(place) < end for place, end in ends.items()):
        for place, records in consumer.poll(timeout_ms=500).items():
            yield from (_message(record) for record in records if record.offset < ends[place])


def _message(r: Any) -> Message:
    return Message(r.partition, r.offset, r.timestamp, r.key or b"", r.value or b"", dict(r.headers or ()))
