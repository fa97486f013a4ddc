"""The topics in Kafka as `schemas.topics` wants them, and their epochs in ClickHouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from schemas.errors import ConfigError
from schemas.times import DAY_MS
from schemas.topics import DEAD_LETTERS, TOPICS, Topic

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NO_ERROR = 0
LARGEST_MESSAGE = 1024 * 1024
LARGEST_LETTER = 2 * LARGEST_MESSAGE
"""A letter is a whole message with headers that say why: whatever a topic takes must fit, or nobody could bury it."""

SEGMENT_MS = DAY_MS
"""
Kafka deletes and compacts whole files, a day of a topic each: with its own 7 days a record would be kept for up to a
week longer than is said, and what somebody erased in a compacted topic for as long as half of it is still of use.
"""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka has it."""

    name: str
    topic_id: str
    partitions: int


def topic_states(admin: Any) -> dict[str, TopicState]:
    """The topics of floorpulse that Kafka has, by name; `admin` is a `KafkaAdminClient`."""
    wanted = {topic.name for topic in TOPICS}
    found = [entry for entry in admin.describe_topics() if entry["name"] in wanted and entry["error_code"] == NO_ERROR]
    return {
        entry["name"]: TopicState(entry["name"], str(entry["topic_id"]), len(entry["partitions"])) for entry in found
    }


def apply_topics(admin: Any, partitions: int) -> list[str]:
    """
    Create the topics that are missing; returns their names.

    `partitions` is for the topics that leave it to the settings. A count is fixed at creation, as keys would move to
    other partitions: ConfigError where one differs.
    """
    states = topic_states(admin)
    for topic in TOPICS:
        wanted = topic.partitions or partitions
        if topic.name in states and states[topic.name].partitions != wanted:
            has = states[topic.name].partitions
            raise ConfigError(
                f"{topic.name}: has {has} partitions, {wanted} wanted: a count never changes; drain, then a new topic"
            )
    missing = {topic.name: _options(topic, partitions) for topic in TOPICS if topic.name not in states}
    if missing:
        admin.create_topics(missing, timeout_ms=30_000, wait_for_metadata=True)
    structlog.get_logger(__name__).info("topics_applied", created=sorted(missing), count=len(TOPICS))
    return sorted(missing)


def topic_ids(admin: Any) -> dict[str, str]:
    """Kafka's id of each topic of floorpulse that exists."""
    return {name: state.topic_id for name, state in topic_states(admin).items()}


def ensure_epochs(client: Client, admin: Any) -> dict[str, int]:
    """The epoch of each topic; one whose id is new (made anew, another cluster) gets the next and it is stored."""
    known = known_epochs(client)
    epochs: dict[str, int] = {}
    rows: list[list[Any]] = []
    for name, state in topic_states(admin).items():
        seen = known.get(name, {})
        epochs[name] = seen.get(state.topic_id) or max(seen.values(), default=0) + 1
        if state.topic_id not in seen:
            rows.append([name, state.topic_id, epochs[name], state.partitions])
    if rows:
        client.insert("topics", rows, column_names=["topic", "topic_id", "epoch", "partitions"])
    return epochs


def known_epochs(client: Client) -> dict[str, dict[str, int]]:
    """Topic -> id -> epoch, as stored."""
    known: dict[str, dict[str, int]] = {}
    for topic, topic_id, epoch in client.query("SELECT topic, topic_id, epoch FROM topics FINAL").result_rows:
        known.setdefault(topic, {})[topic_id] = int(epoch)
    return known


def _options(topic: Topic, partitions: int) -> dict[str, Any]:
    ends = (["compact"] if topic.is_compacted else []) + (["delete"] if topic.kept_ms is not None else [])
    kept = {"cleanup.policy": ",".join(ends), "retention.ms": str(-1 if topic.kept_ms is None else topic.kept_ms)}
    kept |= {"segment.ms": str(SEGMENT_MS)} | ({"max.compaction.lag.ms": str(SEGMENT_MS)} if topic.is_compacted else {})
    largest = LARGEST_LETTER if topic.name == DEAD_LETTERS else LARGEST_MESSAGE
    return {
        "num_partitions": topic.partitions or partitions,
        "configs": {**kept, "message.timestamp.type": "LogAppendTime", "max.message.bytes": str(largest)},
    }
