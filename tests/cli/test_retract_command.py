"""`floorpulse retract`: what it says before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.events import ContactOffered, encode, subject_of
from sources.readers.ingests import Ingest, Ingests

Run = Callable[..., Any]
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def retract(run_on_schema: Run, own_schema: Settings) -> Run:
    """The command on a store with one ingest of two facts, and no Kafka."""
    client = clickhouse_client(own_schema)
    Ingests(client, lambda: AT).finish(Ingest(1, "hash", "calls.csv", "csv", "crm", AT), rows=2, events=2, rejected=0)
    events = [ContactOffered(source="crm", id=f"o{n}", at=AT, contact=f"c{n}", queue="sales") for n in range(2)]
    rows = [[e.type, subject_of(e), e.at, e.source, e.id, encode(e).decode(), n, 1, 1] for n, e in enumerate(events)]
    names = ["type", "subject", "at", "source", "id", "payload", "offset", "version", "ingest"]
    client.insert("events", rows, column_names=names)
    return lambda *arguments: run_on_schema("retract", *arguments)


def test_a_dry_run_says_what_would_be_taken_back(retract: Run) -> None:
    """File, count, time and kinds; nothing is sent, so no Kafka is needed."""
    ended = retract("--ingest", "1", "--dry-run")

    assert ended.code == 0, ended.err
    assert ended.err == (
        "ingest 1 (calls.csv, finished): 2 facts, 2026-03-02 10:00 to 2026-03-02 10:00 UTC: contact_offered 2\n"
    )


def test_an_ingest_that_never_was_is_refused(retract: Run) -> None:
    """With the last one that there is."""
    ended = retract("--ingest", "7", "--yes")

    assert (ended.code, ended.err) == (2, "--ingest 7: no such ingest; the last one is 1\n")
