"""The topics of a measurement: filled once, and everything behind them emptied before each run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError

from benchmarks.events import events_of
from floorpulse.offsets import admin_client, end_offsets
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from schemas.errors import Unavailable
from schemas.events import FloorEvent
from schemas.topics import EVENTS, TOPICS, WORKER_GROUP
from sinks.schema import apply_schema
from sinks.topics import apply_topics, ensure_epochs
from sources.readers.producing import EventProducer
from sources.readers.simulator.feed import Feed

GONE_WITHIN_S = 60.0
BURSTS_PER_S = 10
KEPT = frozenset({EVENTS})


def fill(settings: Settings, agents: int, count: int) -> int:
    """Send the simulated floor's first events to `floor.events`, not ended; how many records are there then."""
    send(settings, events_of(agents, count))
    with admin_client(settings) as admin:
        return sum(end_offsets(admin, EVENTS).values())


def send(settings: Settings, events: Iterator[FloorEvent], rate: int | None = None) -> int:
    """Send events to `floor.events`, at most so many a second, each with what a feed adds; how many it all was."""
    sender = producer(settings)
    try:
        feed = Feed(events if rate is None else _paced(events, rate), EventProducer(sender))
        sent = feed.up_to(2**62)
        feed.flush()
    finally:
        sender.close(timeout=60)
    return sent


def _paced(events: Iterator[FloorEvent], rate: int) -> Iterator[FloorEvent]:
    began, burst = time.monotonic(), max(rate // BURSTS_PER_S, 1)
    for number, event in enumerate(events):
        if number % burst == 0:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield event


def emptied(settings: Settings, database: str) -> Settings:
    """Everything behind `floor.events` anew: the other topics, and a database that knows registry and rules."""
    with admin_client(settings) as admin:
        _wait_for_empty_group(admin)
        behind = [topic.name for topic in TOPICS if topic.name not in KEPT]
        admin.delete_topics(behind)
        _until(lambda: not set(behind) & set(admin.list_topics()), "topics to be deleted")
        apply_topics(admin, settings.partitions)
        client = clickhouse_client(settings, database="default")
        apply_schema(client, database)
        for table in ("registry", "revisions"):
            client.command(f"INSERT INTO {database}.{table} SELECT * FROM {settings.clickhouse_database}.{table}")
        ensure_epochs(client, admin)
    return settings.model_copy(update={"clickhouse_database": database})


def dropped(settings: Settings) -> None:
    """Drop the database of a run."""
    clickhouse_client(settings, database="default").command(
        f"DROP DATABASE IF EXISTS {settings.clickhouse_database} SYNC"
    )


def _wait_for_empty_group(admin: Any) -> None:
    """A worker that was ended keeps its place in the group until its session ends."""

    def is_empty() -> bool:
        try:
            groups = admin.describe_groups([WORKER_GROUP])
        except (CoordinatorNotAvailableError, GroupIdNotFoundError):  # nobody was ever in it
            return True
        found = groups.values() if isinstance(groups, dict) else groups
        return all(not group.get("members") for group in found)

    _until(is_empty, "the last worker to leave its group")


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {GONE_WITHIN_S:.0f} s for {what}")
        time.sleep(0.3)
