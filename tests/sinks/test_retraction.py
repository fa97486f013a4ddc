"""A wrong import taken back: the figures are those without it, whatever it had replaced and whatever comes again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import ContactHandled, encode
from schemas.times import to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.reconcile import reconcile
from sinks.retraction import Replacement, read_replacements
from sources.core.parsed import Accepted
from sources.core.raised import RaisedParser
from sources.readers.ingests import Ingest, Ingests
from streams.core.log import Item
from tests.streams.runs import new_engine

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
LIVE = 0

Tell = Callable[..., None]
Talk = Callable[[], dict[str, int]]


@pytest.fixture
def tell(client: Client) -> Tell:
    """Folds (event, ingest, content) and stores what came of it."""
    engine = new_engine(event_clock=True)

    def run(*told: tuple[ContactHandled, int, int]) -> None:
        for event, ingest, content in told:
            offset, broker_ms = engine.boundary + 1, to_ms(AT) + 3_600_000
            engine.apply(Item(offset, broker_ms, encode(event), b"", event, content=content, ingest=ingest))
        engine.take_outbox()
        ClickHouseSink(client).write([engine.freeze()])
        engine.acknowledged(engine.boundary)

    return run


@pytest.fixture
def take_back(client: Client, tell: Tell, ingests: Ingests) -> Callable[[int], list[Replacement]]:
    """Takes an ingest back; gives what was sent for it."""

    def run(number: int) -> list[Replacement]:
        replacements = read_replacements(client, number)
        tell(*((r.event, r.ingest, r.content) for r in replacements))
        found = ingests.numbered(number)
        assert found is not None
        ingests.retract(found)
        return replacements

    return run


@pytest.fixture
def ingests(client: Client) -> Ingests:
    """Two runs over files, both finished."""
    instants = iter(AT + timedelta(minutes=n) for n in range(1000))
    known = Ingests(client, lambda: next(instants))
    for number in (1, 2):
        run = Ingest(number, f"hash{number}", f"file{number}.csv", "csv", "crm", AT)
        known.finish(run, rows=1, events=1, rejected=0)
    return known


@pytest.fixture
def talk(client: Client) -> Talk:
    """Talk time by agent as it is stored, where there is any; every pane is as the raw events say."""

    def run() -> dict[str, int]:
        assert reconcile(client).differences == []
        sql = "SELECT agent, sum(talk_ms) AS ms FROM agent_minutes FINAL GROUP BY agent HAVING ms > 0"
        return {str(row[0]): int(row[1]) for row in client.query(sql).result_rows}

    return run


def handled(number: int, talk_s: float = 60.0, **changes: Any) -> ContactHandled:
    """A contact of a1."""
    values: dict[str, Any] = {
        "source": "crm", "id": f"h{number}", "at": AT, "contact": f"c{number}", "agent": "a1", "started_at": AT,
    }  # fmt: skip
    return ContactHandled(**values | {"talk_s": talk_s} | changes)


def test_what_an_ingest_brought_counts_no_more(tell: Tell, take_back: Callable[[int], Any], talk: Talk) -> None:
    """And what another brought, or a live feed, counts on."""
    tell((handled(1), 1, 1), (handled(2, 30.0), 2, 1), (handled(3, 5.0, agent="a2"), LIVE, 1))

    taken = take_back(1)

    assert [(r.event.id, r.event.revision, r.event.void, r.ingest, r.content) for r in taken] == [("h1", 1, True, 1, 1)]
    assert talk() == {"a1": 30_000, "a2": 5_000}


def test_taking_back_again_has_nothing_to_do(client: Client, tell: Tell, take_back: Callable[[int], Any]) -> None:
    """However often it is asked for."""
    tell((handled(1), 1, 1))
    take_back(1)

    assert take_back(1) == []
    assert read_replacements(client, 2) == []


def test_the_same_sent_twice_changes_nothing(client: Client, tell: Tell, talk: Talk) -> None:
    """A command that broke off is run again before the first of it was folded: duplicates, no conflicts."""
    tell((handled(1), 1, 1))
    replacements = read_replacements(client, 1)

    tell(*((r.event, r.ingest, r.content) for r in replacements * 2))

    assert talk() == {}
    assert client.query("SELECT duplicates, dead FROM subjects FINAL WHERE kind = 'partition'").result_rows == [(1, 0)]


def test_what_an_ingest_had_replaced_comes_back(tell: Tell, take_back: Callable[[int], Any], talk: Talk) -> None:
    """The live feed said 60 s, the import 90 s and another agent: without the import it is 60 s again."""
    tell((handled(1), LIVE, 7), (handled(1, 90.0, revision=1, agent="a2"), 1, 8))
    assert talk() == {"a2": 90_000}

    (restored,) = take_back(1)

    assert (restored.restores, restored.event.revision, restored.ingest, restored.content) == (True, 2, LIVE, 7)
    assert talk() == {"a1": 60_000}


def test_what_an_ingest_had_taken_back_comes_back(tell: Tell, take_back: Callable[[int], Any], talk: Talk) -> None:
    """The import voided what the live feed said, at once or after a correction of its own: it counts again, once."""
    tell((handled(1), LIVE, 7), (handled(2, 30.0), LIVE, 8))
    tell((handled(1, revision=1, void=True), 1, 7))
    tell((handled(2, 90.0, revision=1), 1, 9), (handled(2, 90.0, revision=2, void=True), 1, 9))
    assert talk() == {}

    taken = take_back(1)

    assert [(r.event.id, r.restores, r.event.revision, r.ingest, r.content) for r in taken] == [
        ("h1", True, 2, LIVE, 7),
        ("h2", True, 3, LIVE, 8),
    ]
    assert talk() == {"a1": 90_000}
    assert take_back(1) == []


def test_what_was_void_without_an_ingest_stays_void(tell: Tell, take_back: Callable[[int], Any], talk: Talk) -> None:
    """Its own facts that it voided, what a live feed had voided before it, and what stood on a retracted ingest."""
    tell((handled(1), 1, 1), (handled(1, revision=1, void=True), 1, 1))
    tell((handled(2), LIVE, 2), (handled(2, revision=1, void=True), LIVE, 2), (handled(2, revision=2, void=True), 1, 2))
    tell((handled(3), 2, 3), (handled(3, revision=1, void=True), 1, 3))
    take_back(2)

    assert take_back(1) == []
    assert talk() == {}


def test_what_was_replaced_since_stays(tell: Tell, take_back: Callable[[int], Any], talk: Talk) -> None:
    """A later correction of another source of facts is not the ingest's."""
    tell((handled(1), 1, 1), (handled(1, 90.0, revision=1), LIVE, 2))

    assert take_back(1) == []
    assert talk() == {"a1": 90_000}


def test_an_ingest_that_was_taken_back_itself_does_not_come_back(
    tell: Tell, take_back: Callable[[int], Any], talk: Talk
) -> None:
    """Neither its facts, nor what voided them: the live fact below both does."""
    tell((handled(1), LIVE, 1), (handled(1, 90.0, revision=1), 1, 2), (handled(1, 120.0, revision=2), 2, 3))

    take_back(1)
    take_back(2)

    assert talk() == {"a1": 60_000}


def test_a_file_that_was_taken_back_counts_when_it_comes_again(
    tell: Tell, take_back: Callable[[int], Any], talk: Talk, ingests: Ingests
) -> None:
    """In the revision above the one that took it back; a third time it is a duplicate; and it can be taken back."""
    tell((handled(1), 1, 1), (handled(2, 30.0), 2, 1))
    take_back(1)

    for _ in range(2):
        again = raised(ingests, handled(1, 45.0), handled(2, 30.0), handled(3, 1.0))
        tell(*((event, 3, 9) for event in again if event.id == "h1"))

    assert [(event.id, event.revision) for event in again] == [("h1", 2), ("h2", 0), ("h3", 0)]
    assert talk() == {"a1": 75_000}


def test_a_file_may_come_again_before_the_retraction_is_folded(client: Client, tell: Tell, ingests: Ingests) -> None:
    """What takes it back is on its way, and stands below what comes again."""
    tell((handled(1), 1, 1))
    found = ingests.numbered(1)
    assert found is not None
    ingests.retract(found)

    assert [event.revision for event in raised(ingests, handled(1))] == [2]


def test_a_retracted_run_is_no_finished_run(ingests: Ingests) -> None:
    """So the same file is not refused as sent before; what is known of the run stays."""
    found = ingests.numbered(1)
    assert found is not None

    ingests.retract(found)

    assert ingests.finished("hash1", "crm") is None
    again = ingests.numbered(1)
    assert again is not None
    assert (again.state, again.rows, again.finished_at) == ("retracted", 1, found.finished_at)
    assert ingests.numbered(9) is None


class Facts:
    """A parser that holds some facts."""

    def __init__(self, *events: ContactHandled) -> None:
        self._events = events

    def parse(self, _lines: Any) -> Any:
        """Each fact once."""
        return (Accepted(event, "hash", 1) for event in self._events)


def raised(ingests: Ingests, *events: ContactHandled) -> list[Any]:
    parsed = RaisedParser(Facts(*events), ingests.revisions_again()).parse([])
    return [found.event for found in parsed if isinstance(found, Accepted)]
