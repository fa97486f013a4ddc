"""A fact that goes from key to key, so from partition to partition, counts once: where its last revision is (P1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ContactHandled, encode
from schemas.times import MINUTE_MS, from_ms
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from tests.streams.floors import DAWN, item_of
from tests.streams.judges import Notes
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine, restarted

PARTITIONS = 3
AGENTS = 5
REVISIONS = 5
STEPS = ("fold", "fold", "fold", "freeze", "settle", "crash", "break off", "send", "send", "send")
"""
What may come next: a partition takes its next record, begins a flush, ends it, dies, dies before the checkpoint of a
flush that is under way; the source sends another record.
"""


@dataclass
class Partition:
    """A log, and the run that goes through it."""

    run: Run
    log: list[Item] = field(default_factory=list)
    next: int = 0


class Floor:
    """Partitions that ask each other to give up what moved, over one store."""

    def __init__(self, gap_ms: int) -> None:
        """`gap_ms`: between two records."""
        self.partitions = [
            Partition(Run(new_engine(event_clock=False, judge=Notes(), partition=number)))
            for number in range(PARTITIONS)
        ]
        for number, partition in enumerate(self.partitions):
            partition.run.shelf.partition = number
        self._gap_ms, self._now_ms = gap_ms, DAWN

    def send(self, event: ContactHandled) -> None:
        """A record goes to the partition of its agent."""
        log = self._at(int((event.agent or "")[1:]) % PARTITIONS)
        log.append(item_of(Sent(len(log), self._now_ms, event, event.revision)))

    def step(self, number: int, step: str) -> None:
        """One partition does one thing."""
        partition = self.partitions[number]
        if step == "break off" and partition.run.under_way is not None:
            partition.run.shelf.write(partition.run.under_way, subjects=False)
            self._crash(number)
        elif step == "crash":
            self._crash(number)
        elif step == "settle":
            partition.run.settle()
        elif step == "freeze":
            self._freeze(number)
        elif step == "fold" and partition.next < len(partition.log):
            engine = partition.run.engine
            engine.apply(self._looked_up(engine, partition.log[partition.next]))
            partition.next += 1

    def finish(self) -> None:
        """Until everybody is through, and nobody has anything to ask."""
        ends, before = self._ends(), [-1]
        while ends != before:
            for number, partition in enumerate(self.partitions):
                while partition.next < len(partition.log):
                    self.step(number, "fold")
                self.flush(number)
            ends, before = self._ends(), ends

    def flush(self, number: int) -> None:
        """All of a flush."""
        self.step(number, "freeze")
        self.step(number, "settle")

    def counted(self) -> Counter[str]:
        """Agent -> handled contacts, by the stored panes."""
        found: Counter[str] = Counter()
        for partition in self.partitions:
            for (key, _minute, _cell), pane in partition.run.shelf.panes.items():
                found[key] += pane.sums.get("handled", 0)
        return found

    def current(self) -> Counter[str]:
        """The same by the stored events."""
        rows = [row for partition in self.partitions for row in partition.run.shelf.rows.values()]
        return Counter(row.subject for row in rows if not row.superseded_by and not row.void)

    def _ends(self) -> list[int]:
        return [len(partition.log) for partition in self.partitions]

    def _at(self, number: int) -> list[Item]:
        self._now_ms += self._gap_ms
        return self.partitions[number].log

    def _freeze(self, number: int) -> None:
        """What it has to ask is in the others' logs before anything is written."""
        run = self.partitions[number].run
        asks = list(run.engine.out.asks)
        for ask in asks:
            for other in range(PARTITIONS):
                if other != number:
                    log = self._at(other)
                    log.append(Item(len(log), self._now_ms, encode(ask), b"", ask))
        run.freeze()

    def _looked_up(self, engine: PartitionEngine, item: Item) -> Item:
        identity = engine.asks_for(item)
        if identity is None:
            return item
        found = [known for partition in self.partitions for known in partition.run.shelf.look_up(identity)]
        return item._replace(prior=engine.prior_of(item, found))

    def _crash(self, number: int) -> None:
        partition = self.partitions[number]
        if partition.run.shelf.mark:
            partition.run = restarted(partition.run)
        else:
            empty = new_engine(event_clock=False, judge=Notes(), partition=number)
            partition.run = Run(empty, partition.run.shelf)
        partition.next = partition.run.engine.boundary + 1


def revision(number: int, agent: int, *, fact: int = 0, void: bool = False) -> ContactHandled:
    """A revision of a contact."""
    return ContactHandled(
        source="acd", id=f"h{fact}", revision=number, void=void, at=from_ms(DAWN), contact=f"c{fact}",
        agent=f"a{agent}", started_at=from_ms(DAWN - MINUTE_MS), talk_s=60.0,
    )  # fmt: skip


_AGENT = st.integers(0, AGENTS - 1)


@st.composite
def sendings(draw: st.DrawFn) -> list[ContactHandled]:
    """Revisions of two contacts, each of some agent, in any order; some come twice."""
    made = [
        revision(number, draw(_AGENT), fact=fact, void=draw(st.sampled_from([False, False, True])))
        for fact in range(2)
        for number in draw(st.sets(st.integers(0, REVISIONS - 1), min_size=1))
    ]
    again = draw(st.lists(st.sampled_from(made), max_size=3))
    return draw(st.permutations([*made, *again]))


@given(
    sent=sendings(),
    steps=st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from(STEPS)), max_size=60),
    gap_ms=st.sampled_from([1_000, 10 * MINUTE_MS]),
)
def test_the_last_revision_counts_and_no_other(
    sent: list[ContactHandled], steps: list[tuple[int, str]], gap_ms: int
) -> None:
    """
    However revisions come, partitions lag, flushes end and processes die.

        p0   h0 r0 (a0) ........... asked: r2 is elsewhere      h0 r1 (a3): comes too late, counts nothing
        p1         h0 r2 (a1) ..... asks the others
    """
    floor, left = Floor(gap_ms), list(sent)
    for number, step in steps:
        if step != "send":
            floor.step(number, step)
        elif left:
            floor.send(left.pop(0))
    for event in left:
        floor.send(event)
    floor.finish()

    last: dict[str, ContactHandled] = {}
    for event in sent:
        last[event.id] = max(last.get(event.id, event), event, key=lambda one: one.revision)
    expected = Counter(f"agent:{event.agent}" for event in last.values() if not event.void)
    assert floor.counted() == expected
    assert floor.current() == expected


def test_what_a_partition_was_told_outlives_it() -> None:
    """
    A lower revision comes after the crash; the higher one is not stored yet.

        p0   asked: r2 is elsewhere | stored, dies | r1 (a0): counts nothing
        p1   r2 (a1), its flush is under way ..................................
    """
    floor = Floor(1_000)
    floor.send(revision(2, agent=1))
    floor.step(1, "fold")
    floor.step(1, "freeze")
    floor.step(0, "fold")
    floor.flush(0)
    floor.step(0, "crash")

    floor.send(revision(1, agent=0))
    floor.finish()

    assert floor.counted() == floor.current() == {"agent:a1": 1}


def test_what_was_taken_once_is_taken_again() -> None:
    """
    By the time of the replay the store has the higher revision: the request to give up finds what counts.

        p0   r1 (a0) | stored, dies before the checkpoint | r1 again | asked: r2 is elsewhere
        p1   asked: r1 is elsewhere | r2 (a1), stored ....
    """
    floor = Floor(1_000)
    floor.send(revision(1, agent=0))
    floor.step(0, "fold")
    floor.step(0, "freeze")
    floor.send(revision(2, agent=1))
    floor.step(1, "fold")
    floor.step(1, "fold")
    floor.flush(1)
    floor.step(0, "break off")

    floor.finish()

    assert floor.counted() == floor.current() == {"agent:a1": 1}
