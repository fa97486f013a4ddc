"""How a floor stands: its parts, how far the worker is behind, how fresh the newest event is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from floorpulse.drain import CHECKPOINTS
from floorpulse.offsets import end_offsets
from floorpulse.settings import Settings
from schemas.errors import Unavailable
from schemas.topics import EVENTS

UNKNOWN_TABLE = 60


class Admin(Protocol):
    """What is used of kafka-python's admin client."""

    def describe_topics(self, topics: list[str]) -> Any: ...

    def list_partition_offsets(self, topic_partition_specs: Any) -> Any: ...


class Client(Protocol):
    """What is used of clickhouse-connect's client."""

    def query(self, query: str, parameters: dict[str, str] | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """`lag` in events, `newest_at` aware UTC; None where it cannot be told."""

    lag: int | None
    newest_at: datetime | None


def standing(settings: Settings) -> Standing:
    """Ask Kafka and ClickHouse; whatever does not answer is None."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    from floorpulse.wiring import clickhouse_client

    try:
        clickhouse = clickhouse_client(settings)
    except Unavailable:
        return Standing(None, None)
    try:
        with KafkaAdminClient(bootstrap_servers=settings.bootstrap(), bootstrap_timeout_ms=2_000) as admin:
            lag = worker_lag(admin, clickhouse)
    except KafkaError:
        lag = None
    return Standing(lag, newest_event_at(clickhouse))


def worker_lag(admin: Admin, clickhouse: Client, topic: str = EVENTS) -> int | None:
    """Events in Kafka that are not yet in ClickHouse; None while topic or table are missing."""
    ends = end_offsets(admin, topic)
    done = _rows(clickhouse, CHECKPOINTS, {"topic": topic})
    if not ends or done is None:
        return None
    next_offset = {int(str(subject).rpartition(":")[2]): int(boundary) + 1 for subject, boundary in done}
    return sum(max(0, end - next_offset.get(partition, 0)) for partition, end in ends.items())


def newest_event_at(clickhouse: Client) -> datetime | None:
    """The time of the newest event in ClickHouse; None while there is none."""
    rows = _rows(clickhouse, "SELECT max(at) FROM events HAVING count() > 0", {})
    if not rows:
        return None
    at: datetime = rows[0][0]
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _rows(clickhouse: Client, sql: str, parameters: dict[str, str]) -> list[tuple[Any, ...]] | None:
    """The rows, or None when the table does not exist yet."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        return list(clickhouse.query(sql, parameters=parameters).result_rows)
    except DatabaseError as error:
        if error.code == UNKNOWN_TABLE:
            return None
        raise
