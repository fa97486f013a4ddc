"""What a worker finds at its start: exactly the state of the log up to its checkpoint (P1, P2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.registry import Floor, Registry
from schemas.times import from_ms
from schemas.topics import EVENTS
from sinks.clickhouse import ClickHouseSink
from sinks.horizon import NOTHING_LOST
from sinks.late import late_panes
from sinks.raw import current_events, last_known, look_up
from sinks.restore import read_stored
from streams.core.identity import ELSEWHERE
from streams.core.partition import PartitionEngine
from streams.core.versions import version_of
from tests.sinks.test_clickhouse_sink import Crash, crash_at
from tests.streams.floors import DAWN
from tests.streams.judges import Busy
from tests.streams.runs import new_engine
from tests.streams.test_clockwork import ticked
from tests.streams.test_identity import asked, fact
from tests.streams.test_restart import away, handled

MINUTE = DAWN // 60_000


def flushed(client: Client, engine: PartitionEngine, *items: Any, step: str = "") -> None:
    """Fold items and write them; die at a step."""
    for item in items:
        engine.apply(item)
    engine.take_outbox()
    ClickHouseSink(client, crash_at(step)).write([engine.freeze()])
    engine.acknowledged(engine.boundary)


def restored(client: Client) -> PartitionEngine:
    """A new engine from the store."""
    stored = read_stored(client, EVENTS, [0], 1).get(0)
    assert stored is not None
    engine = new_engine(event_clock=False)
    engine.load(stored)
    return engine


def apply_looked_up(client: Client, engine: PartitionEngine, item: Any) -> None:
    """Fold an item that memory cannot judge, with what the store knows of it."""
    identity = engine.asks_for(item)
    assert identity is not None
    engine.apply(item._replace(prior=engine.prior_of(item, look_up(client, [identity])[identity])))


def panes(engine: PartitionEngine) -> dict[Any, Any]:
    """Sums and handle times by place."""
    return {
        (key, minute, cell): ({c: v for c, v in pane.sums.items() if v}, sorted(pane.handle_times))
        for key, subject in engine.subjects.items()
        for minute, cells in subject.panes.minutes.items()
        for cell, pane in cells.items()
    }


def test_before_the_first_flush_there_is_nothing(client: Client) -> None:
    """A partition begins empty."""
    assert read_stored(client, EVENTS, [0], 1) == {}


def test_a_restart_finds_the_state_of_the_checkpoint(client: Client) -> None:
    """Panes, clock, open state, ids."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1), away(1, 0.5), away(2, 2.5, "ready"))

    again = restored(client)

    assert (again.boundary, again.clock, again.rows) == (2, engine.clock, 3)
    assert panes(again) == panes(engine)
    assert again.subjects["agent:a1"].dump() == engine.subjects["agent:a1"].dump()
    assert again.remembered.facts() == engine.remembered.facts()


def test_panes_above_the_checkpoint_are_folded_again(client: Client) -> None:
    """A flush that broke off before its checkpoint left panes that hold what will be replayed."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1), handled(1, 0.2))
    before = panes(engine)
    with pytest.raises(Crash):
        flushed(client, engine, handled(2, 0.3), away(3, 0.4), away(4, 3.0, "ready"), step="before_subjects")

    again = restored(client)

    assert {place: found for place, found in panes(again).items() if found[0]} == before


def test_partitions_that_are_read_at_once_are_those_of_each(client: Client) -> None:
    """Each has its own subjects, minutes and ids, as far back as its own clock wants; the third was never flushed."""
    engines = [PartitionEngine(p, 1, Registry(Floor()), Busy(), event_clock=False) for p in range(2)]
    flushed(client, engines[0], handled(0, 0.1, agent="a0"))
    flushed(client, engines[1], handled(0, 0.1, agent="a1"), handled(1, 200.0, agent="a1"))

    stored = read_stored(client, EVENTS, [0, 1, 2], 1)

    assert set(stored) == {0, 1}
    for partition, engine in enumerate(engines):
        again = PartitionEngine(partition, 1, Registry(Floor()), Busy(), event_clock=False)
        again.load(stored[partition])
        assert panes(again) == panes(engine)
        assert set(again.subjects) == set(engine.subjects) == {f"agent:a{partition}"}
        assert again.remembered.facts().keys() == engine.remembered.facts().keys()


class Meddled:
    """A client; something happens after so many of its reads."""

    def __init__(self, client: Client, after: int, happens: Callable[[], None]) -> None:
        self._client, self._left, self._happens = client, after, happens

    def query(self, *args: Any, **named: Any) -> Any:
        """Read rows."""
        return self._counted(self._client.query(*args, **named))

    @contextmanager
    def query_rows_stream(self, *args: Any, **named: Any) -> Iterator[Any]:
        """Read rows as they come."""
        with self._client.query_rows_stream(*args, **named) as rows:
            read = list(rows)
        yield self._counted(read)

    def _counted(self, answer: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self._happens()
        return answer


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_a_flush_that_ends_while_a_start_reads_counts_once(client: Client, after: int) -> None:
    """
    The owner before may still have one under way: all of it is replayed, so nothing of it may be there.

        old owner   flush up to 1 | flush up to 4 ........ written
        new owner                   checkpoint 1 | panes | ids | replays 2 to 4
    """
    later = [handled(2, 0.3), away(3, 0.4), away(4, 3.0, "ready")]
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1), handled(1, 0.2))
    meddled: Any = Meddled(client, after, lambda: flushed(client, engine, *later))

    again = restored(meddled)
    boundary = again.boundary
    for item in later:
        again.apply(item)

    assert boundary == 1
    assert engine.boundary == 4
    assert panes(again) == panes(engine)
    assert again.subjects["agent:a1"].dump() == engine.subjects["agent:a1"].dump()


@pytest.mark.parametrize("is_merged", [False, True])
def test_a_revision_above_the_checkpoint_has_not_happened_yet(client: Client, is_merged: bool) -> None:
    """It is replayed, and must find the revision that it replaces, whether or not the store merged the rows."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0))
    with pytest.raises(Crash):
        flushed(client, engine, fact(1, 2, revision=1, agent="a2"), step="before_subjects")
    if is_merged:
        client.command("OPTIMIZE TABLE events FINAL")

    again = restored(client)
    again.apply(fact(1, 2, revision=1, agent="a2"))

    assert {key[0]: sums.get("handled") for key, (sums, _) in panes(again).items() if sums.get("handled")} == {
        "agent:a2": 1
    }


def test_a_repeat_of_a_replaced_revision_leaves_its_row_as_it_was(client: Client) -> None:
    """It would else seem to have come first after the revision that replaced it, and be missed at a restart."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0))
    flushed(client, engine, fact(1, 2, revision=1), fact(2))

    found = client.query("SELECT revision, offset, superseded_by FROM events FINAL ORDER BY revision").result_rows

    assert found == [(0, 0, 1), (1, 1, 0)]


def test_a_late_minute_is_written_again_whole(client: Client) -> None:
    """A contact two hours late joins what was counted in its minute."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 0.1))
    late = handled(2, 0.2)
    flushed(
        client, engine, ticked(1, 121), type(late)(2, DAWN + 122 * 60_000, late.payload, b"", late.record, content=2)
    )

    rows = client.query("SELECT handled, length(handle_times_ms) FROM agent_minutes FINAL").result_rows

    assert rows == [(2, 2)]


def test_a_late_minute_that_came_to_nothing_is_written_as_zeros(client: Client) -> None:
    """Its contact was taken back: the old sums must not stand on."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0))
    engine.apply(ticked(1, 121))
    engine.apply(fact(130, 2, revision=1, void=True))

    frozen = engine.freeze()
    ClickHouseSink(client).write([frozen])

    assert frozen.late == {"agent:a1": {MINUTE + 1}}
    assert [pane.sums for _, _, _, pane in late_panes(client, frozen, NOTHING_LOST)] == [{}]
    assert client.query("SELECT handled, talk_ms FROM agent_minutes FINAL").result_rows == [(0, 0)]


def test_what_counted_at_a_version(client: Client) -> None:
    """As of the first record revision 0 counts, as of the second revision 1."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0), fact(1, 2, revision=1))

    found = [
        [event.revision for _, event in current_events(client, "agent:a1", 0, 2**42, version_of(1, offset))]
        for offset in (0, 1)
    ]

    assert found == [[0], [1]]


def test_a_void_event_counts_for_nothing(client: Client) -> None:
    """It stays on record."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0), fact(1, 2, revision=1, void=True))

    assert current_events(client, "agent:a1", 0, 2**42, version_of(1, 1)) == []
    assert client.query("SELECT count() FROM events FINAL").result_rows == [(2,)]


def test_a_lookup_finds_every_revision(client: Client) -> None:
    """And only identities that were asked for: another type is another fact. What was replaced says so."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0), fact(1, 2, revision=1), handled(2, 3))

    (found,) = look_up(client, ["acd\x1fh0\x1fcontact_handled"]).values()

    assert max((known.revision, known.offset, known.content) for known in found) == (1, 1, 2)
    assert {known.revision for known in found} == {0, 1}
    newest = {known.revision: known for known in sorted(found, key=lambda known: known.version)}
    assert [(newest[r].superseded_by, newest[r].version) for r in (0, 1)] == [
        (1, version_of(1, 1)),
        (0, version_of(1, 1)),
    ]
    assert look_up(client, []) == {}


def test_the_last_ids_come_oldest_first(client: Client) -> None:
    """So that the oldest are forgotten first."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, *(handled(number, number) for number in range(4)))

    known, forgotten = last_known(client, {0: (version_of(1, 2), 0)})[0]

    assert [found.offset for _, found in known] == [0, 1, 2]
    assert forgotten == -1


def test_beyond_the_last_ids_their_newest_time_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """At or before it, absence proves nothing."""
    monkeypatch.setattr("sinks.raw.REMEMBERED", 2)
    engine = new_engine(event_clock=False)
    flushed(client, engine, *(handled(number, number) for number in range(5)))

    known, forgotten = last_known(client, {0: (version_of(1, 4), 0)})[0]

    assert [found.offset for _, found in known] == [3, 4]
    assert forgotten == DAWN + 2 * 60_000


def test_ids_before_a_time_are_not_read(client: Client) -> None:
    """A start does not read weeks of raw events; absence proves nothing before that time."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, *(handled(number, number) for number in range(4)))

    known, forgotten = last_known(client, {0: (version_of(1, 3), DAWN + 2 * 60_000)})[0]

    assert [found.offset for _, found in known] == [2, 3]
    assert forgotten == DAWN + 2 * 60_000 - 1


def test_a_replayed_revision_finds_what_it_replaces_by_lookup(client: Client) -> None:
    """Its own stored copy is no answer: the revision before it is."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0))
    with pytest.raises(Crash):
        flushed(client, engine, fact(1, 2, revision=1, agent="a2"), step="before_subjects")
    again = restored(client)
    again.remembered.replace({})

    apply_looked_up(client, again, fact(1, 2, revision=1, agent="a2"))

    assert sum(sums.get("handled", 0) for sums, _ in panes(again).values()) == 1


def test_a_fact_that_went_to_another_key_stays_known_as_held_elsewhere(client: Client) -> None:
    """Its old revision sent again to the old key counts nothing, also after a restart."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, fact(0), asked(1, 1))
    again = restored(client)

    again.apply(fact(2))

    assert sum(sums.get("handled", 0) for sums, _ in panes(again).values()) == 0
    assert again.duplicates == 1


@pytest.mark.parametrize("is_remembered", [True, False])
def test_what_a_partition_was_told_of_others_facts_is_still_known(client: Client, is_remembered: bool) -> None:
    """A lower revision that comes after a restart finds it: in memory or, when it was forgotten, in the store."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, asked(0, 2))
    with pytest.raises(Crash):
        flushed(client, engine, asked(1, 5), step="before_subjects")
    again = restored(client)
    told = {identity: (known.partition, known.revision) for identity, known in again.remembered.facts().items()}
    if not is_remembered:
        again.remembered.replace({})

    for item in (asked(1, 5), fact(2, 2, revision=1), fact(3, 3, revision=4)):
        identity = again.asks_for(item)
        found = look_up(client, [identity]).get(identity, []) if identity else []
        again.apply(item._replace(prior=again.prior_of(item, found)))

    assert told == {"acd\x1fh0\x1fcontact_handled": (ELSEWHERE, 2)}
    assert (again.rows, again.duplicates) == (0, 2)


@pytest.mark.parametrize("went_elsewhere", [False, True])
def test_a_revision_with_an_earlier_time_is_still_known(client: Client, went_elsewhere: bool) -> None:
    """
    A start reads the ids of the last half hour: the first revision lies in it, the second before it.

        minute   5: revision 1 ... 41: revision 0 | checkpoint | revision 2, here or in another partition
    """
    engine = new_engine(event_clock=False)
    first = fact(40, at=from_ms(DAWN + 41 * 60_000))
    earlier = fact(41, 2, revision=1, at=from_ms(DAWN + 5 * 60_000))
    flushed(client, engine, first, earlier)
    again = restored(client)
    next_one = asked(42, 2) if went_elsewhere else fact(42, 3, revision=2, at=from_ms(DAWN + 42 * 60_000))

    apply_looked_up(client, again, next_one)

    assert sum(sums.get("handled", 0) for sums, _ in panes(again).values()) == (0 if went_elsewhere else 1)


def test_the_same_revision_with_an_earlier_time_is_a_duplicate(client: Client) -> None:
    """No conflict with the content of the revision before it."""
    engine = new_engine(event_clock=False)
    first = fact(40, at=from_ms(DAWN + 41 * 60_000))
    earlier = fact(41, 2, revision=1, at=from_ms(DAWN + 5 * 60_000))
    flushed(client, engine, first, earlier)
    again = restored(client)

    apply_looked_up(client, again, earlier._replace(offset=42))

    assert (again.duplicates, again.dead) == (1, 0)
