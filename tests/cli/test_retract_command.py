"""`floorpulse retract`: what it says before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.events import ContactOffered, encode, subject_of
from schemas.times import to_ms
from sources.readers.ingests import Ingest, Ingests

Run = Callable[..., Any]
NOW = datetime.now(UTC).replace(microsecond=0)


def days_ago(days: float) -> datetime:
    """An instant so long ago."""
    return NOW - timedelta(days=days)


def told(at: datetime) -> str:
    """An instant as the command prints it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


@pytest.fixture
def client(own_schema: Settings) -> Client:
    """A store of its own."""
    return clickhouse_client(own_schema)


@pytest.fixture
def put_ingest(client: Client) -> Callable[[datetime, datetime], None]:
    """Stores ingest 1, which came at an instant, with two facts of another."""

    def put(came: datetime, at: datetime) -> None:
        run = Ingest(1, "hash", "calls.csv", "csv", "crm", came)
        Ingests(client, lambda: came).finish(run, rows=2, events=2, rejected=0)
        events = [ContactOffered(source="crm", id=f"o{n}", at=at, contact=f"c{n}", queue="sales") for n in range(2)]
        rows = [
            [e.type, subject_of(e), e.at, e.source, e.id, encode(e).decode(), n, 1, 1] for n, e in enumerate(events)
        ]
        names = ["type", "subject", "at", "source", "id", "payload", "offset", "version", "ingest"]
        client.insert("events", rows, column_names=names)

    return put


@pytest.fixture
def put_log(client: Client) -> Callable[[float], None]:
    """Stores the checkpoint of a partition whose first record came so many days ago."""

    def put(days: float) -> None:
        row = ["floor.events:0", 1, "partition", NOW, 9, f'{{"first_broker":{to_ms(days_ago(days))}}}', 9]
        names = ["subject", "hop", "kind", "clock", "rows", "body", "version"]
        client.insert("subjects", [row], column_names=names)

    return put


def test_a_dry_run_says_what_would_be_taken_back(
    run_on_schema: Run, put_ingest: Callable[[datetime, datetime], None]
) -> None:
    """File, count, time and kinds; nothing is sent, so no Kafka is needed."""
    at = days_ago(1)
    put_ingest(NOW, at)

    ended = run_on_schema("retract", "--ingest", "1", "--dry-run")

    assert ended.code == 0, ended.err
    span = f"{at:%Y-%m-%d %H:%M} to {told(at)}"
    assert ended.err == f"ingest 1 (calls.csv, finished): 2 facts, {span}: contact_offered 2\n"


def test_what_is_taken_back_is_told_in_utc(
    run_on_schema: Run, put_ingest: Callable[[datetime, datetime], None]
) -> None:
    """Whatever offset the times of the file have."""
    at = days_ago(1)
    put_ingest(NOW, at.astimezone(timezone(timedelta(hours=8))))

    ended = run_on_schema("retract", "--ingest", "1", "--dry-run")

    assert f"2 facts, {at:%Y-%m-%d %H:%M} to {told(at)}: " in ended.err


def test_an_ingest_that_never_was_is_refused(
    run_on_schema: Run, put_ingest: Callable[[datetime, datetime], None]
) -> None:
    """With the last one that there is."""
    put_ingest(NOW, NOW)

    ended = run_on_schema("retract", "--ingest", "7", "--yes")

    assert (ended.code, ended.err) == (2, "--ingest 7: no such ingest; the last one is 1\n")


def test_facts_that_are_too_old_are_refused_before_anything_is_done(
    run_on_schema: Run,
    client: Client,
    put_ingest: Callable[[datetime, datetime], None],
    put_log: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What takes them back would come too late: nothing is sent, and the ingest is not marked."""
    monkeypatch.setattr("floorpulse.drain.drain", lambda *_: None)  # there is no Kafka to wait for
    put_ingest(days_ago(20), days_ago(40))
    put_log(60)

    ended = run_on_schema("retract", "--ingest", "1", "--yes")

    assert ended.code == 2
    said = f"ingest 1 (calls.csv): has facts of {told(days_ago(40))}, but facts can be taken back from "
    assert ended.err.startswith(said)
    assert ended.err.count("\n") == 1
    kept = Ingests(client, lambda: NOW).numbered(1)
    assert kept is not None
    assert kept.state == "finished"


@pytest.mark.parametrize(
    ("facts_days", "log_days", "events_days", "code"),
    [(32, 60, 35, 0), (34, 60, 35, 2), (300, 30, 35, 0), (300, 30, 7, 2), (50, 60, 90, 0)],
)
def test_how_far_back_it_reaches(  # noqa: PLR0917  the fixtures and what is said of the floor
    run_on_schema: Run,
    put_ingest: Callable[[datetime, datetime], None],
    put_log: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    facts_days: int,
    log_days: int,
    events_days: int,
    code: int,
) -> None:
    """As far as the engines take facts: by the setting, and all history while the log is younger than that."""
    monkeypatch.setenv("FLOORPULSE_RETENTION_EVENTS_DAYS", str(events_days))
    monkeypatch.setenv("FLOORPULSE_RETENTION_MINUTES_DAYS", str(events_days))
    put_ingest(days_ago(1), days_ago(facts_days))
    put_log(log_days)

    assert run_on_schema("retract", "--ingest", "1", "--dry-run").code == code


def test_an_ingest_from_before_raw_events_are_kept_is_refused(
    run_on_schema: Run, put_ingest: Callable[[datetime, datetime], None], client: Client
) -> None:
    """Its facts may have expired and still count: that nothing of it is found does not mean that nothing is left."""
    put_ingest(days_ago(36), days_ago(36))
    client.command("TRUNCATE TABLE events SYNC")

    ended = run_on_schema("retract", "--ingest", "1", "--dry-run")

    assert ended.code == 2
    assert ended.err.startswith(f"ingest 1 (calls.csv): came at {told(days_ago(36))}, but raw events are kept from ")
