"""What every store of the ledger does, and the writer on top of it: memory and ClickHouse."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from records.core.chain import broken_at
from records.core.ledger import answer, fold
from records.store.base import LedgerStore
from records.store.clickhouse import ClickHouseLedgerStore
from records.store.ledger import Ledger
from records.store.memory import MemoryLedgerStore
from schemas.alerts import Transition
from schemas.errors import Unavailable
from schemas.records import COMMAND_ADAPTER, Command, RecordEvent, case_id, open_command
from schemas.times import to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOON = datetime(2026, 3, 2, 12, 0, 0, 123_000, tzinfo=UTC)
NOON_MS = to_ms(NOON)


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


@pytest.fixture(params=["memory", "clickhouse"])
def store(request: pytest.FixtureRequest) -> LedgerStore:
    """Each store that there is."""
    if request.param == "memory":
        return MemoryLedgerStore()
    return ClickHouseLedgerStore(request.getfixturevalue("client"))


@pytest.fixture
def agent() -> str:
    """A stream that no other test uses."""
    return f"agent:{uuid4().hex}"


def opening(agent: str, alert: str = "1") -> Command:
    command = open_command(fired(subject=agent, alert=f"{agent}/{alert}", value=0.1 + 0.2), "coaching")
    assert command is not None
    return command


def step(agent: str, kind: str, **body: Any) -> Command:
    fields = {"id": f"{agent}/{kind}", "stream": agent, "record": case_id(f"{agent}/1"), "by": "lead-1"}
    return COMMAND_ADAPTER.validate_python({**fields, "kind": kind, "body": body})


def batch(agent: str) -> list[tuple[Command, int]]:
    commands = [
        opening(agent),
        step(agent, "hold_session", shared_notes="too early"),
        step(agent, "acknowledge_case"),
        step(agent, "comment_case", text="schön: 'quoted', \\ and \t tab"),
    ]
    return [(command, NOON_MS + index) for index, command in enumerate(commands)]


def fetched(command: Command) -> Any:
    """A command as Kafka brings it."""
    return SimpleNamespace(value=command.model_dump_json().encode(), timestamp=NOON_MS, offset=0)


class CountingStore(MemoryLedgerStore):
    """Counts loads and inserts; `away` refuses them."""

    def __init__(self) -> None:
        super().__init__()
        self.loads, self.inserts, self.away = 0, 0, False

    def load(self, streams: Collection[str]) -> dict[str, list[RecordEvent]]:
        self.loads += 1
        return super().load(streams)

    def append(self, events: Sequence[RecordEvent]) -> None:
        if self.away:
            raise Unavailable("away")
        self.inserts += bool(events)
        super().append(events)


def test_entries_come_back_as_they_went_in(store: LedgerStore, agent: str) -> None:
    """To the byte, so that the chain still holds."""
    written = Ledger(store).handle_all(batch(agent))

    read = store.load([agent])[agent]

    assert read == written
    assert broken_at(read) is None


def test_an_unknown_stream_has_no_entries(store: LedgerStore, agent: str) -> None:
    """Nothing, not an error."""
    assert store.load([agent]) == {agent: []}


def test_the_same_entries_again_change_nothing(store: LedgerStore, agent: str) -> None:
    """An insert that is repeated, as its answer was lost, leaves one of each."""
    written = Ledger(store).handle_all(batch(agent))

    store.append(written)

    assert store.load([agent])[agent] == written


def test_a_batch_delivered_again_doubles_nothing(store: LedgerStore, agent: str) -> None:
    """A new owner of the stream answers with the stored entries, at any later time."""
    first = Ledger(store).handle_all(batch(agent))

    again = Ledger(store).handle_all([(command, now_ms + 60_000) for command, now_ms in batch(agent)])

    assert again == first
    assert store.load([agent])[agent] == first


def test_a_new_owner_goes_on_where_the_old_one_ended(store: LedgerStore, agent: str) -> None:
    """Sequence, version and chain continue."""
    Ledger(store).handle_all(batch(agent)[:3])

    Ledger(store).handle(*batch(agent)[3])

    entries = store.load([agent])[agent]
    assert [(entry.sequence, entry.version) for entry in entries] == [(1, 1), (2, 1), (3, 2), (4, 3)]
    assert broken_at(entries) is None


def test_a_command_twice_in_one_batch_is_answered_twice_and_kept_once(agent: str) -> None:
    """Both are published, one stands in the ledger."""
    store = MemoryLedgerStore()

    answers = Ledger(store).handle_all([(opening(agent), 0), (opening(agent), 0)])

    assert [entry.sequence for entry in answers] == [1, 1]
    assert len(store.load([agent])[agent]) == 1


def test_one_insert_holds_a_whole_batch(agent: str) -> None:
    """All streams of a batch are loaded at once and kept at once."""
    store = CountingStore()
    commands = [(opening(f"{agent}{index}"), NOON_MS) for index in range(20)]

    Ledger(store).handle_all(commands)

    assert (store.loads, store.inserts) == (1, 1)


def test_nothing_is_decided_while_the_store_is_away(agent: str) -> None:
    """The batch fails as a whole; handed in again it gives what it would have given."""
    store = CountingStore()
    ledger = Ledger(store)
    store.away = True

    with pytest.raises(Unavailable):
        ledger.handle_all(batch(agent))
    store.away = False

    assert [entry.sequence for entry in ledger.handle_all(batch(agent))] == [1, 2, 3, 4]


def test_a_place_that_is_taken_is_taken_by_nobody_else(store: LedgerStore, agent: str) -> None:
    """Two who have read the same entry cannot both write the next one: the second has to read again."""
    (opened,) = Ledger(store).handle(opening(agent), NOON_MS)
    (first,) = Ledger(store).handle(step(agent, "acknowledge_case"), NOON_MS)
    state = fold(agent, [opened])
    _, (second,) = answer(state, step(agent, "comment_case", text="by what was before"), NOON_MS)

    with pytest.raises(Unavailable):
        store.append([second])

    assert store.load([agent])[agent] == [opened, first]


def test_an_entry_is_not_stored_without_the_one_before(store: LedgerStore, agent: str) -> None:
    """The stream was taken away since it was read."""
    _, (entry,) = answer(fold(agent, Ledger(MemoryLedgerStore()).handle_all(batch(agent)[:3])), *batch(agent)[3])

    with pytest.raises(Unavailable):
        store.append([entry])

    assert store.load([agent])[agent] == []


def test_whoever_was_overtaken_decides_again(store: LedgerStore, agent: str) -> None:
    """The batch fails once; handed in again it is decided by what the other has written, and both have their place."""
    ledger = Ledger(store)
    ledger.handle(opening(agent), NOON_MS)
    Ledger(store).handle(step(agent, "acknowledge_case"), NOON_MS)
    late = step(agent, "acknowledge_case").model_copy(update={"id": f"{agent}/late"})

    with pytest.raises(Unavailable):
        ledger.handle(late, NOON_MS)
    (refused,) = ledger.handle(late, NOON_MS)

    entries = store.load([agent])[agent]
    assert (refused.kind, refused.body["reason"], refused.sequence) == ("command_refused", "wrong_state", 3)
    assert [entry.kind for entry in entries] == ["case_opened", "case_acknowledged", "command_refused"]
    assert broken_at(entries) is None


def test_streams_in_memory_are_bounded(agent: str) -> None:
    """The least used one is dropped and loaded again when it is needed."""
    store = CountingStore()
    ledger = Ledger(store, streams_in_memory=2)
    for index in (1, 2, 3, 3, 2, 1):
        ledger.handle(opening(f"{agent}{index}"), NOON_MS)

    assert store.loads == 4


@pytest.mark.parametrize("drop", [lambda ledger, agent: ledger.clear(), lambda ledger, agent: ledger.forget([agent])])
def test_a_stream_that_was_given_up_is_loaded_again(drop: Any, agent: str) -> None:
    """Another owner may have written to it meanwhile."""
    store = MemoryLedgerStore()
    ledger = Ledger(store)
    ledger.handle(opening(agent), NOON_MS)
    drop(ledger, agent)
    Ledger(store).handle(step(agent, "acknowledge_case"), NOON_MS)

    [comment] = ledger.handle(step(agent, "comment_case", text="later"), NOON_MS)

    assert (comment.sequence, comment.version) == (3, 3)


def test_of_a_command_about_somebody_erased_nothing_comes() -> None:
    """Neither an entry nor a refusal, whatever is remembered of the stream; the commands of others are decided."""
    store, erased = MemoryLedgerStore(), set[str]()
    ledger = Ledger(store, erased=lambda: erased)
    theirs, others = open_command(fired(), "coaching"), open_command(fired(subject="agent:a2"), "coaching")
    assert theirs is not None
    assert others is not None
    ledger.handle(theirs, NOON_MS)
    before = store.load(["agent:a1"])
    erased.add("a1")
    comment = COMMAND_ADAPTER.validate_python(
        {
            "id": "k", "stream": "agent:a1", "record": case_id("alert-1"), "by": "lead-1", "kind": "comment_case",
            "body": {"text": "about them"},
        }
    )  # fmt: skip

    answers = ledger.handle_all([(comment, NOON_MS), (others, NOON_MS)])

    assert [entry.stream for entry in answers] == ["agent:a2"]
    assert store.load(["agent:a1"]) == before
