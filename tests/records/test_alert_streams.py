"""Steps about alerts: only about those that exist, and about nobody who was erased."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from floorpulse.worker import make_recorder
from records.core.heads import HeadList
from records.store.alerts import LATE_MS, ClickHouseAlerts
from records.store.audit import Audit, audit
from records.store.ledger import Ledger
from records.store.memory import MemoryLedgerStore
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import COMMAND_ADAPTER, Command, erased_stream
from schemas.times import from_ms
from tests.records.test_audit import stripped
from tests.records.test_ledger_store import NOON_MS, fetched

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Alerts:
    """Alerts and whom they are about, in memory."""

    def __init__(self, **subjects: str) -> None:
        self.known = subjects

    def subjects(self, alerts: Collection[str], seen_ms: int) -> dict[str, str]:
        return {alert: self.known[alert] for alert in alerts if alert in self.known}

    def fired(self, alerts: Collection[str]) -> dict[str, Transition]:
        return {alert: fired(alert, self.known[alert]) for alert in alerts if alert in self.known}


def fired(alert: str, subject: str) -> Transition:
    """How an alert fired at noon."""
    at = from_ms(NOON_MS)
    return Transition(
        alert=alert, sequence=1, state="firing", reason="breached", at=at, rule="slow", rule_version=3,
        subject=subject, kpi="aht_s", window="60m", window_from=at, window_to=at, value=700.0, n=9, threshold=600.0,
        severity="act", opens="coaching", team="t1", site="main", started_at=at,
    )  # fmt: skip


def alert_step(kind: str, alert: str, **body: Any) -> Command:
    fields = {"id": uuid4().hex, "stream": f"alert:{alert}", "by": "lead-1", "kind": kind, "body": body}
    return COMMAND_ADAPTER.validate_python(fields)


def test_a_step_about_an_alert_that_does_not_exist_is_refused() -> None:
    """The worker says so, whoever sent it; what was written as the reason is not kept."""
    store = MemoryLedgerStore()
    command = alert_step("dismiss_alert", "x", reason="Maria was ill that day")

    make_recorder(store, frozenset, Alerts(y="agent:a1")).record([fetched(command)])

    (entry,) = store.load(["alert:x"])["alert:x"]
    assert (entry.kind, entry.body["reason"], entry.body["detail"]) == (
        "command_refused", "unknown_record", "no alert x",
    )  # fmt: skip


def test_an_alert_that_exists_is_handled() -> None:
    """Beside one that does not, in one batch."""
    ledger = Ledger(MemoryLedgerStore(), alerts=Alerts(x="agent:a1"))
    commands = [alert_step("acknowledge_alert", alert) for alert in ("x", "y")]

    entries = ledger.handle_all([(command, NOON_MS) for command in commands])

    assert [(entry.stream, entry.kind) for entry in entries] == [
        ("alert:x", "alert_acknowledged"), ("alert:y", "command_refused"),
    ]  # fmt: skip


def test_an_escalation_takes_along_how_the_alert_fired() -> None:
    """Whoever it is handed on to has not seen it; other steps take nothing along, and one about no alert is refused."""
    ledger = Ledger(MemoryLedgerStore(), alerts=Alerts(x="agent:a1"))
    steps = [
        alert_step("acknowledge_alert", "x"),
        alert_step("escalate_alert", "x", reason="third time today"),
        alert_step("escalate_alert", "y", reason="nobody"),
    ]

    taken, escalated, refused = ledger.handle_all([(step, NOON_MS) for step in steps])

    assert taken.body == {}
    assert (escalated.kind, escalated.version) == ("alert_escalated", 2)
    assert escalated.body["reason"] == "third time today"
    assert Transition.model_validate(escalated.body["transition"]) == fired("x", "agent:a1")
    assert (refused.kind, refused.body["reason"]) == ("command_refused", "unknown_record")


def test_of_a_step_about_an_alert_of_somebody_erased_nothing_comes() -> None:
    """Also while the alert is still stored: what is written now would be there after the sweep."""
    erased = set[str]()
    store, alerts = MemoryLedgerStore(), Alerts(x="agent:a1")
    ledger = Ledger(store, erased=lambda: erased, alerts=alerts)
    ledger.handle(alert_step("acknowledge_alert", "x"), NOON_MS)
    erased.add("a1")

    answers = ledger.handle(alert_step("dismiss_alert", "x", reason="Maria was ill"), NOON_MS)

    assert answers == []
    assert [entry.kind for entry in store.load(["alert:x"])["alert:x"]] == ["alert_acknowledged"]


def test_no_stream_of_an_alert_is_remembered_when_others_are_erased() -> None:
    """The alert may have been about them: an answer out of memory would stand in a stream that is gone."""
    erased, stores = set[str](), [MemoryLedgerStore(), MemoryLedgerStore()]
    ledger = Ledger(stores[0], erased=lambda: erased)
    ledger.handle(alert_step("acknowledge_alert", "x"), NOON_MS)
    ledger._store = stores[1]  # what an erasure leaves
    erased.add("a1")

    (entry,) = ledger.handle(alert_step("acknowledge_alert", "x"), NOON_MS)

    assert (entry.sequence, entry.previous) == (1, "")


def test_an_alert_that_is_gone_is_not_answered_out_of_memory() -> None:
    """Even where nobody was told that somebody is erased."""
    alerts, stores = Alerts(x="agent:a1"), [MemoryLedgerStore(), MemoryLedgerStore()]
    ledger = Ledger(stores[0], alerts=alerts)
    ledger.handle(alert_step("acknowledge_alert", "x"), NOON_MS)
    ledger._store, alerts.known = stores[1], {}

    (entry,) = ledger.handle(alert_step("acknowledge_alert", "x"), NOON_MS)

    assert (entry.kind, entry.sequence) == ("command_refused", 1)


def test_no_chain_begins_again_for_an_alert_that_went_with_an_erasure() -> None:
    """A page of it may still be open, or the command be read again; heads that were kept of the alert go on to fit."""
    store, alerts = MemoryLedgerStore(), Alerts(x="agent:a1")
    Ledger(store, alerts=alerts).handle(alert_step("acknowledge_alert", "x"), NOON_MS)
    kept = HeadList("before", tuple(heads_of(store).heads), signed=False)
    store._streams = {erased_stream("alert:x"): dict(enumerate(stripped(store.load(["alert:x"])["alert:x"]), start=1))}
    alerts.known = {}

    answers = Ledger(store, erased=lambda: {"a1"}, alerts=alerts).handle(alert_step("acknowledge_alert", "x"), NOON_MS)

    assert answers == []
    assert heads_of(store, kept).broken == []


def heads_of(store: MemoryLedgerStore, *kept: HeadList) -> Audit:
    return audit(store, kept, lambda done, total: None)


@pytest.fixture
def client(shared_schema: Client) -> Client:
    """A store whose partition has come to noon, with one alert."""
    shared_schema.command("TRUNCATE TABLE subjects")
    shared_schema.command("TRUNCATE TABLE alert_transitions")
    shared_schema.insert(
        "alert_transitions", [["x", 1, "agent:a1"], ["x", 2, "agent:a1"]], column_names=["alert", "sequence", "subject"]
    )
    return shared_schema


def put_partition(client: Client, number: int, clock_ms: int) -> None:
    columns = ["subject", "hop", "kind", "partition", "clock"]
    client.insert(
        "subjects", [[f"floor.events:{number}", 1, "partition", number, from_ms(clock_ms)]], column_names=columns
    )


def test_clickhouse_says_whom_an_alert_is_about(client: Client) -> None:
    """Without those that it does not have."""
    put_partition(client, 0, NOON_MS)

    assert ClickHouseAlerts(client, event_clock=False).subjects(["x", "y"], NOON_MS) == {"x": "agent:a1"}


def test_clickhouse_says_how_an_alert_fired(client: Client) -> None:
    """The step that fired, not what came after it; the copied contacts stay where they are."""
    wanted = fired("f", "agent:a1")
    row = wanted.model_dump(exclude={"evidence", "receiver"})
    client.insert("alert_transitions", [list(row.values())], column_names=list(row))
    over = row | {"sequence": 2, "state": "resolved", "reason": "cleared", "value": 500.0}
    client.insert("alert_transitions", [list(over.values())], column_names=list(over))

    assert ClickHouseAlerts(client, event_clock=False).fired(["f", "none"]) == {"f": wanted}


def test_a_floor_that_is_still_read_again_refuses_nothing(client: Client) -> None:
    """After a restore the alert of an old command is found later: it waits for the last of the partitions."""
    put_partition(client, 0, NOON_MS)
    put_partition(client, 1, NOON_MS - LATE_MS - 1)
    alerts = ClickHouseAlerts(client, event_clock=False)

    with pytest.raises(Unavailable):
        alerts.subjects(["x", "y"], NOON_MS)

    assert alerts.subjects(["x"], NOON_MS) == {"x": "agent:a1"}


@pytest.mark.parametrize(("clock_ms", "event_clock"), [(NOON_MS - 86_400_000, True), (None, False)])
def test_where_no_clock_can_tell_there_is_no_waiting(client: Client, clock_ms: int | None, event_clock: bool) -> None:
    """Under the event clock, and on a floor without a checkpoint."""
    if clock_ms is not None:
        put_partition(client, 0, clock_ms)

    assert ClickHouseAlerts(client, event_clock=event_clock).subjects(["y"], NOON_MS) == {}
