"""Fakes of the source tests: a Kafka producer that remembers, and a roster that knows nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from schemas.controls import Control
from schemas.events import FloorEvent, decode
from schemas.topics import DEAD_LETTERS, EVENTS
from sources.core.parsed import Resolve
from sources.readers.producing import EventProducer


@dataclass
class Sent:
    """One message as the fake broker got it."""

    topic: str
    value: bytes
    key: bytes | None
    headers: dict[str, bytes]
    partition: int | None


@dataclass
class FakeAck:
    """The answer of the fake broker."""

    fails: bool

    def get(self, timeout: float | None = None) -> object:
        """Nothing, or what kafka-python raises when no broker answers in time."""
        if self.fails:
            raise KafkaTimeoutError(f"no answer in {timeout} s")
        return None


@dataclass
class FakeSender:
    """KafkaProducer without a broker."""

    partitions: int = 4
    fails: bool = False
    sent: list[Sent] = field(default_factory=list)

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
    ) -> FakeAck:
        """Remember the message."""
        self.sent.append(Sent(topic, value or b"", key, dict(headers or []), partition))
        return FakeAck(self.fails)

    def partitions_for(self, topic: str) -> set[int]:
        """The same number for every topic."""
        return set(range(self.partitions))

    def flush(self, timeout: float | None = None) -> None:
        """Nothing waits."""

    def records(self, partition: int | None = None) -> list[FloorEvent | Control]:
        """What stands in floor.events, or in one partition of it."""
        wanted = [m for m in self.sent if m.topic == EVENTS and partition in {None, m.partition}]
        return [decode(m.value) for m in wanted]

    def identities(self) -> list[tuple[str, str, str]]:
        """(source, id, type) of the events, in order."""
        bodies = [json.loads(m.value) for m in self.sent if m.topic == EVENTS]
        return [(b["source"], b["id"], b["type"]) for b in bodies if "source" in b]

    def letters(self) -> list[Sent]:
        """The dead letters."""
        return [m for m in self.sent if m.topic == DEAD_LETTERS]


@pytest.fixture
def sender() -> FakeSender:
    """A broker that acknowledges everything."""
    return FakeSender()


@pytest.fixture
def out(sender: FakeSender) -> EventProducer:
    """A producer on the fake broker."""
    return EventProducer(sender)


@pytest.fixture
def nobody() -> Resolve:
    """A roster without aliases."""
    return lambda source, agent, _: f"{source}:{agent}"


@pytest.fixture
def offered() -> Callable[..., dict[str, Any]]:
    """Builds the JSON object of a contact_offered."""

    def build(number: int = 1, **changes: Any) -> dict[str, Any]:
        event = {
            "type": "contact_offered",
            "source": "acd",
            "id": f"c{number}",
            "at": "2026-03-02T08:00:00Z",
            "contact": f"c{number}",
            "queue": "sales",
        }
        return event | changes

    return build
