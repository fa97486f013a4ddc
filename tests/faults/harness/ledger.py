"""Our own book of what was sent and what was acknowledged: nothing of the product writes in it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.topics import EVENTS
from tests.faults.harness.sendings import Sending

ACKNOWLEDGED_WITHIN_S = 60.0
Place = tuple[int, int]
"""(partition, offset)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that was sent: where Kafka put it, if it said so; whether anybody said yes to it."""

    sending: Sending
    is_acknowledged: bool
    place: Place | None = None


@dataclass
class Ledger:
    """Everything sent in a run, in order."""

    entries: list[Entry] = field(default_factory=list)

    def send(self, producer: KafkaProducer, sendings: Iterable[Sending]) -> None:
        """Send to Kafka itself and note what the broker says of each."""
        waiting = [(sending, _queued(producer, sending)) for sending in sendings]
        for sending, future in waiting:
            self.entries.append(_entry(sending, future))

    def post(self, port: int, sendings: Iterable[Sending]) -> int:
        """Send a batch to the gateway; returns the status, 0 when it does not answer."""
        batch = [sending for sending in sendings if sending.event is not None]
        body = json.dumps([json.loads(sending.value) for sending in batch]).encode()
        status = _post(port, body)
        self.entries += [Entry(sending, status == 202) for sending in batch]
        return status

    def intents(self) -> dict[bytes, Sending]:
        """What each value is meant to be."""
        return {entry.sending.value: entry.sending for entry in self.entries}

    def acknowledged(self) -> list[Entry]:
        """The messages that somebody said yes to: obligations."""
        return [entry for entry in self.entries if entry.is_acknowledged]


def _queued(producer: KafkaProducer, sending: Sending) -> Any:
    try:
        return producer.send(EVENTS, value=sending.value, key=sending.key)
    except KafkaError:
        return None


def _entry(sending: Sending, future: Any) -> Entry:
    if future is None:
        return Entry(sending, is_acknowledged=False)
    try:
        found = future.get(timeout=ACKNOWLEDGED_WITHIN_S)
    except KafkaError:
        return Entry(sending, is_acknowledged=False)
    return Entry(sending, is_acknowledged=True, place=(found.partition, found.offset))


def _post(port: int, body: bytes) -> int:
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/events", data=body, headers=head)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0
