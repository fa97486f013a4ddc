"""When alerts arrive: a consumer of `floor.alerts` that notes the time of each step as it comes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kafka import KafkaConsumer

from schemas.topics import ALERTS

RULE = "fatal-item"


@dataclass
class Arrivals:
    """Subject -> monotonic time at which its first alert of `RULE` was read."""

    at: dict[str, float] = field(default_factory=dict)
    sent: dict[str, float] = field(default_factory=dict)
    """Subject -> when what it fires for was sent."""

    def expect(self, subject: str) -> None:
        """Note that something was sent now that must lead to an alert."""
        self.sent[subject] = time.monotonic()

    def latencies(self) -> list[float]:
        """Seconds from sending to reading of all that arrived, in order of sending."""
        return [self.at[subject] - since for subject, since in self.sent.items() if subject in self.at]

    def missing(self) -> list[str]:
        """What was expected and has not arrived."""
        return [subject for subject in self.sent if subject not in self.at]


@contextmanager
def watched(bootstrap: str) -> Iterator[Arrivals]:
    """Watch the alerts in a thread."""
    arrivals, stop = Arrivals(), threading.Event()
    thread = threading.Thread(target=_watch, args=(bootstrap, arrivals, stop), daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        stop.set()
        thread.join(10)


def _watch(bootstrap: str, arrivals: Arrivals, stop: threading.Event) -> None:
    consumer = KafkaConsumer(ALERTS, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    try:
        while not stop.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                for record in records:
                    said = json.loads(record.value)
                    if said["rule"] == RULE and said["state"] == "firing":
                        arrivals.at.setdefault(said["subject"], time.monotonic())
    finally:
        consumer.close()
