"""`floorpulse data-quality`: every check with its rule, over all time or a range."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from sinks.quality import CHECKS

Run = Callable[..., Any]
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def quality(run_on_schema: Run, own_schema: Settings) -> Run:
    """The command on a store with a dead letter of each of two days."""
    rows = [["floor.events", 0, day, "future", AT + timedelta(days=day)] for day in range(2)]
    names = ["topic", "partition", "offset", "reason", "at"]
    client = clickhouse_client(own_schema)
    client.insert("dead_letters", rows, column_names=names)
    clock = [["floor.events:0", 1, "partition", AT + timedelta(days=3), -1, '{"base":0}']]
    client.insert("subjects", clock, column_names=["subject", "hop", "kind", "clock", "boundary", "body"])
    return lambda *arguments: run_on_schema("data-quality", *arguments)


def test_every_check_is_told_with_its_rule_and_what_to_do(quality: Run) -> None:
    """Over all time; what was not found is 0."""
    found = json.loads(quality("--format", "json").out)

    assert [finding["id"] for finding in found] == [check.id for check in CHECKS]
    assert {finding["id"]: finding["n"] for finding in found if finding["n"]} == {"future": 2}
    future = next(finding for finding in found if finding["id"] == "future")
    assert (future["where"], future["example"]) == ("floor.events", "floor.events:0:1")
    assert future["rule"]
    assert future["what_to_do"]


def test_a_range_holds_what_happened_in_it(quality: Run) -> None:
    """Local days of the zone asked for; as CSV with a head line."""
    ended = quality("--from", "2026-03-03", "--to", "2026-03-04", "--timezone", "Asia/Manila", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["count"] for row in rows if row["what"] == "Events from the future"] == ["1"]


def test_the_table_is_for_people(quality: Run) -> None:
    """One line a check, and exit code 0: trouble with the data is no failure of the command."""
    ended = quality()

    assert ended.code == 0, ended.err
    assert "Events from the future" in ended.out
    assert "Set the clock of the source, then send the events again." in ended.out


def test_a_range_that_ends_before_it_begins_is_refused(quality: Run) -> None:
    """In one line."""
    ended = quality("--from", "2026-03-03", "--to", "2026-03-02")

    assert (ended.code, ended.err) == (2, "--to: expected an instant after --from\n")
