"""The cases and alerts that the lists hold: bounded, whatever the ledger has gathered over the years."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from floorpulse.settings import Settings
from floorpulse.web import queries, record_queries
from floorpulse.web.app import create_web
from floorpulse.web.held import Held
from floorpulse.wiring import clickhouse_client
from schemas.alerts import Transition
from schemas.records import AcknowledgeAlert, AcknowledgeCase, CloseCase, Closing, RecordEvent
from schemas.times import DAY_MS, MINUTE_MS, from_ms
from tests.web.conftest import LedgerHere, StoredFloor

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def opened(
    stored_floor: StoredFloor, fired: Callable[..., Transition], open_case: Callable[[Transition], str]
) -> Callable[[int], str]:
    """Opens the case of agent number n, n minutes after that of number 0."""

    def open_(number: int) -> str:
        transition = fired(stored_floor.now_ms, alert=f"a{number}", subject=f"agent:{number}")
        moved = transition.model_copy(update={"at": transition.at + timedelta(minutes=number)})
        stored_floor.alert(moved)
        return open_case(moved)

    return open_


@pytest.fixture
def read(stored_floor: StoredFloor) -> Callable[..., None]:
    """Reads what is new, as the poller does."""

    def read_(held: Held, *gone: str) -> None:
        held.read(stored_floor.client, queries.pulse(stored_floor.client).steps, frozenset(gone))

    return read_


def test_a_new_step_is_seen_though_a_copy_went(stored_floor: StoredFloor, fired: Callable[..., Transition]) -> None:
    """After a crash steps are stored twice; as a merge drops the copies, the count of rows may stay what it was."""
    for _ in range(2):
        stored_floor.alert(fired(stored_floor.now_ms, alert="a1"))
    before = queries.pulse(stored_floor.client)

    stored_floor.alert(fired(stored_floor.now_ms, alert="a2"))
    stored_floor.client.command("OPTIMIZE TABLE alert_transitions FINAL")
    after = queries.pulse(stored_floor.client)

    assert (before.steps, after.steps) == (2, 2)
    assert after.marks != before.marks


def test_open_cases_come_before_closed_ones_and_the_counts_are_of_all(
    read: Callable[..., None],
    ledger: LedgerHere,
    opened: Callable[[int], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With room for two: the one that is open, and of the closed ones that which changed last."""
    monkeypatch.setattr(record_queries, "MAX_CASES", 2)
    cases = [opened(number) for number in range(4)]
    for number in (3, 1, 2):
        stream, body = f"agent:{number}", Closing(outcome="improved")
        ledger.send(CloseCase(id=f"close-{number}", stream=stream, record=cases[number], by="lead", body=body))
    held = Held()

    read(held)

    assert set(held.cases) == {cases[0], cases[2]}
    assert (held.listed.cases, held.listed.open_cases) == (4, 1)


def test_only_what_changed_is_read_again(
    read: Callable[..., None],
    ledger: LedgerHere,
    opened: Callable[[int], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading everything each time took longer with every case that a floor ever had."""
    asked: list[list[str]] = []
    ledger_of = record_queries.ledger

    def noted(client: Client, records: Sequence[str]) -> list[RecordEvent]:
        asked.append(sorted(records))
        return ledger_of(client, records)

    monkeypatch.setattr(record_queries, "ledger", noted)
    cases = [opened(number) for number in range(2)]
    held = Held()

    read(held)
    read(held)
    ledger.send(AcknowledgeCase(id="c1", stream="agent:1", record=cases[1], by="lead"))
    ledger.send(AcknowledgeAlert(id="c2", stream="alert:a0", by="lead"))
    read(held)

    assert asked == [sorted(cases), sorted([cases[1], "a0"])]
    assert {case: held.cases[case].state for case in cases} == {cases[0]: "proposed", cases[1]: "acknowledged"}
    assert held.marks["a0"].handling.state == "acknowledged"


def test_an_alert_is_held_by_its_latest_step(
    read: Callable[..., None], stored_floor: StoredFloor, fired: Callable[..., Transition]
) -> None:
    """Whatever order the steps are read in; a step that was stored again changes nothing."""
    held, steps = Held(), [fired(stored_floor.now_ms, sequence=number + 1) for number in range(3)]
    stored_floor.alert(steps[1])
    read(held)
    for step in (steps[2], steps[0], steps[1]):
        stored_floor.alert(step)

    read(held)

    assert [(row.alert, row.sequence) for row in held.shown] == [("a1", 3)]


def test_all_that_fire_are_held_and_of_the_others_those_that_ended_last(
    read: Callable[..., None],
    stored_floor: StoredFloor,
    fired: Callable[..., Transition],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old ones that fire come into view again when newer ones have ended."""
    monkeypatch.setattr(record_queries, "MAX_ALERTS", 2)
    held = Held()
    alerts = [fired(stored_floor.now_ms - number * MINUTE_MS, alert=f"a{number}") for number in range(4)]
    stored_floor.alert(alerts[0])
    read(held)
    for alert in alerts[1:]:
        stored_floor.alert(alert)
    read(held)
    all_fire = [row.alert for row in held.shown]
    for alert in alerts[:3]:
        ended = alert.at + timedelta(seconds=1)
        stored_floor.alert(alert.model_copy(update={"sequence": 2, "state": "resolved", "at": ended}))

    read(held)

    assert all_fire == ["a0", "a1"]
    assert [row.alert for row in held.shown] == ["a3", "a0"]
    assert set(held.alerts) == {"a3", "a0", "a1"}


def test_steps_that_were_deleted_are_held_no_longer(
    read: Callable[..., None], stored_floor: StoredFloor, fired: Callable[..., Transition]
) -> None:
    """Those of somebody who is erased; with the revision that erases them already."""
    held = Held()
    for number in range(3):
        stored_floor.alert(fired(stored_floor.now_ms, alert=f"a{number}", subject=f"agent:{number}"))
    read(held)

    read(held, "agent:2")
    without_two = set(held.alerts)
    stored_floor.client.command("DELETE FROM alert_transitions WHERE alert = 'a1'")
    read(held)

    assert without_two == {"a0", "a1"}
    assert set(held.alerts) == {"a0", "a2"}


def test_the_list_says_how_many_cases_there_are(
    web_settings: Settings,
    ledger: LedgerHere,
    opened: Callable[[int], str],
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And where the others are; the header counts all that are open."""
    monkeypatch.setattr(record_queries, "MAX_CASES", 1)
    for number in range(3):
        opened(number)
    answering: Any = ledger

    with TestClient(create_web(web_settings, partial(clickhouse_client, web_settings), answering)) as web:
        wait_until(lambda: "1 of 3 cases" in web.get("/cases").text)
        page = web.get("/cases").text

    assert page.count('data-testid="case"') == 1
    assert 'id="count-cases" data-key="count-cases">3<' in page


def test_who_has_been_away_for_long_is_not_read(stored_floor: StoredFloor) -> None:
    """Everybody who ever left the company stays in the store; the board reads who is there or was a day ago."""
    client, now, long_ago = stored_floor.client, stored_floor.now_ms, from_ms(stored_floor.now_ms - 3 * DAY_MS)
    for agent, state in (("left", "offline"), ("unknown", ""), ("stays", "ready")):
        stored_floor.agent(agent, state, clock=long_ago)
    client.insert(
        "windows", [["agent:left", "day", long_ago, 1]], column_names=["subject", "window", "closed_at", "hop"]
    )

    agents = {row.id for row in queries.subjects(client, now - DAY_MS)}
    windows = {row.subject for row in queries.windows(client, now - DAY_MS)}

    assert agents == {"a0412", "a0388", "billing", "stays"}
    assert windows == {"queue:billing", "agent:a0388"}
