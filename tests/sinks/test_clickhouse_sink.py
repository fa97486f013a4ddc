"""What a flush writes, in which order, and that a crash between two writes leaves nothing half counted (P1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DataError, OperationalError

from schemas.errors import StopWorker, Unavailable
from schemas.times import DAY_MS
from sinks import clickhouse as sink_module
from sinks.clickhouse import ClickHouseSink, sorted_error
from sinks.rows import MOVED_FACTS, insert
from streams.core.log import Frozen
from tests.streams.floors import DAWN
from tests.streams.runs import new_engine
from tests.streams.test_restart import away, handled

TABLES = ("events", "agent_minutes", "windows", "alert_transitions", "subjects")


class Crash(Exception):
    """The worker dies here."""


def crash_at(name: str) -> Callable[[str], None]:
    """A step that dies at its name."""

    def step(reached: str) -> None:
        if reached == name:
            raise Crash

    return step


def a_flush() -> Frozen:
    """Three contacts of a1, an alert."""
    engine = new_engine(event_clock=False)
    for item in (handled(0, 0.1), handled(1, 0.2), handled(2, 3)):
        engine.apply(item)
    engine.take_outbox()
    return engine.freeze()


def counts(client: Client) -> list[int]:
    """Rows that count, table by table."""
    return [int(client.query(f"SELECT count() FROM {table} FINAL").result_rows[0][0]) for table in TABLES]


@pytest.mark.parametrize(
    ("step", "standing"),
    [
        ("after_events", [3, 0, 0, 0, 0]),
        ("after_panes", [3, 2, 0, 0, 0]),
        ("before_subjects", [3, 2, 6, 1, 0]),
        ("after_subjects", [3, 2, 6, 1, 2]),
    ],
)
def test_a_crash_leaves_what_was_written_and_writing_again_doubles_nothing(
    client: Client, step: str, standing: list[int]
) -> None:
    """Events first, then panes, then windows and alerts, the checkpoint last."""
    flush = [a_flush()]

    with pytest.raises(Crash):
        ClickHouseSink(client, crash_at(step)).write(flush)
    assert counts(client) == standing

    ClickHouseSink(client).write(flush)
    assert counts(client) == [3, 2, 6, 1, 2]
    handled_ = client.query("SELECT sum(handled) FROM agent_minutes FINAL").result_rows
    assert handled_ == [(3,)]


def test_subjects_and_checkpoint_are_one_block(client: Client) -> None:
    """They stand or fall together."""
    ClickHouseSink(client).write([a_flush()])

    parts = client.query("SELECT uniqExact(_part), groupUniqArray(kind) FROM subjects").result_rows

    assert [(count, sorted(kinds)) for count, kinds in parts] == [(1, ["agent", "partition"])]


def test_the_checkpoint_counts_what_came(client: Client) -> None:
    """With `events` it is the standing proof that nothing is missing."""
    ClickHouseSink(client).write([a_flush()])

    found = client.query("SELECT boundary, rows, duplicates, dead FROM subjects WHERE kind = 'partition'").result_rows

    assert found == [(2, 3, 0, 0)]


def test_many_days_go_in_several_inserts(client: Client) -> None:
    """120 days in one flush: no insert touches more partitions than ClickHouse takes."""
    flush = a_flush()
    row = flush.events[0]
    rows = [row._replace(at_ms=DAWN - day * DAY_MS, id=f"d{day}") for day in range(120)]

    ClickHouseSink(client).write([replace(flush, events=rows)])

    assert counts(client)[0] == 120


def test_an_insert_touches_few_days() -> None:
    """The chunks of 120 days have at most 50 each, and lose nothing."""
    rows = [((DAWN - day * DAY_MS) / 1000,) for day in range(120)]

    chunks = sink_module._by_partitions(rows, 0)  # type: ignore[arg-type]

    days = [{at // sink_module.DAY_S for (at,) in chunk} for chunk in chunks]
    assert max(len(found) for found in days) <= sink_module.PARTITIONS_PER_INSERT
    assert sum(len(chunk) for chunk in chunks) == 120


def test_a_value_that_does_not_parse_stops_the_worker(client: Client) -> None:
    """The same rows would be refused for ever."""
    flush = a_flush()

    with pytest.raises(StopWorker):
        ClickHouseSink(client).write([replace(flush, events=[flush.events[0]._replace(revision="one")])])  # type: ignore[arg-type]


def test_instants_are_kept_to_the_millisecond(client: Client) -> None:
    """Also those that no binary fraction gives exactly."""
    flush = a_flush()
    at_ms = [DAWN + ms for ms in (1, 7, 57, 100, 333, 999)]

    ClickHouseSink(client).write(
        [replace(flush, events=[flush.events[0]._replace(at_ms=at, id=f"e{at}") for at in at_ms])]
    )

    rows = client.query("SELECT toUnixTimestamp64Milli(at) FROM events FINAL ORDER BY at").result_rows
    assert [row[0] for row in rows] == at_ms


def test_a_refused_column_stops_the_worker(client: Client) -> None:
    """No retry mends a schema that is not ours."""
    client.command("ALTER TABLE windows RENAME COLUMN sums TO totals")

    try:
        with pytest.raises(StopWorker, match="sums"):
            ClickHouseSink(client).write([a_flush()])
    finally:
        client.command("ALTER TABLE windows RENAME COLUMN totals TO sums")


def test_a_value_that_no_column_takes_stops_the_worker() -> None:
    """Trying again for ever would hold back all partitions without a word."""
    assert isinstance(sorted_error(DataError("-1 is no UInt32")), StopWorker)


def test_an_unknown_error_is_tried_again() -> None:
    """What is not known to be fatal may pass."""
    assert isinstance(sorted_error(OperationalError("connection refused")), Unavailable)


def test_a_pane_keeps_its_away_time_by_reason(client: Client) -> None:
    """Reasons are a map, waits are arrays: what is read is what was folded."""
    engine = new_engine(event_clock=False)
    for item in (away(0, 0), away(1, 0.5, "ready")):
        engine.apply(item)

    ClickHouseSink(client).write([engine.freeze()])

    assert client.query("SELECT away_ms, away_by_reason FROM agent_minutes").result_rows == [(30_000, {"": 30_000})]


def test_many_rows_go_as_one_insert(client: Client) -> None:
    """However many lines of JSON they are made into."""
    rows = [("acd", f"h{number}", "contact_handled", 0, 1, number / 1000, number, 1, number) for number in range(250)]

    insert(client, MOVED_FACTS, rows)

    found = client.query("SELECT count(), uniqExact(_part), max(offset) FROM moved_facts").result_rows
    assert found == [(250, 1, 249)]
