"""The proof that goes on all day: what it compares, in turn, and what it tells Prometheus (P1, P2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.web import proof as module
from floorpulse.web.actions import case_command
from floorpulse.web.metrics import WebMetrics
from floorpulse.web.proof import Proof
from floorpulse.wiring import clickhouse_client
from records.store.erasing import strip_streams
from schemas.errors import Unavailable
from sinks.retention import DEFAULT_RETENTION
from sinks.rows import AGENT_MINUTES, agent_row, insert
from streams.core.panes import Pane
from tests.sinks.test_restore import flushed
from tests.streams.floors import DAWN
from tests.streams.runs import new_engine
from tests.streams.test_restart import handled


@pytest.fixture
def client(web_settings: Settings) -> Iterator[Client]:
    """A store with three contacts of one agent."""
    found = clickhouse_client(web_settings)
    flushed(found, new_engine(event_clock=False), *(handled(number, 0.1 * number) for number in range(3)))
    yield found
    found.close()


@pytest.fixture
def proof(web_settings: Settings) -> Proof:
    """A proof on that store."""
    return Proof(partial(clickhouse_client, web_settings), WebMetrics(), DEFAULT_RETENTION)


@pytest.fixture
def compare(proof: Proof, client: Client) -> Callable[[], dict[str, float]]:
    """One round of the proof; what the metrics say then."""
    metrics = proof._metrics

    def run() -> dict[str, float]:
        proof.compare()
        return {what: metrics.differences.labels(what)._value.get() for what in module.KINDS}

    return run


def found(**counts: int) -> dict[str, int]:
    return dict.fromkeys(module.KINDS, 0) | counts


def test_right_numbers_are_no_difference(compare: Callable[[], dict[str, float]]) -> None:
    """Zero for each kind, so that an alert can tell it from silence."""
    assert compare() == found()


def test_a_wrong_pane_is_found(compare: Callable[[], dict[str, float]], client: Client) -> None:
    """As is one that was right before, in the next round."""
    assert compare() == found()
    wrong = agent_row("a1", DAWN // 60_000, ("", "voice"), Pane({"handled": 99}, [], (1 << 48) + 2), 0)
    insert(client, AGENT_MINUTES, [wrong])

    assert compare() == found(pane=1)


def test_a_missing_event_is_found(compare: Callable[[], dict[str, float]], client: Client) -> None:
    """By its count and by its pane; by the pane alone once raw events expire."""
    client.command("ALTER TABLE events DELETE WHERE offset = 1 SETTINGS mutations_sync = 1")

    assert compare() == found(rows=1, pane=1)


def test_counts_of_expired_events_prove_nothing(compare: Callable[[], dict[str, float]], client: Client) -> None:
    """Once some may be gone, a checkpoint counts more rows than there are."""
    client.command("ALTER TABLE events DELETE WHERE offset = 1 SETTINGS mutations_sync = 1")
    client.command("INSERT INTO pane_days SELECT '2026-01-01', now64(3) - toIntervalDay(40), now64(3), 1")

    assert compare() == found(pane=1)


def test_a_changed_entry_of_the_ledger_is_found(
    compare: Callable[[], dict[str, float]], client: Client, open_case: Any, stored_floor: Any, fired: Any
) -> None:
    """Its chain does not hold any more."""
    open_case(fired(stored_floor.now_ms))
    before = compare()["chain"]
    client.command("ALTER TABLE record_events UPDATE by = 'somebody' WHERE 1 SETTINGS mutations_sync = 1")

    assert (before, compare()["chain"]) == (0, 1)


@pytest.mark.parametrize("gone", ["sequence = 2", "1"])
def test_entries_that_are_gone_from_the_end_of_a_chain_are_found(
    compare: Callable[[], dict[str, float]], client: Client, ledger: Any, open_case: Any, stored_floor: Any,
    fired: Any, gone: str,
) -> None:  # fmt: skip
    """What is left of the chain holds, or nothing is left: the web has seen that there was more."""
    transition = fired(stored_floor.now_ms)
    case = open_case(transition)
    ledger.send(case_command("comment_case", transition.subject, case, "lead-1", None, {"text": "said"}))
    before = compare()["chain"]
    client.command(f"ALTER TABLE record_events DELETE WHERE {gone} SETTINGS mutations_sync = 1")

    assert (before, compare()["chain"], compare()["chain"]) == (0, 1, 1)


def test_an_erased_person_breaks_no_chain(
    compare: Callable[[], dict[str, float]], client: Client, open_case: Any, stored_floor: Any, fired: Any
) -> None:
    """Their stream goes on under another name, and what is lost from it there is found as well."""
    transition = fired(stored_floor.now_ms)
    open_case(transition)
    assert compare()["chain"] == 0

    strip_streams(client, [transition.subject])
    after = compare()["chain"]
    client.command("ALTER TABLE record_events DELETE WHERE 1 SETTINGS mutations_sync = 1")

    assert (after, compare()["chain"]) == (0, 1)


def test_a_case_that_lost_its_content_without_an_erasure_is_found(
    compare: Callable[[], dict[str, float]], client: Client, open_case: Any, stored_floor: Any, transition: Any
) -> None:
    """No chain tells it: what is left is what an erasure leaves."""
    open_case(transition)

    strip_streams(client, [transition.subject])
    hidden = compare()["chain"]
    stored_floor.registry(erased=[{"id": "a0412", "at": "2026-03-02T12:00:00Z"}])

    assert (hidden, compare()["chain"]) == (1, 0)


def test_everybody_has_a_turn(proof: Proof) -> None:
    """So many at a time, all of them before any comes again."""
    keys = [str(number) for number in range(7)]

    turns = [proof._next("subjects", keys, 3) for _ in range(4)]

    assert turns == [["0", "1", "2"], ["3", "4", "5"], ["6", "0", "1"], ["2", "3", "4"]]
    assert proof._next("streams", keys, 10) == keys


@pytest.mark.parametrize("error", [Unavailable("nobody"), IndexError("an answer broke off")])
def test_a_silent_store_leaves_the_figures_as_they_are(error: Exception) -> None:
    """What was not compared is not called right: the time of the proof stands still."""
    metrics = WebMetrics()

    def silent() -> Any:
        raise error

    Proof(silent, metrics, DEFAULT_RETENTION).compare()

    assert metrics.proved._value.get() == 0
