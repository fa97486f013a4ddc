"""The embedded Kafka is a real broker with the settings of this product."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from floorpulse.embedded import kafka
from floorpulse.offsets import end_offsets


def make_topic(bootstrap: str, name: str, partitions: int) -> None:
    """A topic with that many partitions."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics([NewTopic(name, partitions, 1)])


def test_a_topic_gets_the_partitions_asked_for(kafka_bootstrap: str) -> None:
    """An admin client creates topics as it would on any cluster."""
    make_topic(kafka_bootstrap, "embedded-four", 4)

    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as admin:
        assert end_offsets(admin, "embedded-four") == {0: 0, 1: 0, 2: 0, 3: 0}


def test_records_carry_the_brokers_time(kafka_bootstrap: str) -> None:
    """Time is that of the log, whatever the producer says."""
    make_topic(kafka_bootstrap, "embedded-time", 1)
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap)
    producer.send("embedded-time", b"x", timestamp_ms=1).get(10)
    producer.close()

    consumer = KafkaConsumer(bootstrap_servers=kafka_bootstrap)
    consumer.assign([TopicPartition("embedded-time", 0)])
    consumer.seek_to_beginning()
    record = next(consumer)
    consumer.close()

    assert record.timestamp > 1_000_000_000_000
    assert record.timestamp_type == 1


def test_nothing_creates_topics_by_itself(kafka_bootstrap: str) -> None:
    """A misspelt topic is an error, not a new topic."""
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, max_block_ms=500)

    with pytest.raises(KafkaError):
        producer.send("embedded-misspelt", b"x").get(5)

    producer.close()


def test_an_unknown_topic_has_no_ends(kafka_bootstrap: str) -> None:
    """Before the topics are applied there is nothing to count."""
    with KafkaAdminClient(bootstrap_servers=kafka_bootstrap) as admin:
        assert end_offsets(admin, "embedded-nosuch") == {}


def test_silence_is_not_an_answer() -> None:
    """Where nobody listens, no broker is ready."""
    assert not kafka.answers("127.0.0.1:1")


def test_files_name_ports_and_folder(tmp_path: Path) -> None:
    """Ports and data folder of the broker stand in its file, one setting a line."""
    broker = kafka.Broker(tmp_path / "a\\b", 1234, 1235)

    kafka.write_files(broker)

    lines = (broker.folder / "server.properties").read_text().splitlines()
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1234" in lines
    assert "controller.quorum.voters=1@127.0.0.1:1235" in lines
    assert f"log.dirs={tmp_path}/a\\\\b/data" in lines
