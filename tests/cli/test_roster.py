"""Whose vendor ids gateway and followed logs know: as of the newest revision, without reading it again and again."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from threading import Event, Thread

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from floorpulse import roster as module
from floorpulse.roster import Roster
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import Unavailable
from schemas.registry import Alias, Floor, Person, Registry
from sinks import registry as registry_module
from sinks.registry import load_registry, store_registry

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW_MS = 1_772_445_600_000


def hire(settings: Settings, person: str) -> None:
    """From now on the vendor's agent 7 is this person."""
    with closing(clickhouse_client(settings)) as client:
        floor = Floor(people=[Person(id=person, aliases=[Alias(source="acd", id="7")])])
        store_registry(client, floor, "tests", NOW)


@pytest.fixture
def settings(own_schema: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A store in which agent 7 is Ada, asked each time."""
    monkeypatch.setattr(module, "_REGISTRY_KEPT_S", -1.0)
    hire(own_schema, "ada")
    return own_schema


def test_a_newer_revision_is_seen_and_the_same_one_is_not_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading ten thousand people takes half a second, in which a request would wait."""
    read: list[int] = []

    def noted(client: Client) -> Registry:
        registry = load_registry(client)
        read.append(registry.revision)
        return registry

    monkeypatch.setattr(registry_module, "load_registry", noted)
    roster = Roster(settings)

    people = [roster.resolve("acd", "7", NOW_MS) for _ in range(3)]
    hire(settings, "grace")
    people += [roster.resolve("acd", "7", NOW_MS) for _ in range(2)]

    assert people == ["ada", "ada", "ada", "grace", "grace"]
    assert read == [1, 2]


@pytest.mark.parametrize(
    "fault", [Unavailable("nobody there"), OperationalError("broke off"), DatabaseError("no memory")]
)
def test_what_is_known_serves_while_clickhouse_is_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Events are taken, also where it answers that it cannot; who came since is told apart later."""
    roster = Roster(settings)

    def away(_client: Client, _kind: str) -> int:
        raise fault

    monkeypatch.setattr(registry_module, "latest_revision", away)

    assert roster.resolve("acd", "7", NOW_MS) == "ada"


def test_nobody_waits_for_whoever_asks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is slow to answer holds up one request, not all of them."""
    roster = Roster(settings)
    is_asked, may_answer = Event(), Event()

    def slow(_client: Client, _kind: str) -> int:
        is_asked.set()
        may_answer.wait(30)
        return 1

    monkeypatch.setattr(registry_module, "latest_revision", slow)
    asking = Thread(target=roster.resolve, args=("acd", "7", NOW_MS))
    asking.start()
    is_asked.wait(30)

    known = roster.resolve("acd", "7", NOW_MS)
    was_asking = asking.is_alive()
    may_answer.set()
    asking.join(30)

    assert (known, was_asking) == ("ada", True)
