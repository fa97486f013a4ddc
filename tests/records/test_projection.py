"""What people read of the ledger, out of a real ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from records.store.projection import Filter, alert_exists, alerts, case, cases, outcome
from schemas.alerts import Transition
from schemas.records import COMMAND_ADAPTER, Command, case_id, open_command
from schemas.times import to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = to_ms(NOON)
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("acknowledge_case", {}),
    ("plan_case", {"goal": "back within the hour", "due": "2026-03-16"}),
    ("hold_session", {"shared_notes": "we looked at the day", "private_notes": "tired"}),
    ("close_case", {"outcome": "improved"}),
]


def fired(**changes: Any) -> Transition:
    values: dict[str, Any] = {
        "alert": "alert-1",
        "sequence": 1,
        "state": "firing",
        "reason": "breached",
        "at": NOON,
        "rule": "long-away",
        "rule_version": 1,
        "subject": "agent:a1",
        "kpi": "away_s",
        "window": "60m",
        "window_from": NOON,
        "window_to": NOON,
        "value": 1800.0,
        "n": 3,
        "threshold": 900.0,
        "severity": "act",
        "opens": "coaching",
        "team": "t1",
        "site": "main",
        "started_at": NOON,
    }
    return Transition(**{**values, **changes})


@pytest.fixture(scope="module")
def client(shared_schema: Client) -> Client:
    """A client of a database that only this file uses, with the whole schema."""
    return shared_schema


@pytest.fixture
def agent() -> str:
    """A stream that no other test uses."""
    return f"agent:{uuid4().hex}"


def step(agent: str, kind: str, **values: Any) -> Command:
    fields = {"id": f"{agent}/{kind}", "stream": agent, "record": case_id(agent), "by": "lead-1", "kind": kind}
    return COMMAND_ADAPTER.validate_python({**fields, **values})


def tell(client: Client, agent: str, steps: int) -> None:
    """A case with its first steps; its alert has the id of the agent."""
    first = open_command(fired(subject=agent, alert=agent), "coaching")
    assert first is not None
    commands = [first, *(step(agent, kind, body=body) for kind, body in STEPS[:steps])]
    Ledger(ClickHouseLedgerStore(client)).handle_all(
        [(command, NOON_MS + 1000 * index) for index, command in enumerate(commands)]
    )


def store_alert(client: Client, *steps: Transition) -> None:
    rows = [{**step.model_dump(), "evidence": "[]", "version": step.sequence} for step in steps]
    client.insert("alert_transitions", [list(row.values()) for row in rows], column_names=list(rows[0]))


@pytest.mark.parametrize(
    ("steps", "state"), list(enumerate(["proposed", "acknowledged", "planned", "session_held", "closed"]))
)
def test_the_list_says_the_state_that_the_entries_fold_to(client: Client, agent: str, steps: int, state: str) -> None:
    """SQL and the fold in Python agree after each step."""
    tell(client, agent, steps)

    [row] = cases(client, Filter(subject=agent))
    found = case(client, case_id(agent))

    assert found is not None
    assert (row.state, row.version) == (found.case.state, found.case.version) == (state, steps + 1)


def test_a_row_of_the_list_says_what_the_case_is_about(client: Client, agent: str) -> None:
    """KPI, rule, owner, due day, outcome, alerts and instants."""
    tell(client, agent, 4)

    [row] = cases(client, Filter(subject=agent))

    assert (row.id, row.kind, row.kpi, row.rule, row.team) == (case_id(agent), "coaching", "away_s", "long-away", "t1")
    assert (row.owner, row.due, row.outcome, row.alerts) == ("lead-1", "2026-03-16", "improved", 1)
    assert (row.opened_at, row.changed_at) == (NOON, NOON + timedelta(seconds=4))


@pytest.mark.parametrize(("state", "found"), [("", 1), ("open", 0), ("closed", 1), ("planned", 0)])
def test_open_means_not_closed(client: Client, agent: str, state: str, found: int) -> None:
    """A closed case is in the list of all and of the closed ones."""
    tell(client, agent, 4)

    assert len(cases(client, Filter(subject=agent, state=state))) == found


def test_a_case_shows_its_entries_with_refusals_and_evidence(client: Client, agent: str) -> None:
    """Who did what, and the alert that opened it."""
    tell(client, agent, 0)
    Ledger(ClickHouseLedgerStore(client)).handle(step(agent, "plan_case", body=STEPS[1][1]), NOON_MS)

    found = case(client, case_id(agent))

    assert found is not None
    assert [entry.kind for entry in found.entries] == ["case_opened", "command_refused"]
    assert [alert["alert"] for alert in found.alerts] == [agent]


def test_an_unknown_case_is_none(client: Client) -> None:
    """Not an error: the reader says so."""
    assert case(client, "nowhere") is None


def test_the_outcome_of_a_command_is_found_by_its_id(client: Client, agent: str) -> None:
    """Empty until the ledger has answered."""
    tell(client, agent, 1)

    assert [entry.kind for entry in outcome(client, f"{agent}/acknowledge_case")] == ["case_acknowledged"]
    assert outcome(client, f"{agent}/plan_case") == ()


def test_an_alert_is_listed_with_what_people_did_and_its_case(client: Client, agent: str) -> None:
    """The numbers are those of the firing, the state is the newest."""
    tell(client, agent, 0)
    resolved = fired(subject=agent, alert=agent, sequence=2, state="resolved", reason="cleared", value=None, n=9)
    store_alert(client, fired(subject=agent, alert=agent), resolved)
    quiet = step(agent, "acknowledge_alert", stream=f"alert:{agent}", record=None)
    Ledger(ClickHouseLedgerStore(client)).handle(quiet, NOON_MS)

    [row] = alerts(client, Filter(subject=agent))

    assert (row.state, row.reason, row.value, row.n) == ("resolved", "cleared", 1800.0, 3)
    assert (row.handling, row.handled_by, row.version, row.case) == ("acknowledged", "lead-1", 1, case_id(agent))


@pytest.mark.parametrize(("state", "found"), [("", 1), ("open", 1), ("firing", 1), ("resolved", 0)])
def test_an_untouched_alert_is_new_and_open(client: Client, agent: str, state: str, found: int) -> None:
    """Firing and not dismissed."""
    store_alert(client, fired(subject=agent, alert=agent))

    rows = alerts(client, Filter(subject=agent, state=state))

    assert [(row.handling, row.version, row.case) for row in rows] == [("new", 0, "")] * found
    assert alert_exists(client, agent)
