"""Delivery's side of Kafka: what there is to tell, who is who, and what was sent."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from floorpulse.delivery.grouping import Place
from floorpulse.delivery.messages import Mark, Notice, of_record_event, of_transition
from floorpulse.settings import Settings
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import RecordEvent
from schemas.registry import KINDS, Floor, Registry
from schemas.topics import ALERTS, DELIVERIES, RECORD_EVENTS, REGISTRY

if TYPE_CHECKING:
    from kafka import KafkaConsumer, KafkaProducer

GROUP = "floorpulse-delivery"
_POLL_MS = 500
_ACKNOWLEDGED_WITHIN_S = 30.0


class DeliveryLog:
    """Blocking calls; only `mark` may be called by several threads at once."""

    def __init__(self, settings: Settings, sender: KafkaProducer) -> None:
        self._settings, self._sender = settings, sender
        self._told = _consumer(settings, group_id=GROUP, auto_offset_reset="earliest")
        self._told.subscribe([ALERTS, RECORD_EVENTS])
        self._registry = _whole_topic(settings, REGISTRY)
        self._entries: dict[tuple[str, str], dict[str, Any]] = {}
        self._known = Registry(Floor())
        self._committed: dict[Any, Any] = {}

    def marks(self) -> list[Mark]:
        """The newest mark of every message that is still in the log."""
        return read_marks(self._settings)

    def registry(self) -> Registry:
        """The registry as of now, made anew where something came: of ten thousand people it takes half a second."""
        news = list(_to_the_end(self._registry))
        for record in news:
            kind, _, name = record.key.decode().partition(":")
            if kind not in KINDS:
                continue
            if record.value is None:
                self._entries.pop((kind, name), None)
            else:
                self._entries[kind, name] = json.loads(record.value)["body"]
        if news:
            self._known = Registry(Floor.from_entries([(kind, body) for (kind, _), body in self._entries.items()]))
        return self._known

    def poll(self) -> tuple[list[tuple[Notice, Place]], int]:
        """The next notices with their places, and how many messages were none that can be read."""
        notices: list[tuple[Notice, Place]] = []
        unreadable = 0
        for batch in self._told.poll(timeout_ms=_POLL_MS).values():
            for record in batch:
                try:
                    notice = _notice(record.topic, record.value)
                except ValidationError:
                    unreadable += 1
                    continue
                if notice is not None:
                    notices.append((notice, (record.topic, record.partition, record.offset)))
        return notices, unreadable

    def mark(self, mark: Mark) -> None:
        """Write a mark; it is durable when it returns. Unavailable: Kafka did not take it."""
        from kafka.errors import KafkaError

        key, value = mark.message.id.encode(), mark.model_dump_json().encode()
        try:
            self._sender.send(DELIVERIES, key=key, value=value).get(timeout=_ACKNOWLEDGED_WITHIN_S)
        except KafkaError as error:
            raise Unavailable(f"Kafka did not take a mark: {error}") from error

    def forget(self, subjects: Collection[str]) -> None:
        """Take what was told about some subjects out of every mark. Unavailable: Kafka did not take it."""
        for mark in self.marks():
            if mark.message.tells_of(subjects):
                self.mark(Mark(state=mark.state, message=mark.message.without(subjects)))

    def commit(self, unclaimed: dict[tuple[str, int], int]) -> None:
        """Commit all that was read but what is `unclaimed` yet, which a restart has to read again."""
        from kafka.errors import CommitFailedError
        from kafka.structs import OffsetAndMetadata

        offsets = {}
        for partition in self._told.assignment():
            read = self._told.position(partition)
            offsets[partition] = OffsetAndMetadata(unclaimed.get((partition.topic, partition.partition), read), "", -1)
        if offsets == self._committed:
            return
        try:
            self._told.commit(offsets)
            self._committed = offsets
        except CommitFailedError:
            return  # the partitions went to another process, which reads again what is not committed

    def close(self) -> None:
        """Leave the group."""
        self._told.close()
        self._registry.close()


def read_marks(settings: Settings) -> list[Mark]:
    """The newest mark of every message that is in `floor.deliveries`, oldest message first."""
    consumer = _whole_topic(settings, DELIVERIES)
    try:
        found: dict[bytes, Mark] = {}
        for record in _to_the_end(consumer):
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = Mark.model_validate_json(record.value)
        return list(found.values())
    finally:
        consumer.close()


def _notice(topic: str, value: bytes) -> Notice | None:
    if topic == ALERTS:
        return of_transition(Transition.model_validate_json(value))
    return of_record_event(RecordEvent.model_validate_json(value))


def _consumer(settings: Settings, **options: Any) -> KafkaConsumer:
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    try:
        return KafkaConsumer(
            bootstrap_servers=settings.bootstrap(), enable_auto_commit=False, client_id="floorpulse-delivery", **options
        )
    except KafkaError as error:
        raise Unavailable(f"Kafka at {settings.kafka_bootstrap} does not answer: {error}") from error


def _whole_topic(settings: Settings, topic: str) -> KafkaConsumer:
    from kafka import TopicPartition

    consumer = _consumer(settings, group_id=None)
    partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    return consumer


def _to_the_end(consumer: KafkaConsumer) -> Iterator[Any]:
    """The records from where the consumer stands to what is the end now."""
    ends = consumer.end_offsets(list(consumer.assignment()))
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for batch in consumer.poll(timeout_ms=_POLL_MS).values():
            yield from batch
