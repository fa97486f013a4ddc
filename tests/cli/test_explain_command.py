"""`floorpulse explain`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.controls import Ticked
from schemas.events import ContactAnswered, ContactHandled, FloorEvent, StateChanged, encode
from schemas.registry import Floor, Queue, ServiceLevelGoal
from schemas.times import to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.registry import store_registry
from streams.core.log import Item
from tests.cli.conftest import point_at
from tests.conftest import Schemas
from tests.streams.runs import new_engine

Run = Callable[..., Any]
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
MORNING = ("--from", "2026-03-02T10:00", "--to", "2026-03-02T12:00")
WHO = ("--agent", "a1")


def handled(number: int, **changes: Any) -> ContactHandled:
    """A contact of a1 that ended that many minutes after ten."""
    at = AT + timedelta(minutes=number)
    values: dict[str, Any] = {"source": "acd", "id": f"h{number}", "at": at, "contact": f"c{number}", "agent": "a1"}
    return ContactHandled(**values | {"started_at": at, "talk_s": 60.0, "queue": "sales"} | changes)


TOLD: tuple[FloorEvent, ...] = (
    StateChanged(source="acd", id="s1", at=AT, agent="a1", state="ready"),
    handled(5),
    handled(6),
    handled(6, revision=1, talk_s=90.0),
    handled(7, revision=1, void=True),
    ContactAnswered(source="acd", id="q1", at=AT, contact="c5", queue="sales", waited_s=25.0),
    StateChanged(source="acd", id="s2", at=AT + timedelta(hours=1), agent="a1", state="offline"),
)


def tell(settings: Settings) -> None:
    """Store `TOLD`; the queue's contract says 30 s by variant 2."""
    with closing(clickhouse_client(settings)) as client:
        sales = Queue(id="sales", service_level=ServiceLevelGoal(variant=2, threshold_s=30))
        store_registry(client, Floor(queues=[sales]), "lead", AT)
        engine = new_engine(event_clock=True)
        for offset, event in enumerate((*TOLD, Ticked(at=AT + timedelta(hours=3)))):
            engine.apply(Item(offset, to_ms(AT) + 9_000_000 + offset, encode(event), b"", event, content=offset))
        engine.take_outbox()
        ClickHouseSink(client).write([engine.freeze()])


@pytest.fixture(scope="module")
def told(schemas: Schemas) -> Iterator[Settings]:
    """A store that holds `TOLD`: the command only reads."""
    with schemas.lent() as settings:
        tell(settings)
        yield settings


@pytest.fixture
def explain(run: Run, told: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on that store."""
    point_at(told, monkeypatch)
    return lambda *arguments: run("explain", *arguments)


def test_a_figure_is_told_with_its_definition_its_parts_and_its_facts(explain: Run) -> None:
    """Numerator, denominator, n, value; a line for each fact; corrections; and the word on the panes."""
    ended = explain("aht_s", *WHO, *MORNING)

    assert ended.code == 0, ended.err
    assert ended.out.startswith("Handle time (aht_s) of agent a1, 2026-03-02 10:00:00 to 2026-03-02 12:00:00 UTC\n")
    assert "Talk, hold and wrap divided by contacts handled. Source: AWS." in ended.out
    assert "numerator    talk_ms + hold_ms + wrap_ms = 150,000 ms\n" in ended.out
    assert "denominator  handled = 2\n" in ended.out
    assert "n            2, fewer than the 5 from which it is judged\n" in ended.out
    assert "value        1:15 (75.0 s)\n" in ended.out
    assert "facts behind it: 2\n" in ended.out
    assert "c6: talk 90, hold 0, wrap 0 s" in ended.out
    assert "talk_s 60.0 -> 90.0" in ended.out
    assert ended.out.endswith("stored panes agree: 63 compared\n")


def test_the_same_as_json(explain: Run) -> None:
    """Every part by its name; `--limit` cuts what is listed, not what is counted."""
    found = json.loads(explain("aht_s", *WHO, *MORNING, "--format", "json", "--limit", "1").out)

    assert (found["agent"], found["value"], found["n"], found["facts"]) == ("a1", 75.0, 2, 2)
    assert found["terms"] == {"talk_ms": 150_000, "hold_ms": 0, "wrap_ms": 0, "handled": 2}
    assert [(fact["id"], fact["numerator"], fact["denominator"]) for fact in found["listed"]] == [("h5", 60_000, 1)]
    assert [(step["id"], step["numerator"]) for step in found["corrections"]] == [("h6", [60_000, 90_000])]
    assert found["stored"] == {"agree": True, "panes": 63, "differences": []}


def test_a_queue_is_explained_by_its_own_contract(explain: Run) -> None:
    """Variant and threshold are those of the registry, unless others are asked for."""
    contract = explain("service_level", "--queue", "sales", *MORNING)
    other = explain("service_level", "--queue", "sales", *MORNING, "--variant", "gfs", "--threshold", "20")

    assert "Answered within T, divided by answered.\nT = 30 s, S = 5 s" in contract.out
    assert "numerator    answered<=30s = 1\n" in contract.out
    assert "value        100.00 % (1.0)" in contract.out
    assert "denominator  answered + abandoned>5s + flowed_out = 1\n" in other.out
    assert "value        0.00 % (0.0)" in other.out


def test_a_pane_that_differs_ends_it_with_1(run_on_schema: Run, own_schema: Settings) -> None:
    """It says which, and what to do."""
    tell(own_schema)
    client = clickhouse_client(own_schema)
    client.command("ALTER TABLE agent_minutes UPDATE handled = 3 WHERE handled = 1 SETTINGS mutations_sync = 1")

    ended = run_on_schema("explain", "handled", *WHO, *MORNING)

    assert ended.code == 1
    assert "stored panes differ from the raw events: 2 sums" in ended.out
    assert "floorpulse reconcile --repair" in ended.out


@pytest.mark.parametrize(("since", "code"), [("2026-03-02", 2), ("2026-03-04T23:59", 2), ("2026-03-05", 0)])
def test_a_range_whose_raw_events_may_have_expired_is_refused(
    run_on_schema: Run, own_schema: Settings, since: str, code: int
) -> None:
    """What is left of them would make another figure; from the third day on everything that counts is there."""
    tell(own_schema)
    with closing(clickhouse_client(own_schema)) as client:
        client.command("INSERT INTO pane_days SELECT '2026-03-02', now64(3) - toIntervalDay(36), now64(3), 0")
        client.command("TRUNCATE TABLE events SYNC")

    ended = run_on_schema("explain", "handled", *WHO, "--from", since, "--to", "2026-03-07", "--format", "json")

    said = "--from: raw events are kept from 2026-03-05 00:00 UTC on, and figures can be explained from then on only\n"
    assert (ended.code, ended.err) == (code, said if code else "")
    assert bool(ended.out) == (not code)


def test_a_figure_of_a_view_is_defined_and_pointed_to(explain: Run) -> None:
    """It is no sum of panes; nobody needs to be named for a definition."""
    ended = explain("backlog")

    assert ended.code == 0
    assert ended.out.startswith("Backlog (backlog)\nTickets open at the end of the interval")
    assert "ask the view backlog" in ended.out
    assert json.loads(explain("time_in_state_s", "--format", "json").out)["ask"].startswith("the table subjects")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("aht", *WHO, *MORNING), "aht: no such KPI; expected one of abandon_rate, abandon_rate_beyond_short, "),
        (("aht_s", *MORNING), "expected one of --agent, --queue and --team, found 0 of them"),
        (("aht_s", *WHO, "--team", "t1", *MORNING), "expected one of --agent, --queue and --team, found 2 of them"),
        (("occupancy", "--queue", "sales", *MORNING), "--queue: occupancy is not its own; expected --agent or --team"),
        (("aht_s", *WHO, "--from", "2026-03-02"), "--to: expected a day or an instant, found nothing"),
        (("aht_s", *WHO, "--from", "2026-03-02", "--to", "2026-03-02"), "--to 2026-03-02: expected an instant after"),
        (("aht_s", "--team", "t9", *MORNING), "--team t9: no such team"),
        (("aht_s", "--agent", "a9", *MORNING), "--agent a9: nothing was ever counted for it"),
        (("service_level", "--queue", "sales", *MORNING, "--variant", "6"), "--variant 6: expected one of 1, 2, 3"),
        (("aht_s", "--queue", "sales", *MORNING, "--variant", "2"), "--variant 2: only service_level has formulas"),
        (("service_level", "--queue", "sales", *MORNING, "--threshold", "7"), "--threshold 7: expected one of 5, 10"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_line(
    explain: Run, arguments: tuple[str, ...], message: str
) -> None:
    """With what was expected; exit code 2."""
    ended = explain(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(message)
    assert ended.err.count("\n") == 1
