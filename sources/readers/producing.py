"""From facts to messages: key, value and headers of `floor.events`, control records, dead letters of rejected rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from schemas.controls import Control, InputEnded
from schemas.errors import Unavailable
from schemas.events import EARLIEST, FloorEvent, ShiftPlanned, encode, subject_of
from schemas.times import from_ms, to_ms
from schemas.topics import DEAD_LETTERS, EVENTS, HEADER_CONTENT, HEADER_INGEST
from sources.core.parsed import Rejected

HEADER_REASON = "reason"
HEADER_DETAIL = "detail"
HEADER_ORIGIN = "origin"

_IN_FLIGHT = 40_000
_SETTLE_BATCH = 10_000


class Acknowledgement(Protocol):
    """What a send returns: waits for the broker's word, or raises its error."""

    def get(self, timeout: float | None = None) -> object:
        """The place of the message in the log."""


class Sender(Protocol):
    """The part of KafkaProducer that readers use."""

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
    ) -> Any:
        """Queue a message; an `Acknowledgement`."""

    def partitions_for(self, topic: str) -> set[int]:
        """The partitions of a topic."""

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything queued was sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event ready to send."""

    at_ms: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    tells_time: bool = True
    """False of a plan, which is told before its time."""


def message(event: FloorEvent, content: str, ingest: int = 0) -> Message:
    """The message of an event; `ingest` 0: it belongs to no numbered run."""
    headers = [(HEADER_CONTENT, content.encode())]
    if ingest:
        headers.append((HEADER_INGEST, str(ingest).encode()))
    tells_time = type(event) is not ShiftPlanned
    return Message(to_ms(event.at), subject_of(event).encode(), encode(event), headers, tells_time)


def end_of(messages: Iterable[Message]) -> InputEnded:
    """The end of an input under the event clock, at the time of its last event; at `EARLIEST` where none tells time."""
    return InputEnded(at=from_ms(max((one.at_ms for one in messages if one.tells_time), default=to_ms(EARLIEST))))


class EventProducer:
    """
    Sends in order and pipelined; whatever the broker does not acknowledge is raised as `Unavailable`.

    An error shows at the latest in `flush`: what was sent since the last one may then be in the log or not, and is
    sent again by running the same input again.
    """

    def __init__(self, sender: Sender, within_s: float = 60.0) -> None:
        """`within_s`: how long one message may wait for its acknowledgement."""
        self._sender = sender
        self._within_s = within_s
        self._waiting: deque[Acknowledgement] = deque()
        self._partitions: list[int] = []
        self._partition_of: dict[bytes, int] = {}

    def send(self, outgoing: Message) -> None:
        """Send one event."""
        key = outgoing.key
        partition = self._partition_of.get(key)
        if partition is None:
            partition = self._partition_of[key] = self._partition(key)
        self._send(EVENTS, value=outgoing.value, key=key, headers=outgoing.headers, partition=partition)

    def control(self, record: Control) -> None:
        """Write a control record to every partition of `floor.events`."""
        value = encode(record)
        for partition in self._event_partitions():
            self._send(EVENTS, value=value, partition=partition)

    def control_of(self, partition: int, record: Control) -> None:
        """Write a control record to one partition of `floor.events`."""
        self._send(EVENTS, value=encode(record), partition=partition)

    def reject(self, rows: Iterable[Rejected], file: str) -> None:
        """Keep rows that could not be parsed as dead letters, byte for byte."""
        for row in rows:
            headers = [
                (HEADER_REASON, b"rejected_row"),
                (HEADER_DETAIL, row.text.encode()),
                (HEADER_ORIGIN, f"{file}:{row.line}".encode()),
            ]
            self._send(DEAD_LETTERS, value=row.raw, key=f"file:{file}".encode(), headers=headers)

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything; Unavailable if it does not."""
        self._settle(0)

    def _partition(self, key: bytes) -> int:
        """Kafka's own choice, made once for each key: its hash in Python costs a third of a send."""
        partitions = self._event_partitions()
        index: int = (murmur2(key) & 0x7FFFFFFF) % len(partitions)
        return partitions[index]

    def _event_partitions(self) -> list[int]:
        if not self._partitions:
            try:
                self._partitions = sorted(self._sender.partitions_for(EVENTS))
            except KafkaError as error:
                raise Unavailable(f"Kafka does not tell the partitions of {EVENTS}: {error}") from error
        return self._partitions

    def _send(self, topic: str, **fields: Any) -> None:
        try:
            self._waiting.append(self._sender.send(topic, **fields))
        except KafkaError as error:
            raise Unavailable(f"Kafka does not take messages of {topic}: {error}") from error
        if len(self._waiting) > _IN_FLIGHT:
            self._settle(_IN_FLIGHT - _SETTLE_BATCH)

    def _settle(self, most: int) -> None:
        """Wait for the oldest sends until at most `most` are open."""
        while len(self._waiting) > most:
            try:
                self._waiting.popleft().get(timeout=self._within_s)
            except KafkaError as error:
                self._waiting.clear()
                raise Unavailable(f"Kafka did not acknowledge a message: {error}") from error
