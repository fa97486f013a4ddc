"""A person's command on its way: a real Kafka, a real ClickHouse, the ledger in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from kafka.errors import KafkaTimeoutError

from floorpulse.commands import new_command_id, send_and_wait
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from schemas.errors import InvalidEvent, Unavailable
from schemas.records import AcknowledgeAlert, decode_command
from schemas.times import to_ms
from schemas.topics import COMMANDS
from sinks.topics import apply_topics

NOW_MS = to_ms(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))


@pytest.fixture
def floor(own_schema: Settings, kafka_bootstrap: str) -> Settings:
    """A floor with its topics and its schema."""
    from kafka import KafkaAdminClient

    floor = own_schema.model_copy(update={"kafka_bootstrap": kafka_bootstrap})
    admin = KafkaAdminClient(bootstrap_servers=floor.bootstrap())
    apply_topics(admin, floor.partitions)
    admin.close()
    return floor


@contextmanager
def deciding(floor: Settings, alert: str) -> Iterator[None]:
    """A ledger that decides the commands about one alert in a thread."""
    from kafka import KafkaConsumer

    stop = threading.Event()
    consumer = KafkaConsumer(COMMANDS, bootstrap_servers=floor.bootstrap(), auto_offset_reset="earliest")
    ledger = Ledger(ClickHouseLedgerStore(clickhouse_client(floor)))

    def decide() -> None:
        while not stop.is_set():
            for batch in consumer.poll(timeout_ms=100).values():
                mine = [record for record in batch if record.key == f"alert:{alert}".encode()]
                ledger.handle_all([(decode_command(record.value), NOW_MS) for record in mine])

    thread = threading.Thread(target=decide)
    thread.start()
    yield
    stop.set()
    thread.join()
    consumer.close()


def acknowledgement(alert: str) -> AcknowledgeAlert:
    return AcknowledgeAlert(id=new_command_id(), stream=f"alert:{alert}", by="lead-1", expected_version=0)


def test_the_ledgers_answer_comes_back(floor: Settings) -> None:
    """The first of two people is accepted, the second is refused with the reason."""
    alert, sender, client = uuid4().hex, producer(floor), clickhouse_client(floor)

    with deciding(floor, alert):
        first = send_and_wait(sender, client, acknowledgement(alert), wait_s=20)
        second = send_and_wait(sender, client, acknowledgement(alert), wait_s=20)

    sender.close()
    assert (first.status, [event.kind for event in first.events]) == ("accepted", ["alert_acknowledged"])
    assert (second.status, second.reason) == ("refused", "stale")


def test_without_an_answer_a_command_is_pending(floor: Settings) -> None:
    """Kafka has it; the ledger decides it as soon as it can."""
    sender = producer(floor)

    outcome = send_and_wait(sender, clickhouse_client(floor), acknowledgement(uuid4().hex), wait_s=0.2)

    sender.close()
    assert (outcome.status, outcome.events) == ("pending", ())


class SilentKafka:
    """A producer that is not told in time that the broker has what was sent; `is_done`: it knows what became of it."""

    def __init__(self, *, is_done: bool) -> None:
        self.is_done = is_done

    def send(self, _topic: str, **_: bytes) -> SilentKafka:
        """It is the future of what it sends."""
        return self

    def get(self, timeout: float) -> None:
        """Nothing comes of it."""
        raise KafkaTimeoutError(f"Timeout after waiting for {timeout} secs.")


def test_a_command_that_kafka_may_have_is_not_told_as_lost(own_schema: Settings) -> None:
    """It may still be decided: who hears that nothing will happen does it again, or something else."""
    silent: Any = SilentKafka(is_done=False)

    outcome = send_and_wait(silent, clickhouse_client(own_schema), acknowledgement("a1"), wait_s=0.2)

    assert outcome.status == "pending"


def test_a_command_that_kafka_does_not_have_is_told_as_such(own_schema: Settings) -> None:
    """The producer gave it up: nothing will happen."""
    silent: Any = SilentKafka(is_done=True)

    with pytest.raises(Unavailable, match="did not take the command"):
        send_and_wait(silent, clickhouse_client(own_schema), acknowledgement("a1"), wait_s=0.2)


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "l01\n2026-03-02  case_closed  m01", "l01\u202e", "x" * 201])
def test_a_record_says_who(name: str) -> None:
    """A step of nobody, or of a name that reads as another or as a line of its own, is not taken."""
    fields = {"id": "c1", "kind": "acknowledge_alert", "stream": "alert:a1", "by": name}

    with pytest.raises(InvalidEvent, match=r"by: "):
        decode_command(json.dumps(fields).encode())


def test_nobody_passes_for_a_rule() -> None:
    """Spaces around a name are none of it: a step of a person is never one of a rule, which tells its own time."""
    fields = {"id": "c1", "kind": "acknowledge_alert", "stream": "alert:a1"}

    assert decode_command(json.dumps(fields | {"by": " l01 "}).encode()).by == "l01"
    with pytest.raises(InvalidEvent, match="expected for a command of a rule"):
        decode_command(json.dumps(fields | {"by": " rule:short-calls"}).encode())
