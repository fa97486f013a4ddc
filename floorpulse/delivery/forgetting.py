"""`floor.deliveries` without the messages about somebody who was erased: it would keep them for a month."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from floorpulse.delivery.log import read_marks
from schemas.errors import Unavailable
from schemas.topics import DELIVERIES

if TYPE_CHECKING:
    from kafka import KafkaProducer

    from floorpulse.settings import Settings

ACKNOWLEDGED_WITHIN_S = 30.0


def messages_about(settings: Settings, subjects: Collection[str]) -> list[str]:
    """The ids of the messages in which one of the subjects is told of."""
    return [mark.message.id for mark in read_marks(settings) if mark.message.tells_of(subjects)]


def forget_messages(sender: KafkaProducer, ids: Collection[str]) -> None:
    """Delete messages from the compacted topic; each is there no more when it returns. Unavailable: run it again."""
    from kafka.errors import KafkaError

    try:
        futures = [sender.send(DELIVERIES, key=id_.encode(), value=None) for id_ in ids]
        sender.flush(timeout=ACKNOWLEDGED_WITHIN_S)
        for future in futures:
            future.get(timeout=ACKNOWLEDGED_WITHIN_S)
    except KafkaError as error:
        raise Unavailable(f"Kafka did not acknowledge, run it again: {error}") from error
