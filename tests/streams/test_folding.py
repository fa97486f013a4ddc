"""How a worker folds what it fetched: giving way, and asking the store what memory cannot judge (P1, P2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.controls import Control
from schemas.events import encode
from schemas.times import MINUTE_MS
from schemas.topics import ALERTS
from streams.core import identity
from streams.core.identity import Known
from streams.core.partition import HISTORY_MS
from streams.worker import floor as floors
from streams.worker.decoding import to_item
from streams.worker.floor import Floor
from streams.worker.gate import Gate
from streams.worker.inbox import Inbox
from streams.worker.metrics import WorkerMetrics
from streams.worker.sending import Sender
from tests.streams.floors import DAWN
from tests.streams.runs import new_engine
from tests.streams.shelf import EPOCH
from tests.streams.test_flushing import CONFIG, Broker
from tests.streams.test_inbox import Message
from tests.streams.test_restart import handled

FAR = HISTORY_MS // MINUTE_MS + 2


class Asked:
    """A store that knows some facts, and what it was asked for."""

    def __init__(self) -> None:
        self.known: dict[str, list[Known]] = {}
        self.asked: list[list[str]] = []

    def look_up(self, identities: Iterable[str]) -> dict[str, list[Known]]:
        """What is known of them."""
        self.asked.append(list(identities))
        return {each: self.known[each] for each in identities if each in self.known}


class Bench:
    """A worker that owns one partition under the event clock."""

    def __init__(self) -> None:
        self.store = Asked()
        store: Any = self.store
        self.broker = Broker()
        sender = Sender(lambda: self.broker, lambda _: None, 3)
        self.floor = Floor(CONFIG, store, sender, WorkerMetrics(CollectorRegistry()), lambda: DAWN, lambda *_: None)
        self.engine = self.floor.hops.engines[0] = new_engine(event_clock=True)
        self.floor.hops.inboxes[0] = Inbox()

    def put(self, *minutes: float) -> None:
        """Fetch a handled contact of each minute; its id is its offset."""
        self.floor.put(0, [_record(offset, minute) for offset, minute in enumerate(minutes)])

    def know(self, offset: int, minute: float, partition: int = 1) -> None:
        """The store has the fact of a record, from another partition or its own."""
        item = to_item(_record(offset, minute))
        assert item.record is not None
        assert not isinstance(item.record, Control)
        self.store.known[item.record.identity] = [
            Known(partition, offset, 0, item.content, item.record.at_ms, item.payload, epoch=EPOCH)
        ]


def _record(offset: int, minute: float) -> Message:
    sent = handled(offset, minute)
    assert sent.record is not None
    return Message(offset, encode(sent.record), DAWN + 10**9)


@pytest.fixture
def bench() -> Bench:
    """A worker that has folded nothing."""
    return Bench()


async def test_what_time_has_left_behind_within_a_chunk_is_looked_up(bench: Bench) -> None:
    """
    A contact that is more than 15 minutes late was perhaps told under another key.

        offset   0    1 ....... 15 min or more ....... 2    3 (of minute 1, late)
    """
    bench.put(0, 1, 1 + FAR, 1.5)
    bench.know(3, 1.5)

    await bench.floor._fold(0, None)

    assert (bench.engine.rows, bench.engine.duplicates) == (3, 1)


async def test_what_is_forgotten_within_a_chunk_is_looked_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush may end while a chunk is folded, and let go of ids that memory had when it began."""
    monkeypatch.setattr(identity, "REMEMBERED", 0)
    monkeypatch.setattr(floors, "TURN_S", 0.0)
    bench.put(0)
    await bench.floor._fold(0, None)
    bench.know(0, 0)
    bench.floor.put(0, [_record(1, 1), Message(2, _record(0, 0).value, DAWN + 10**9)])

    async def flushed() -> None:
        bench.engine.acknowledged(0)

    await asyncio.gather(bench.floor._fold(0, None), flushed())

    assert (bench.engine.rows, bench.engine.duplicates) == (2, 1)


async def test_what_was_looked_up_before_its_fact_was_folded_and_forgotten_is_looked_up_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A late contact stands in a chunk twice: both are looked up at once, when the store has neither.

        folded   0 (minute 17)    1 (0.1, late)    flush: 1 is stored, its id forgotten    2 (1 again)
    """
    monkeypatch.setattr(identity, "REMEMBERED", 0)
    monkeypatch.setattr(floors, "TURN_S", 0.0)
    bench.put(FAR)
    await bench.floor._fold(0, None)
    late = _record(1, 0.1)
    bench.floor.put(0, [late, Message(2, late.value, DAWN + 10**9)])

    async def flushed() -> None:
        while bench.engine.rows < 2:
            await asyncio.sleep(0)
        bench.know(1, 0.1, partition=0)
        bench.engine.acknowledged(1)

    await asyncio.gather(bench.floor._fold(0, None), flushed())

    assert (bench.engine.rows, bench.engine.duplicates) == (2, 1)


async def test_a_chunk_of_history_is_looked_up_in_one_go(bench: Bench) -> None:
    """An import of old contacts asks once for all of them, not for each."""
    bench.put(FAR, 0.1, 0.2, 0.3, 0.4)

    await bench.floor._fold(0, None)

    assert [len(asked) for asked in bench.store.asked] == [4]


async def test_what_was_looked_up_is_not_asked_for_again(bench: Bench) -> None:
    """
    Two contacts are late when the chunk begins, a third when time has gone on in it.

        offset   0        1          2        3          4
        minute   17       0.1 late   36       3 late     0.2 late, asked for with 1
    """
    bench.put(FAR, 0.1, 2 * FAR + 2, 3, 0.2)

    await bench.floor._fold(0, None)

    assert [len(asked) for asked in bench.store.asked] == [2, 1]


async def test_folding_gives_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in, and alerts that go out, do not wait until a whole chunk is folded."""
    monkeypatch.setattr(floors, "TURN_S", 0.0)
    bench.put(*range(10))
    seen: list[int] = []

    async def look() -> None:
        for _ in range(5):
            seen.append(bench.engine.rows)
            await asyncio.sleep(0)

    await asyncio.gather(bench.floor._fold(0, None), look())

    assert len(set(seen)) == 5


async def test_alerts_do_not_wait_for_the_rest_of_a_chunk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a whole minute of a large floor a chunk takes seconds."""
    monkeypatch.setattr(floors, "TURN_S", 0.0)
    bench.put(1, 1.1, 3, 3.1, 3.2, 3.3)
    told_at: list[int] = []

    async def look() -> None:
        while ALERTS not in bench.broker.topics():
            await asyncio.sleep(0)
        told_at.append(bench.engine.boundary)

    await asyncio.wait_for(asyncio.gather(bench.floor._fold(0, None), look()), 5)

    assert told_at[0] < 5


async def test_a_partition_that_is_frozen_takes_no_record(bench: Bench) -> None:
    """It folds them when that is done; where another one has records, that has its turn first."""
    bench.put(0, 1)
    with bench.floor.hops.gate.closed(0):
        fold = asyncio.create_task(bench.floor._fold(0, None))
        for _ in range(20):
            await asyncio.sleep(0)
        during = bench.engine.boundary
    await fold

    assert (during, bench.engine.boundary) == (-1, 1)


def test_while_a_partition_is_frozen_another_one_has_its_turn() -> None:
    """Unless none has anything."""
    gate, item = Gate(), handled(0, 1)
    inboxes = {0: Inbox(items=deque([item])), 1: Inbox(items=deque([item])), 2: Inbox()}

    with gate.closed(0):
        assert set(gate.open_ones(inboxes)) == {1, 2}
        inboxes[1].items.clear()
        assert set(gate.open_ones(inboxes)) == {0, 1, 2}
    assert set(gate.open_ones(inboxes)) == {0, 1, 2}


async def test_what_is_forgotten_while_a_partition_is_frozen_is_looked_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether memory can judge a record is asked again when the wait is over."""
    monkeypatch.setattr(identity, "REMEMBERED", 0)
    bench.put(0)
    await bench.floor._fold(0, None)
    bench.know(0, 0)
    bench.floor.put(0, [Message(1, _record(0, 0).value, DAWN + 10**9)])

    with bench.floor.hops.gate.closed(0):
        fold = asyncio.create_task(bench.floor._fold(0, None))
        await asyncio.sleep(0)
        bench.engine.acknowledged(0)
    await fold

    assert (bench.engine.rows, bench.engine.duplicates) == (1, 1)
