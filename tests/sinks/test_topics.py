"""Topics and their epochs."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.errors import ConfigError
from schemas.topics import CONTRIBUTIONS, DELIVERIES, EVENTS, REGISTRY, TOPICS
from sinks.topics import apply_topics, ensure_epochs, topic_ids


class FakeAdmin:
    """A cluster in memory that answers like kafka-python's admin client."""

    def __init__(self, **partitions: int) -> None:
        self.created: dict[str, dict[str, Any]] = {}
        self.topics = {name: self._entry(name, count, "1") for name, count in partitions.items()}

    def describe_topics(self) -> list[dict[str, Any]]:
        return list(self.topics.values())

    def create_topics(self, topics: dict[str, dict[str, Any]], *, timeout_ms: int, wait_for_metadata: bool) -> None:
        assert timeout_ms
        assert wait_for_metadata
        self.created |= topics
        self.topics |= {name: self._entry(name, wanted["num_partitions"], "1") for name, wanted in topics.items()}

    def make_anew(self, name: str, run: str) -> None:
        self.topics[name] = self._entry(name, len(self.topics[name]["partitions"]), run)

    def _entry(self, name: str, count: int, run: str) -> dict[str, Any]:
        return {"name": name, "topic_id": f"{name}-{run}", "error_code": 0, "partitions": [{}] * count}


def test_missing_topics_are_created_as_they_should_be() -> None:
    """
    Events are kept 7 days, the registry for ever by key, sent marks by key for 30 days; all stamp at append.

    What was sent years ago would have to be read at each start of delivery.
    """
    admin = FakeAdmin()

    created = apply_topics(admin, 6)

    assert created == sorted(topic.name for topic in TOPICS)
    assert admin.created[EVENTS]["num_partitions"] == 6
    assert admin.created[CONTRIBUTIONS]["num_partitions"] == 1
    kept = {
        name: (wanted["configs"]["cleanup.policy"], wanted["configs"]["retention.ms"])
        for name, wanted in admin.created.items()
    }
    assert kept[EVENTS] == ("delete", str(7 * 86_400_000))
    assert kept[REGISTRY] == ("compact", "-1")
    assert kept[DELIVERIES] == ("compact,delete", str(30 * 86_400_000))
    assert {wanted["configs"]["message.timestamp.type"] for wanted in admin.created.values()} == {"LogAppendTime"}


def test_what_is_over_leaves_kafka_within_a_day() -> None:
    """A file of a topic holds a day of it, so that nothing is kept a week longer; what is compacted is so each day."""
    admin = FakeAdmin()

    apply_topics(admin, 6)

    configs = {name: wanted["configs"] for name, wanted in admin.created.items()}
    assert {one["segment.ms"] for one in configs.values()} == {"86400000"}
    compacted = {name for name, one in configs.items() if one.get("max.compaction.lag.ms") == "86400000"}
    assert compacted == {DELIVERIES, REGISTRY}


def test_applying_topics_again_creates_nothing() -> None:
    """The same call again finds all there."""
    admin = FakeAdmin()
    apply_topics(admin, 6)

    assert apply_topics(admin, 6) == []


def test_a_partition_count_is_never_changed() -> None:
    """Another count is refused, naming topic, what it has and what was wanted, before anything is created."""
    admin = FakeAdmin(**{EVENTS: 4})

    with pytest.raises(ConfigError, match=r"floor\.events: has 4 partitions, 8 wanted"):
        apply_topics(admin, 8)
    assert admin.created == {}


def test_topics_of_others_are_left_alone() -> None:
    """Only topics of floorpulse have an id here."""
    assert topic_ids(FakeAdmin(**{EVENTS: 4, "somebody.else": 9})) == {EVENTS: f"{EVENTS}-1"}


def test_a_topic_made_anew_raises_its_epoch(client: Client) -> None:
    """Each id of a topic has an epoch of its own, and the same id always the same."""
    admin = FakeAdmin(**{EVENTS: 4, CONTRIBUTIONS: 1})
    assert ensure_epochs(client, admin) == {EVENTS: 1, CONTRIBUTIONS: 1}

    admin.make_anew(EVENTS, "2")

    assert ensure_epochs(client, admin) == {EVENTS: 2, CONTRIBUTIONS: 1}
    assert ensure_epochs(client, admin) == {EVENTS: 2, CONTRIBUTIONS: 1}
