"""Messages, their keys and headers; what the broker does not acknowledge is never passed over."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import pytest
from kafka.partitioner.default import DefaultPartitioner

from schemas.controls import Ticked
from schemas.errors import Unavailable
from schemas.events import ContactOffered
from schemas.topics import EVENTS
from sources.core.parsed import Rejected
from sources.readers.producing import EventProducer, message

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def event(queue: str = "sales") -> ContactOffered:
    return ContactOffered(source="acd", id="c1", at=AT, contact="c1", queue=queue)


class OneTopic:
    """What Kafka's partitioner asks of the cluster."""

    def topics(self) -> set[str]:
        return {EVENTS}

    def partitions_for_topic(self, _: str) -> set[int]:
        return {0, 1, 2, 3}

    available_partitions_for_topic = partitions_for_topic


def test_an_event_carries_its_owner_and_two_headers(sender: Any, out: EventProducer) -> None:
    """Key is the subject, headers are the content hash and the number of the run."""
    out.send(message(event(), "00ff00ff00ff00ff", 12))

    (sent,) = sender.sent
    assert (sent.topic, sent.key) == (EVENTS, b"queue:sales")
    assert sent.headers == {"content": b"00ff00ff00ff00ff", "ingest": b"12"}


def test_an_event_of_no_numbered_run_has_no_ingest(sender: Any, out: EventProducer) -> None:
    """Live events cannot be taken back by the number of a run."""
    out.send(message(event(), "00ff00ff00ff00ff"))

    assert set(sender.sent[0].headers) == {"content"}


def test_partitions_are_those_that_kafka_itself_would_choose(sender: Any, out: EventProducer) -> None:
    """Every producer of a floor must send a key to the same partition."""
    keys = [f"q{n}" for n in range(200)]
    for key in keys:
        out.send(message(event(key), "0" * 16))

    theirs = [DefaultPartitioner().partition(EVENTS, None, f"queue:{k}".encode(), None, None, OneTopic()) for k in keys]
    assert [m.partition for m in sender.sent] == theirs


def test_a_control_record_goes_to_every_partition(sender: Any, out: EventProducer) -> None:
    """Each partition is a log of its own."""
    out.control(Ticked(at=AT))

    assert [m.partition for m in sender.sent] == [0, 1, 2, 3]
    assert sender.records() == [Ticked(at=AT)] * 4


def test_a_rejected_row_is_kept_byte_for_byte(sender: Any, out: EventProducer) -> None:
    """With its reason, what was expected, and the place it came from."""
    out.reject([Rejected(17, "ser_time", "a whole number", "x", b"raw\xff\r\n")], "calls.txt")

    (letter,) = sender.letters()
    assert letter.value == b"raw\xff\r\n"
    assert letter.headers == {
        "reason": b"rejected_row",
        "detail": b"ser_time: expected a whole number, found 'x'",
        "origin": b"calls.txt:17",
    }


def test_a_message_without_acknowledgement_is_an_error(sender: Any, out: EventProducer) -> None:
    """At the latest when everything sent is waited for."""
    sender.fails = True
    out.send(message(event(), "0" * 16))

    with pytest.raises(Unavailable, match="did not acknowledge"):
        out.flush()


def test_a_long_input_is_checked_while_it_runs(sender: Any, out: EventProducer) -> None:
    """Not every send is kept open until the end."""
    sender.fails = True
    outgoing = message(event(), "0" * 16)

    with pytest.raises(Unavailable):
        deque(map(out.send, repeat(outgoing, 50_000)), maxlen=0)

    assert len(sender.sent) < 50_000
