"""A floor whose every event is known: folded by the engine and written by the sink, as a worker does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from schemas.controls import InputEnded
from schemas.events import FloorEvent, encode
from schemas.registry import Floor, Registry
from schemas.times import to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.registry import store_registry
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from tests.streams.judges import Notes
from tests.streams.shelf import EPOCH

READ_AT = datetime(2027, 1, 1, tzinfo=UTC)
"""When the broker wrote it all: the time of the floor is that of the events."""


def tell(client: Client, events: Sequence[FloorEvent], floor: Floor | None = None, ended_at: str = "") -> None:
    """Fold and store events in the order of their time; `ended_at`: the input ends then, with its site day."""
    known = floor or Floor()
    store_registry(client, known, "tests", READ_AT)
    engine = PartitionEngine(0, EPOCH, Registry(known, 1), Notes(), event_clock=True)
    in_time = sorted(events, key=lambda event: (event.at, event.revision))
    for offset, event in enumerate(in_time):
        payload = encode(event)
        engine.apply(Item(offset, to_ms(READ_AT), payload, b"", event, content=event.revision))
    if ended_at:
        end = InputEnded(at=instant(ended_at))
        engine.apply(Item(len(in_time), to_ms(READ_AT), encode(end), b"", end))
    engine.take_outbox()
    ClickHouseSink(client).write([engine.freeze()])


def instant(text: str) -> datetime:
    """An instant in UTC: of `2026-03-02T10:00`, or of `10:00` on that day."""
    return datetime.fromisoformat(text if "T" in text else f"2026-03-02T{text}").replace(tzinfo=UTC)
