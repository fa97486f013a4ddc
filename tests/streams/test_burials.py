"""A worker that would bury nearly everything stops, and what it did not bury stays in the log (P5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.errors import StopWorker
from schemas.events import encode
from schemas.registry import Floor as Roster
from schemas.registry import Registry
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.log import Checkpoint, Stored
from streams.worker.burials import Burials
from streams.worker.floor import Floor
from streams.worker.hops import Hops
from streams.worker.inbox import Inbox
from streams.worker.metrics import WorkerMetrics
from streams.worker.sending import Sender
from tests.streams.floors import DAWN
from tests.streams.judges import Busy
from tests.streams.runs import new_engine
from tests.streams.test_flushing import CONFIG, Broker, Store
from tests.streams.test_groups import new_groups
from tests.streams.test_identity import fact
from tests.streams.test_inbox import Message

PLACE = TP(EVENTS, 0)


class Bench:
    """A worker that owns one partition, with what it sent."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.last = -1
        sender = Sender(lambda: self.broker, lambda _: None, 3)
        store: Any = Store()
        self.floor = Floor(CONFIG, store, sender, WorkerMetrics(CollectorRegistry()), lambda: DAWN, lambda *_: None)
        self.hops = self.floor.hops
        self.hops.engines[0], self.hops.inboxes[0] = new_engine(event_clock=False), Inbox()
        self.hops.burials.begin(PLACE, 0)

    def put(self, records: str) -> None:
        """Fetch records: `g` a good event, `d` one that cannot be read."""
        first = self.hops.engines[0].boundary + 1
        self.last = first + len(records) - 1
        self.floor.put(0, [_record(first + number, kind) for number, kind in enumerate(records)])

    async def fold(self) -> None:
        """Fold until all is folded, or the worker stops."""
        folding = asyncio.create_task(self.floor.fold_forever())
        while not self._is_through() and not folding.done():
            await asyncio.sleep(0)
        if folding.done():
            await folding
        folding.cancel()

    def _is_through(self) -> bool:
        engine = self.hops.engines.get(0)
        return engine is not None and engine.boundary >= self.last


def _record(offset: int, kind: str) -> Message:
    sent = fact(offset, id=f"h{offset}").record
    assert sent is not None
    return Message(offset, encode(sent) if kind == "g" else b"?", DAWN)


@pytest.fixture
def bench() -> Bench:
    """A worker that has folded nothing."""
    return Bench()


async def test_a_few_bad_records_are_buried(bench: Bench) -> None:
    """The good ones beside them are folded."""
    bench.put("gdgd" * 20)

    await bench.fold()

    assert (bench.hops.engines[0].rows, bench.hops.engines[0].dead) == (40, 40)


async def test_a_hundred_in_a_row_stop_the_worker(bench: Bench) -> None:
    """In one line with the place; nothing of them is sent, and the partition is given up so that no flush stores it."""
    bench.put("g" * 5 + "d" * 120)

    with pytest.raises(StopWorker, match=r"floor\.events:0 stops at offset 104, as 100 records in a row.*invalid"):
        await bench.fold()

    assert bench.broker.sent == []
    assert bench.hops.engines == {}


async def test_what_was_buried_before_a_restart_counts_on(bench: Bench) -> None:
    """A worker that stopped for dead letters buries no more of them when it is started again."""
    bench.hops.burials.begin(PLACE, 0, in_a_row=100)
    bench.put("d")

    with pytest.raises(StopWorker, match="101 records in a row"):
        await bench.fold()


async def test_a_good_record_ends_the_row(bench: Bench) -> None:
    """Whoever mended the feed goes on without a word."""
    bench.hops.burials.begin(PLACE, 0, in_a_row=100)
    bench.put("gd")

    await bench.fold()

    assert bench.hops.engines[0].dead == 1


async def test_contributions_have_the_same_limit(bench: Bench) -> None:
    """A worker of another version must not bury the sums of the groups."""
    bench.hops.groups = new_groups(Busy())
    bench.hops.burials.begin(TP(CONTRIBUTIONS, 0), 0)

    with pytest.raises(StopWorker, match=r"floor\.contributions:0 stops at offset 99"):
        await bench.floor.contribute([Message(offset, b"?") for offset in range(120)])


class Letters:
    """A store that knows how many dead letters there are between two offsets."""

    def __init__(self, *offsets: int) -> None:
        self.offsets = offsets

    def letters_between(self, topic: str, partition: int, after: int, until: int) -> int:
        """Count them."""
        return sum(after < offset <= until for offset in self.offsets)


@pytest.mark.parametrize(("dead", "in_a_row"), [(3, 2), (0, 0)])
def test_the_row_at_the_start_is_what_came_after_the_last_event(dead: int, in_a_row: int) -> None:
    """Dead letters behind it and up to the checkpoint."""
    engine = new_engine(event_clock=False)
    engine.apply(fact(4))
    checkpoint = Checkpoint(7, DAWN, 1, 0, dead, 0, {})
    stored = Stored(checkpoint, {}, [], list(engine.remembered.facts().items()), -1)
    store: Any = Letters(2, 5, 6, 9)

    assert Hops(CONFIG, store)._buried_in_a_row(stored, 0) == in_a_row


def test_only_dead_letters_are_dead() -> None:
    """Good records between two are counted when the next one is buried; without them a hundred stop the source."""
    burials, rubbish = Burials(CONFIG.letter_limit), Burials(CONFIG.letter_limit)
    burials.begin(PLACE, 10)
    rubbish.begin(PLACE, 10)

    for round_ in range(300):
        burials.note(PLACE, 10 + 60 * round_, round_, "invalid")

    for offset in range(99):
        rubbish.note(PLACE, 10, offset, "invalid")
    with pytest.raises(StopWorker, match="stops at offset 99"):
        rubbish.note(PLACE, 10, 99, "invalid")


async def test_what_comes_of_erased_people_stops_nobody(bench: Bench) -> None:
    """Their source sends good events, that must not be kept: a hundred of them in a row are no sign of rubbish."""
    gone = Roster.model_validate({"erased": [{"id": "a1", "at": "2026-03-02T08:00:00Z"}]})
    bench.hops.engines[0] = new_engine(event_clock=False, registry=Registry(gone, 1))

    bench.put("g" * 150)
    await bench.fold()

    assert bench.hops.engines[0].dead == 150
