"""A floor as the worker would have stored it, written row by row, and the ledger answering at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from floorpulse.clock import now_ms
from floorpulse.commands import Outcome
from floorpulse.settings import Settings
from floorpulse.web.app import create_web
from floorpulse.wiring import clickhouse_client
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from schemas.alerts import Evidence, Transition
from schemas.records import Command, open_command
from schemas.registry import Floor
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms
from sinks.registry import store_registry, store_rules

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Wait = Callable[[Callable[[], object]], None]

RULES = """
rules:
  - id: short-calls-day
    name: Many short calls
    text: At least 15 % of the contacts of the day ended within 10 seconds of talk.
    kpi: short_call_share
    subject: agent
    window: 60m
    comparison: ">="
    threshold: 0.15
    clear: 0.10
    min_n: 20
    severity: act
    opens: coaching
    pairs_with: quality-day
  - id: quality-day
    name: Quality low
    text: The evaluations of the day are below 80 %.
    kpi: quality
    subject: agent
    window: day
    comparison: "<"
    threshold: 80
    min_n: 3
  - id: service-level-30m
    name: Service level low
    text: Too few contacts of the last 30 minutes were answered in time.
    kpi: service_level
    subject: queue
    window: 30m
    comparison: "<"
    threshold: 0.8
    clear: 0.85
    min_n: 20
    severity: act
"""
FLOOR = {
    "sites": [{"id": "main", "timezone": "UTC"}],
    "teams": [{"id": "aster", "name": "Aster", "lead": "l1"}, {"id": "briar", "name": "Briar"}],
    "queues": [{"id": "billing", "name": "Billing", "service_level": {"variant": 4, "threshold_s": 20, "goal": 0.8}}],
    "reason_codes": [{"id": "break", "limit_s": 900}],
    "targets": [{"kpi": "aht_s", "value": 330}, {"kpi": "abandon_rate", "value": 0.05}],
}


@dataclass
class StoredFloor:
    """Writes what the worker writes; each call makes newer rows than the one before."""

    client: Client
    now_ms: int
    version: int = 0

    def registry(self, **changed: Any) -> None:
        """The next revision of the registry: the first one with these parts in place of its own."""
        store_registry(self.client, Floor.model_validate(FLOOR | changed), "lead", datetime.now(UTC))

    def partition(self, clock_ms: int | None = None) -> None:
        """The partition's own row: its clock and that it was stored now."""
        at = from_ms(clock_ms or self.now_ms)
        self._insert("subjects", subject="floor.events:0", hop=1, kind="partition", clock=at, rows=1, **self._stamp())

    def agent(self, id_: str, state: str = "ready", since_ms: int | None = None, **more: Any) -> None:
        """An agent in a state."""
        row = {"team": "aster", "since": from_ms(since_ms or self.now_ms), "clock": from_ms(self.now_ms)} | more
        self._insert("subjects", subject=f"agent:{id_}", hop=1, kind="agent", state=state, **row, **self._stamp())

    def queue(self, id_: str, waiting: int = 0, oldest_ms: int | None = None) -> None:
        """A queue with contacts that wait."""
        oldest = from_ms(oldest_ms or 0)
        row = {"waiting": waiting, "oldest_wait_at": oldest, "clock": from_ms(self.now_ms)}
        self._insert("subjects", subject=f"queue:{id_}", hop=1, kind="queue", **row, **self._stamp())

    def window(self, subject: str, window: str, **sums: int) -> None:
        """A window that stands as of now."""
        opened = self.now_ms - (DAY_MS // 24 if window != "day" else self.now_ms % DAY_MS)
        instants = {"opened_at": from_ms(opened), "closed_at": from_ms(self.now_ms)}
        named = {key.replace("__", ":"): value for key, value in sums.items()}
        self._insert("windows", subject=subject, window=window, sums=named, hop=1, **instants, **self._stamp())

    def agent_minute(self, agent: str, at_ms: int, queue: str = "billing", **columns: int) -> None:
        """Sums of one minute of an agent."""
        minute = from_ms(at_ms - at_ms % MINUTE_MS)
        self._insert("agent_minutes", agent=agent, minute=minute, queue=queue, **columns, **self._stamp())

    def queue_minute(self, queue: str, at_ms: int, **columns: Any) -> None:
        """Sums of one minute of a queue."""
        minute = from_ms(at_ms - at_ms % MINUTE_MS)
        self._insert("queue_minutes", queue=queue, minute=minute, channel="voice", **columns, **self._stamp())

    def alert(self, transition: Transition) -> None:
        """A step of an alert."""
        row = transition.model_dump(exclude={"evidence"})
        evidence = json.dumps([item.model_dump(mode="json") for item in transition.evidence])
        self._insert("alert_transitions", **row, evidence=evidence, **self._stamp())

    def _stamp(self) -> dict[str, Any]:
        self.version += 1
        return {"version": self.version, "stored_at": from_ms(now_ms())}

    def _insert(self, table: str, **row: Any) -> None:
        self.client.insert(table, [list(row.values())], column_names=list(row))


def fired_at(now: int, **more: Any) -> Transition:
    """An alert of an agent's short calls that fired six minutes ago."""
    at = from_ms(now - 6 * MINUTE_MS)
    values: dict[str, Any] = {
        "alert": "a1", "sequence": 1, "state": "firing", "reason": "breached", "at": at,
        "rule": "short-calls-day", "rule_version": 1, "subject": "agent:a0412", "kpi": "short_call_share",
        "window": "60m", "window_from": from_ms(now - HOUR_MS - 6 * MINUTE_MS), "window_to": at, "value": 0.31, "n": 42,
        "threshold": 0.15, "severity": "act", "opens": "coaching", "team": "aster", "site": "main", "started_at": at,
        "evidence": [Evidence(contact=f"c-{i}", at=from_ms(now - i * 7 * MINUTE_MS), what="talk_s", value=3 + i)
                     for i in range(1, 5)],
    }  # fmt: skip
    return Transition.model_validate(values | more)


class LedgerHere:
    """Commands decided by the real ledger at once, without Kafka in between."""

    def __init__(self, client: Client) -> None:
        self._ledger = Ledger(ClickHouseLedgerStore(client))
        self.waiting: list[Command] = []
        self.is_behind = False
        """True: it takes commands and decides none."""

    def send(self, command: Command) -> Outcome:
        """Decide and store."""
        if self.is_behind:
            self.waiting.append(command)
            return Outcome("pending", command.id)
        entries = tuple(self._ledger.handle(command, now_ms()))
        return Outcome("refused" if entries[0].kind == "command_refused" else "accepted", command.id, entries)


@pytest.fixture
def web_settings(own_schema: Settings) -> Settings:
    """A store with the schema, a registry and two rules."""
    client = clickhouse_client(own_schema)
    store_registry(client, Floor.model_validate(FLOOR), "lead", datetime(2026, 1, 1, tzinfo=UTC))
    store_rules(client, RULES, "lead", datetime(2026, 1, 1, tzinfo=UTC))
    client.close()
    return own_schema


@pytest.fixture
def stored_floor(web_settings: Settings) -> Iterator[StoredFloor]:
    """A small floor as of now."""
    client = clickhouse_client(web_settings)
    floor = StoredFloor(client, now_ms())
    floor.partition()
    floor.agent("a0412", "away", floor.now_ms - 22 * MINUTE_MS, reason="break")
    floor.agent("a0388", "on_contact", floor.now_ms - 185_000)
    floor.queue("billing", waiting=2, oldest_ms=floor.now_ms - 102_000)
    floor.window("queue:billing", "30m", offered=60, answered=50, abandoned=10, answered_waits__0=30)
    floor.window("agent:a0388", "day", handled=21, talk_ms=21 * 260_000, wrap_ms=21 * 38_000)
    yield floor
    client.close()


@pytest.fixture
def ledger(web_settings: Settings) -> Iterator[LedgerHere]:
    """The ledger on the test's own store."""
    client = clickhouse_client(web_settings)
    yield LedgerHere(client)
    client.close()


@pytest.fixture
def fired() -> Callable[..., Transition]:
    """Makes an alert of an agent's short calls as of an instant."""
    return fired_at


@pytest.fixture
def open_case(ledger: LedgerHere) -> Callable[[Transition], str]:
    """Opens the case of an alert; gives its id."""

    def opened(transition: Transition) -> str:
        command = open_command(transition, transition.opens)
        assert command is not None
        return ledger.send(command).events[0].record

    return opened


@pytest.fixture
def transition(stored_floor: Any, fired: Callable[..., Transition]) -> Transition:
    """An alert that fires, stored."""
    found = fired(stored_floor.now_ms)
    stored_floor.alert(found)
    return found


@pytest.fixture
def web(web_settings: Settings, stored_floor: Any, ledger: Any, wait_until: Wait) -> Iterator[TestClient]:
    """The web of the stored floor, after its first poll."""
    app = create_web(web_settings, partial(clickhouse_client, web_settings), ledger)
    with TestClient(app, follow_redirects=False) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture
def case(transition: Transition, open_case: Callable[[Transition], str]) -> str:
    """The case that the alert opened."""
    return open_case(transition)


@pytest.fixture(scope="session")
def is_ci() -> bool:
    """True where a missing browser is an error."""
    return os.environ.get("CI") == "true"
