"""A database with the whole schema, and short ways to put panes and a registry into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.panes import wait_bucket

Put = Callable[..., None]


@pytest.fixture(scope="module")
def schema_client(shared_schema: Client) -> Client:
    """A client on a database of the module's own, with all tables and views."""
    return shared_schema


@pytest.fixture
def client(schema_client: Client) -> Iterator[Client]:
    """The same client with every table empty."""
    yield schema_client
    rows = schema_client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
    ).result_rows
    for (table,) in rows:
        schema_client.command(f"TRUNCATE TABLE `{table}` SYNC")


@pytest.fixture
def put_agent(client: Client) -> Put:
    """Stores an agent's pane: agent, minute (ISO, UTC), sums by column, queue."""

    def put(agent: str, minute: str, queue: str = "", **columns: Any) -> None:
        names = ["agent", "minute", "queue", "channel", "version", *columns]
        client.insert("agent_minutes", [[agent, _at(minute), queue, "voice", 1, *columns.values()]], column_names=names)

    return put


@pytest.fixture
def put_queue(client: Client) -> Put:
    """Stores a queue's pane: queue, minute (ISO, UTC), waits in seconds of the answered and of the abandoned."""

    def put(queue: str, minute: str, answered: list[tuple[int, float]], abandoned: list[tuple[int, float]]) -> None:
        counts = [sum(count for count, _wait in waits) for waits in (answered, abandoned)]
        waited = sum(round(count * wait_s * 1000) for count, wait_s in answered)
        row = [queue, _at(minute), "voice", 1, sum(counts), *counts, waited, _buckets(answered), _buckets(abandoned)]
        names = ["queue", "minute", "channel", "version", "offered", "answered", "abandoned", "answered_wait_ms"]
        client.insert("queue_minutes", [row], column_names=[*names, "answered_waits", "abandoned_waits"])

    return put


def _at(minute: str) -> datetime:
    return datetime.fromisoformat(minute).replace(tzinfo=UTC)


def _buckets(waits: list[tuple[int, float]]) -> list[int]:
    buckets = [0] * 15
    for count, wait_s in waits:
        buckets[wait_bucket(round(wait_s * 1000))] += count
    return buckets
