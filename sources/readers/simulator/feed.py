"""Sends a simulated floor to Kafka: a stretch of the day at speed, then as time passes."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.controls import InputEnded, Ticked
from schemas.events import FloorEvent, encode
from schemas.times import MINUTE_MS, from_ms, minute_of, to_ms
from sources.core.parsed import content_hash
from sources.readers.producing import EventProducer, message


class Feed:
    """Takes events in the order of time and sends them as far as it is told."""

    def __init__(self, events: Iterator[FloorEvent], out: EventProducer) -> None:
        self._events = events
        self._out = out
        self._next = next(events, None)
        self._minute = 0
        self._last_ms = 0

    def up_to(self, until_ms: int) -> int:
        """
        Send what happens before an instant; the number of events.

        A `ticked` goes to every partition before the first event of each whole minute. Nothing is waited for: see
        `flush`.
        """
        sent = 0
        while self._next is not None and (at_ms := to_ms(self._next.at)) < until_ms:
            if minute_of(at_ms) > self._minute:
                self._minute = minute_of(at_ms)
                self.tick(self._minute * MINUTE_MS)
            self._out.send(message(self._next, content_hash(encode(self._next))))
            self._last_ms = at_ms
            self._next = next(self._events, None)
            sent += 1
        return sent

    def tick(self, at_ms: int) -> None:
        """Say in every partition that time has come to an instant; an earlier one than before is not said."""
        if at_ms >= self._last_ms:
            self._out.control(Ticked(at=from_ms(at_ms)))
            self._last_ms = at_ms

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything; Unavailable if it does not."""
        self._out.flush()

    def end(self) -> None:
        """Say that nothing more comes, and wait for the broker."""
        self._out.control(InputEnded(at=from_ms(self._last_ms)))
        self._out.flush()
