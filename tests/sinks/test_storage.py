"""What the worker holds of the registry, which each revision of a large floor has in it whole."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from weakref import ref

import pytest
from clickhouse_connect.driver.client import Client

from alerting.starter import starter_text
from schemas.registry import Floor, Registry, Site
from sinks import storage as storage_module
from sinks.registry import load_registry, store_registry, store_rules
from sinks.storage import REVISIONS_KEPT, ClickHouseStorage

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def revisions(client: Client) -> int:
    """More revisions than are held."""
    for _ in range(REVISIONS_KEPT + 1):
        store_registry(client, Floor(sites=[Site(id="main")]), "tests", NOW)
    return REVISIONS_KEPT + 1


def test_revisions_that_nobody_asks_for_any_more_are_let_go(client: Client, revisions: int) -> None:
    """A roster that is applied each night would fill the memory of a worker that runs for months."""
    storage = ClickHouseStorage(lambda: client)
    held = {number: ref(storage.revision(number, 0).registry) for number in range(1, revisions)}
    storage.revision(1, 0)

    storage.revision(revisions, 0)
    gc.collect()

    assert [number for number, registry in held.items() if registry() is None] == [2]


def test_partitions_that_ask_at_the_same_time_get_the_same_revision(
    client: Client, revisions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read once, and the engines of a worker share one registry."""
    asked, second = [], Event()

    def slow(store: Client, revision: int) -> Registry:
        asked.append(revision)
        second.wait(1.0)
        return load_registry(store, revision)

    monkeypatch.setattr(storage_module, "load_registry", slow)
    storage = ClickHouseStorage(lambda: client)

    with ThreadPoolExecutor(2) as threads:
        first, other = (threads.submit(storage.revision, revisions, 0) for _ in range(2))

    assert first.result().registry is other.result().registry
    assert asked == [revisions]


def test_rules_behind_a_number_that_never_came_to_hold_are_loaded(client: Client) -> None:
    """Two who applied at the same time were both refused: a worker reads what is applied next, and what it replaces."""
    first = store_rules(client, starter_text(), "tests", NOW)
    claim = ["rules", first + 1, "of somebody who was refused", NOW]
    client.insert("revision_numbers", [claim], column_names=["kind", "revision", "claim", "claimed_at"])
    client.insert("registry", [[first + 2, "rules", "half", "{}"]], column_names=["revision", "kind", "id", "body"])
    revision = store_rules(client, f"{starter_text()}# applied again\n", "tests", NOW)

    judge = ClickHouseStorage(lambda: client).revision(0, revision).first

    assert (revision, judge.revision) == (first + 3, first + 3)
