"""A partition is owned from its newest start on, however starts and rebalances overlap (P1, P3)."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.events import encode
from schemas.registry import Floor as Sites
from schemas.registry import Registry
from schemas.topics import CONTRIBUTIONS, EVENTS
from streams.core.contributions import encode_contributions
from streams.core.log import Revision, Stored
from streams.worker.floor import Floor
from streams.worker.inbox import Inbox
from streams.worker.metrics import WorkerMetrics
from streams.worker.sending import Sender
from tests.streams.floors import DAWN
from tests.streams.judges import Busy
from tests.streams.runs import Run, new_engine
from tests.streams.test_flushing import CONFIG, Broker
from tests.streams.test_groups import given_by, new_groups
from tests.streams.test_inbox import Message
from tests.streams.test_restart import handled

PLACE = TP(EVENTS, 0)
END = 100


class SlowStore:
    """A store that is flushed up to offset 1 when it is read first, and up to 3 later; the first reader is slow."""

    def __init__(self) -> None:
        run = Run(new_engine(event_clock=False))
        self.answers: list[Stored] = []
        for first in (0, 2):
            run.fold([handled(offset, offset) for offset in (first, first + 1)])
            run.freeze()
            run.settle()
            self.answers.append(run.shelf.stored())
        self.read = 0
        self.is_asked, self.may_answer, self.has_answered = Event(), Event(), Event()

    def stored(self, partitions: list[int], epoch: int) -> dict[int, Stored]:
        """What is there when it is asked for; the first answer takes as long as the test likes."""
        answer, self.read = self.answers[self.read], self.read + 1
        if self.read == 1:
            self.is_asked.set()
            self.may_answer.wait(10)
            self.has_answered.set()
        return dict.fromkeys(partitions, answer)

    def revision(self, registry: int, rules: int) -> Revision:
        """Nothing but the rule of the tests."""
        return Revision(Registry(Sites()), Busy(), Busy())


@pytest.fixture
def store() -> SlowStore:
    """A store that was flushed between two starts."""
    return SlowStore()


@pytest.fixture
def floor(store: SlowStore) -> Floor:
    """A worker that owns nothing."""
    any_store: Any = store
    broker: Any = Broker()
    sender = Sender(lambda: broker, lambda _: None, 3)
    return Floor(CONFIG, any_store, sender, WorkerMetrics(CollectorRegistry()), lambda: DAWN, lambda *_: None)


async def test_a_start_that_a_rebalance_overtook_changes_nothing(floor: Floor, store: SlowStore) -> None:
    """
    It would put an older state in the place of the one that folds by then, and what lies between would be lost.

        start 1   |--- reads up to 1 ---------------------------| answer
        rebalance        x  start 2  |-- reads up to 3 --| folds 4
    """
    overtaken = asyncio.create_task(floor.starts_of({PLACE: (0, END)}))
    await asyncio.to_thread(store.is_asked.wait, 10)
    overtaken.cancel()

    starts = await floor.starts_of({PLACE: (0, END)})
    next_one = handled(4, 4)
    assert next_one.record is not None
    floor.put(0, [Message(4, encode(next_one.record), next_one.broker_ms)])
    await floor._fold(0, None)
    store.may_answer.set()
    await asyncio.to_thread(store.has_answered.wait, 10)
    await floor._blocking(lambda: None)

    assert starts == {PLACE: 4}
    assert (floor.hops.engines[0].boundary, floor.hops.engines[0].rows) == (4, 5)


async def test_a_start_of_a_partition_that_went_to_another_worker_owns_nothing(floor: Floor, store: SlowStore) -> None:
    """A ghost of it would go on ticking and flushing beside the new owner."""
    overtaken = asyncio.create_task(floor.starts_of({PLACE: (0, END)}))
    await asyncio.to_thread(store.is_asked.wait, 10)
    overtaken.cancel()

    await floor.revoked({PLACE})
    store.may_answer.set()
    await asyncio.to_thread(store.has_answered.wait, 10)
    await floor._blocking(lambda: None)

    assert floor.hops.engines == {}


async def test_what_is_not_assigned_any_more_is_given_up(floor: Floor, store: SlowStore) -> None:
    """A start may end after the partition was taken away, and before the next assignment is known."""
    store.may_answer.set()
    await floor.starts_of({PLACE: (0, END)})
    other = TP(EVENTS, 1)
    floor.hops.engines[1], floor.hops.inboxes[1] = new_engine(event_clock=False), Inbox()
    floor.hops.groups = new_groups(Busy(), 1)

    floor.keep({other, TP("floor.commands", 0)})

    assert set(floor.hops.engines) == set(floor.hops.inboxes) == {1}
    assert floor.hops.groups is None


async def test_a_batch_of_contributions_ends_with_the_assignment(floor: Floor) -> None:
    """What is left of it when the groups were restored anew is fetched again from where these begin."""
    old, new = new_groups(Busy(), 1), new_groups(Busy(), 1)
    floor.hops.groups = old
    given = [given_by(0, mark, {"team:t1": {mark: {"handled": 1}}}) for mark in range(4)]
    batch = [Message(offset, encode_contributions([each])[0]) for offset, each in enumerate(given)]

    async def restored() -> None:
        floor.hops.drop(TP(CONTRIBUTIONS, 0))
        floor.hops.groups = new

    await asyncio.gather(floor.contribute(batch), restored())

    assert (old.boundary, new.boundary) == (0, -1)


async def test_contributions_that_are_fetched_again_are_taken_once(floor: Floor) -> None:
    """Whatever they are: a revision that is obeyed again would count, and take the boundary back."""
    floor.hops.groups = groups = new_groups(Busy(), 1)
    given = [given_by(0, mark, {"team:t1": {mark: {"handled": 1}}}) for mark in range(3)]
    batch = [Message(offset, encode_contributions([each])[0]) for offset, each in enumerate(given)]

    await floor.contribute(batch)
    await floor.contribute(batch[:1])

    assert (groups.boundary, groups.rows) == (2, 3)
