"""Live and replay agree: a simulated day as it came, once more from the topic's start, and from the raw events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from floorpulse.drain import drain, stored_offsets
from floorpulse.embedded.ports import PortClaims
from floorpulse.offsets import admin_client, end_offsets
from floorpulse.prepare import prepare
from floorpulse.publish import publish_registry
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client, producer
from schemas.controls import InputEnded
from schemas.events import FloorEvent, SurveyAnswered, decode
from schemas.times import HOUR_MS, from_ms
from schemas.topics import EVENTS
from sinks.schema import apply_schema
from sinks.storage import ClickHouseStorage
from sinks.stored_panes import stored_panes
from sources.readers.producing import EventProducer
from sources.readers.simulator.engine import Simulator
from sources.readers.simulator.feed import Feed
from sources.readers.simulator.spec import FloorSpec
from streams.core.log import Item
from tests.acceptance.workers import own_broker, wait_for, worker
from tests.streams.oracle import Expected, Place
from tests.streams.runs import Run, new_engine

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OPENED = 1_772_438_400_000
"""2026-03-02 08:00 UTC."""
HOURS = 9
STRETCHES = 6
SPEC = FloorSpec(teams=2, team_size=5)
PANES = ("agent_minutes", "queue_minutes")

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Twice:
    """One log, stored in two databases."""

    live: Client
    again: Client
    settings: Settings


def the_day() -> Iterator[FloorEvent]:
    """A day with what goes wrong: events come twice, half an hour late, or are corrected afterwards."""
    late: list[FloorEvent] = []
    for number, event in enumerate(Simulator(SPEC, 5).events(OPENED, HOURS)):
        while late and event.at - late[0].at > timedelta(minutes=30):
            yield late.pop(0)
        if number % 97 == 0:
            late.append(event)
            continue
        yield event
        if number % 61 == 0:
            yield event
        if isinstance(event, SurveyAnswered):
            yield event.model_copy(update={"revision": 1, "csat": 1})


@pytest.fixture(scope="module")
def floor(clickhouse: Settings, tmp_path_factory: pytest.TempPathFactory, port_claims: PortClaims) -> Iterator[Twice]:
    """The day, fed in stretches to a worker that keeps up, and read again by a worker that finds all of it there."""
    folder = tmp_path_factory.mktemp("replay")
    names = [f"{kind}_{uuid.uuid4().hex}" for kind in ("live", "again")]
    with own_broker(folder, port_claims) as bootstrap:
        shared: dict[str, Any] = {"kafka_bootstrap": bootstrap, "clock": "event"}
        live, again = (clickhouse.model_copy(update={**shared, "clickhouse_database": name}) for name in names)
        prepare(live)
        publish_registry(live, Simulator(SPEC, 5).floor(), "tests")
        with worker(live, folder):
            _feed(live)
        _copy_revisions(live, again)
        with worker(again, folder):
            drain(again, 120, lambda _topic, _left: None)
        clients = [clickhouse_client(settings) for settings in (live, again)]
        yield Twice(clients[0], clients[1], live)
        for client, name in zip(clients, names, strict=True):
            client.command(f"DROP DATABASE {name} SYNC")
            client.close()


def _feed(settings: Settings) -> None:
    """Send the day in stretches, each after the one before is stored."""
    sender = producer(settings)
    feed = Feed(the_day(), EventProducer(sender))
    client = clickhouse_client(settings)
    with admin_client(settings) as admin:
        for stretch in range(1, STRETCHES + 1):
            feed.up_to(OPENED + stretch * HOURS * HOUR_MS // STRETCHES)
            feed.flush()
            wait_for(partial(_is_stored, client, end_offsets(admin, EVENTS)))
    feed.up_to(2**62)
    feed.end()
    drain(settings, 120, lambda _topic, _left: None)
    sender.close()


def _is_stored(client: Client, ends: dict[int, int]) -> bool:
    return stored_offsets(client, EVENTS) == ends


def _copy_revisions(live: Settings, again: Settings) -> None:
    """What the log's control records name: revisions of the registry and of the rules."""
    client = clickhouse_client(again, database="default")
    apply_schema(client, again.clickhouse_database)
    for table in ("registry", "revisions"):
        client.command(f"INSERT INTO {table} SELECT * FROM {live.clickhouse_database}.{table}")


def rows_of(client: Client, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table but for the time at which they were stored, in order."""
    rows = client.query(f"SELECT * EXCEPT (stored_at) FROM {table} FINAL ORDER BY ALL").result_rows
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("table", [*PANES, "events"])
def test_read_again_the_panes_are_the_same(floor: Twice, table: str) -> None:
    """Every pane and every raw event, with its version, to the last digit."""
    once, again = rows_of(floor.live, table), rows_of(floor.again, table)

    assert len(once) > 500
    assert again == once


def test_read_again_the_windows_are_the_same(floor: Twice) -> None:
    """Of every agent, queue, team, site and client: the windows as they stand at the end of the day."""
    columns = "subject, window, opened_at, closed_at, sums, hop"
    query = f"SELECT {columns} FROM windows FINAL ORDER BY subject, window, hop"

    once, again = (client.query(query).result_rows for client in (floor.live, floor.again))

    assert {subject.partition(":")[0] for subject, *_ in once} == {"agent", "queue", "team", "site", "client"}
    assert again == once


def test_read_again_the_alerts_are_the_same(floor: Twice) -> None:
    """The same alerts with the same ids, steps, values, evidence and versions."""
    once, again = rows_of(floor.live, "alert_transitions"), rows_of(floor.again, "alert_transitions")

    assert len(once) > 4
    assert again == once


def test_read_again_the_same_was_dropped(floor: Twice) -> None:
    """Events, duplicates, dead letters and controls are counted alike."""
    query = (
        "SELECT subject, boundary, rows, duplicates, dead, controls FROM subjects FINAL"
        " WHERE hop = 1 AND kind = 'partition' ORDER BY subject"
    )

    once, again = (client.query(query).result_rows for client in (floor.live, floor.again))

    assert sum(row[3] for row in once) > 50
    assert again == once


@dataclass(frozen=True)
class FromRaw:
    """What engines made of the raw events as ClickHouse has them, and of nothing else."""

    panes: dict[Place, Expected]
    windows: dict[tuple[str, str], tuple[int, int, dict[str, int]]]


@pytest.fixture(scope="module")
def from_raw(floor: Twice) -> FromRaw:
    """The day once more, without Kafka and without what its control records said of time."""
    storage = ClickHouseStorage(lambda: clickhouse_client(floor.settings))
    (held,) = floor.live.query(
        "SELECT maxIf(revision, kind = 'registry'), maxIf(revision, kind = 'rules') FROM revisions"
    ).result_rows
    revision = storage.revision(*map(int, held))
    found = FromRaw({}, {})
    for (partition,) in floor.live.query("SELECT DISTINCT partition FROM events").result_rows:
        run = Run(new_engine(event_clock=True, registry=revision.registry, judge=revision.first))
        run.fold(_items(floor.live, int(partition)))
        run.freeze()
        assert run.under_way is not None
        for row in run.under_way.windows:
            found.windows[row.subject, row.window] = (row.opened_ms, row.closed_ms, _told(row.sums))
        run.settle()
        found.panes.update(run.panes())
    return found


def _items(client: Client, partition: int) -> Iterator[Item]:
    """The stored events of a partition in the order of its log, and the end of the input."""
    rows = client.query(
        "SELECT offset, toUnixTimestamp64Milli(broker_at), payload, content FROM events FINAL"
        " WHERE partition = {partition:UInt16} ORDER BY offset",
        parameters={"partition": partition},
    ).result_rows
    for offset, broker_ms, payload, content in rows:
        value = payload.encode()
        yield Item(int(offset), int(broker_ms), value, b"", decode(value), content=int(content))
    ((last,),) = client.query("SELECT toUnixTimestamp64Milli(max(at)) FROM events").result_rows
    yield Item(2**40, int(last) + HOUR_MS, b"", b"", InputEnded(at=from_ms(int(last))))


def _told(sums: dict[str, int]) -> dict[str, int]:
    """Sums that are not 0."""
    return {column: int(total) for column, total in sums.items() if total}


def test_from_raw_events_the_panes_are_the_same(floor: Twice, from_raw: FromRaw) -> None:
    """Every sum and every handle time of every pane."""
    stored: dict[Place, Expected] = {}
    for key, minute, cell, pane in (
        *stored_panes(floor.live, "agent", "1", {}),
        *stored_panes(floor.live, "queue", "1", {}),
    ):
        if _told(pane.sums) or pane.handle_times:
            stored[key, minute, *cell] = Expected(_told(pane.sums), sorted(pane.handle_times))

    assert len(stored) > 2_000
    assert from_raw.panes == stored


def test_from_raw_events_the_windows_are_the_same(floor: Twice, from_raw: FromRaw) -> None:
    """The windows of every agent and queue at the end of the day."""
    rows = floor.live.query(
        "SELECT subject, window, toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(closed_at), sums"
        " FROM windows FINAL WHERE hop = 1"
    ).result_rows

    stored = {(row[0], row[1]): (int(row[2]), int(row[3]), _told(row[4])) for row in rows}

    assert from_raw.windows == stored
