"""Dead letters of `floor.events` sent again: which of them can be taken now, and sending them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.controls import is_control
from schemas.errors import InvalidEvent, Unavailable
from schemas.events import decode
from schemas.times import MINUTE_MS, to_ms
from schemas.topics import EVENTS, HEADER_CONTENT, HEADER_INGEST, content_header
from sinks.letters import FILE, Redriven, StoredLetter

if TYPE_CHECKING:
    from kafka import KafkaProducer

HEADER_REDRIVEN_FROM = "redriven-from"
"""Kafka header of an event that was a dead letter before: `TOPIC:PARTITION:OFFSET`."""
FUTURE_MS = 2 * MINUTE_MS
ACKNOWLEDGED_WITHIN_S = 30.0
_OF_A_FILE = "rows of files and requests are no messages: mend them, then ingest or send them again"
_NEVER = {
    "conflict": "the same revision came before with other content: its source must send a higher revision",
    "too_late": "older than the raw events that are kept",
    "erased": "of a person who was erased: nothing of it is kept",
}
_LOST = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Letters to send, oldest first, and how many are left out by why."""

    ready: list[StoredLetter] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def sort_out(letters: Iterable[StoredLetter], now_ms: int) -> Sorted:
    """Which letters can be taken now; what would only die again stays where it is."""
    found = Sorted()
    for letter in sorted(letters, key=lambda one: (one.at_ms, one.partition, one.offset)):
        if why := refusal(letter, now_ms):
            found.left_out[why] += 1
        else:
            found.ready.append(letter)
    return found


def refusal(letter: StoredLetter, now_ms: int) -> str:
    """Why a letter would die again; empty when it can be sent."""
    if letter.topic != EVENTS:
        return _OF_A_FILE if letter.topic == FILE else f"only letters of {EVENTS} can be sent again"
    if letter.reason in _NEVER:
        return _NEVER[letter.reason]
    try:
        event = decode(letter.value)
    except InvalidEvent as fault:
        return f"still {fault.reason}: {fault.detail}"
    if is_control(event):
        return "a control record: only floorpulse itself writes them"
    return "still in the future" if to_ms(event.at) > now_ms + FUTURE_MS else ""


def send_again(sender: KafkaProducer, letters: Sequence[StoredLetter]) -> list[Redriven]:
    """
    Send letters to where they came from, byte for byte under their own keys, and wait for the broker.

    The event keeps its identity, so one that was taken before is a duplicate. Unavailable: some may be in the log, some
    not; sending all of them again is safe.
    """
    from kafka.errors import KafkaError

    try:
        futures = [_send(sender, letter) for letter in letters]
        sender.flush(timeout=ACKNOWLEDGED_WITHIN_S)
        return [
            _redriven(letter, future.get(timeout=ACKNOWLEDGED_WITHIN_S))
            for letter, future in zip(letters, futures, strict=True)
        ]
    except KafkaError as error:
        raise Unavailable(f"Kafka did not acknowledge a letter, run it again: {error}") from error


def _send(sender: KafkaProducer, letter: StoredLetter) -> Any:
    headers = [(HEADER_REDRIVEN_FROM, letter.place.encode())]
    if letter.ingest:
        headers.append((HEADER_INGEST, str(letter.ingest).encode()))
    if letter.content:
        headers.append((HEADER_CONTENT, content_header(letter.content)))
    if letter.key and _LOST not in letter.key:
        return sender.send(letter.topic, value=letter.value, key=letter.key.encode(), headers=headers)
    return sender.send(letter.topic, value=letter.value, headers=headers, partition=letter.partition)


def _redriven(letter: StoredLetter, sent: Any) -> Redriven:
    return Redriven(letter, (sent.partition, sent.offset, max(sent.timestamp, letter.at_ms)))
