"""How far the worker is behind and how fresh the newest event is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from floorpulse.embedded.status import Standing, newest_event_at, standing, worker_lag
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from sinks.schema import apply_schema


def test_nothing_is_known_before_the_schema_is_applied(own_floor: Settings) -> None:
    """Without tables there is neither lag nor freshness, and no error."""
    assert standing(own_floor) == Standing(None, None)


def test_silence_is_not_known_either() -> None:
    """Where neither Kafka nor ClickHouse answer, nothing is told."""
    nobody = Settings().model_copy(update={"kafka_bootstrap": "127.0.0.1:1", "clickhouse_url": "http://127.0.0.1:1"})

    assert standing(nobody) == Standing(None, None)


def test_lag_is_what_lies_behind_the_checkpoint(own_floor: Settings) -> None:
    """Of each partition the events after its boundary count; one without checkpoint counts whole."""
    client = clickhouse_client(own_floor)
    apply_schema(client, own_floor.clickhouse_database)
    marks = [["agent:lag.events:0", "agent", 9], ["lag.events:0", "partition", 5]]
    client.insert("subjects", marks, column_names=["subject", "kind", "boundary"])
    with KafkaAdminClient(bootstrap_servers=own_floor.bootstrap()) as admin:
        admin.create_topics([NewTopic("lag.events", 2, 1)])
        send(own_floor, "lag.events", {0: 10, 1: 3})

        assert worker_lag(admin, client, "lag.events") == 4 + 3


def send(settings: Settings, topic: str, counts: dict[int, int]) -> None:
    """So many records in each partition; nobody reads what they say."""
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap())
    for partition, count in counts.items():
        for _ in range(count):
            producer.send(topic, b"{}", partition=partition)
    producer.close()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Jerusalem"])
def test_freshness_is_the_newest_events_time(own_database: Settings, zone: str) -> None:
    """The newest instant comes out in UTC, whatever zone its column shows."""
    client = clickhouse_client(own_database)
    client.command(f"CREATE TABLE events (at DateTime64(3, '{zone}')) ENGINE = Memory")
    assert newest_event_at(client) is None
    newest = datetime(2026, 11, 22, 12, tzinfo=UTC)

    client.insert("events", [[newest - timedelta(hours=1)], [newest]], ["at"])

    assert newest_event_at(client) == newest
