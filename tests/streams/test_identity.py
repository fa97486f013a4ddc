"""Which records are the same fact: duplicates, revisions, conflicts, and facts that move to another key (P1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.controls import RefoldAsked
from schemas.errors import InvalidEvent
from schemas.events import ContactHandled, FloorEvent, ShiftPlanned, decode, encode, parted
from schemas.times import MINUTE_MS, from_ms
from streams.core import identity
from streams.core.identity import Known
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from streams.core.versions import version_of
from tests.streams.floors import DAWN, item_of
from tests.streams.judges import Notes
from tests.streams.oracle import Sent
from tests.streams.runs import Run, new_engine
from tests.streams.shelf import EPOCH
from tests.streams.test_clockwork import planned
from tests.streams.test_restart import handled


def fact(offset: int, content: int = 1, **change: Any) -> Item:
    """The contact h0, in another revision or of another agent."""
    event = handled(0, 1).record
    assert isinstance(event, ContactHandled)
    return item_of(Sent(offset, DAWN + (offset + 1) * MINUTE_MS, event.model_copy(update=change), content))


def engine_after(*items: Item) -> PartitionEngine:
    """An engine that folded these."""
    engine = new_engine(event_clock=False, judge=Notes())
    for item in items:
        engine.apply(item)
    return engine


def count(engine: PartitionEngine, agent: str = "a1") -> int:
    """Handled contacts of an agent over all panes."""
    subject = engine.subjects.get(f"agent:{agent}")
    return subject.panes.sums(0, subject.panes.newest).get("handled", 0) if subject else 0


def test_of_all_that_came_before_the_highest_revision_counts() -> None:
    """Whatever offsets they have: a lower revision that came later replaced nothing."""
    #   offset     3          5          7          9
    #   revision   0          2          1          the record at hand
    rows = [Known(0, offset, revision, 1, DAWN, b"", epoch=1) for offset, revision in ((3, 0), (5, 2), (7, 1))]

    assert identity.prior_of(rows, 0, 1, 9) == rows[1]
    assert identity.prior_of(rows, 0, 1, 5) == rows[0]
    assert identity.prior_of(rows, 0, 1, 3) is None


@pytest.mark.parametrize(
    ("partition", "stored", "wins"),
    [(0, 1, "remembered"), (identity.ELSEWHERE, 1, "stored"), (identity.ELSEWHERE, 0, "remembered")],
    ids=["here", "elsewhere", "elsewhere, and newer"],
)
def test_what_is_stored_counts_where_memory_knows_no_more_than_that_it_is_elsewhere(
    partition: int, stored: int, wins: str
) -> None:
    """Of what is held here, memory has the newest."""
    remembered = Known(partition, 4, 1, 0, DAWN, b"")
    prior = Known(0, 3, stored, 1, DAWN, b"x")

    assert identity.newest_of(remembered, prior) == {"remembered": remembered, "stored": prior}[wins]


@pytest.mark.parametrize(
    ("again", "talk", "counters"),
    [
        ({}, 1, (1, 1, 0)),
        ({"content": 2}, 1, (1, 0, 1)),
        ({"content": 2, "revision": 1}, 1, (2, 0, 0)),
        ({"content": 2, "revision": 1, "void": True}, 0, (2, 0, 0)),
    ],
    ids=["duplicate", "conflict", "revised", "void"],
)
def test_the_same_fact_again(again: dict[str, Any], talk: int, counters: tuple[int, int, int]) -> None:
    """Repeated it is dropped, with other content dead-lettered, in a higher revision it replaces, void it is gone."""
    engine = engine_after(fact(0), fact(1, **again))

    assert count(engine) == talk
    assert (engine.rows, engine.duplicates, engine.dead) == counters


def test_a_lower_revision_that_comes_later_is_kept_and_not_counted() -> None:
    """It stands in `events`, marked with the revision that counts."""
    engine = engine_after(fact(0, 2, revision=2), fact(1))

    assert count(engine) == 1
    assert [(row.revision, row.superseded_by) for row in engine.freeze().events] == [(2, 0), (0, 2)]


def test_a_fact_that_moves_within_the_partition_counts_for_its_new_agent() -> None:
    """The old agent's minute is taken back, and the old row is marked."""
    engine = engine_after(fact(0), fact(1, 2, revision=1, agent="a2"))

    assert (count(engine), count(engine, "a2")) == (0, 1)
    assert [(r.subject, r.revision, r.superseded_by) for r in engine.freeze().events if r.superseded_by] == [
        ("agent:a1", 0, 1)
    ]


def asked(offset: int, revision: int) -> Item:
    """Another partition has a higher revision of h0."""
    moved = ("acd", "h0", "contact_handled")
    record = RefoldAsked(at=from_ms(DAWN), moved=moved, revision=revision, why="moved")
    return Item(offset, DAWN + offset * MINUTE_MS, b"", b"", record)


def test_a_fact_that_went_to_another_partition_is_taken_back_once() -> None:
    """However often it goes on from there: a1 here, then b, then c."""
    engine = engine_after(fact(0), asked(1, 1), asked(2, 2))

    assert count(engine) == 0


def test_a_fact_that_comes_back_is_asked_of_the_others_again() -> None:
    """Revision 2 is a1's again: the partition that had revision 1 must give it up."""
    engine = engine_after(fact(0), asked(1, 1), fact(2, 3, revision=2))

    assert count(engine) == 1
    assert [ask.revision for ask in engine.take_outbox().asks] == [2]


def test_the_new_owner_of_a_moved_fact_asks_the_others() -> None:
    """A higher revision of what this partition never saw may count elsewhere."""
    engine = engine_after(fact(0, 2, revision=1))

    (ask,) = engine.take_outbox().asks
    assert (ask.moved, ask.revision) == (("acd", "h0", "contact_handled"), 1)


def test_others_are_asked_before_time_has_begun() -> None:
    """A corrected plan is the first record under the event clock, and brings no time of its own."""
    engine = new_engine(event_clock=True, judge=Notes())
    plan = planned(0, 0, 60, 540)
    assert isinstance(plan.record, ShiftPlanned)

    engine.apply(plan._replace(record=plan.record.model_copy(update={"revision": 1})))

    assert (engine.clock, [ask.revision for ask in engine.out.asks]) == (-1, [1])


def test_a_higher_revision_of_another_partitions_fact_is_not_taken_back_here() -> None:
    """It only asks."""
    prior = Known(3, 7, 0, 1, DAWN, fact(0).payload)
    engine = engine_after(fact(0, 2, revision=1)._replace(prior=prior))

    assert count(engine) == 1
    assert len(engine.take_outbox().asks) == 1


@pytest.mark.parametrize(("epoch", "offset", "duplicates"), [(1, 4, 1), (1, 5, 0), (1, 6, 0), (0, 5, 1), (0, 6, 1)])
def test_a_stored_copy_counts_only_when_it_came_before(epoch: int, offset: int, duplicates: int) -> None:
    """
    After a crash the store holds the very record that is replayed: it is no duplicate of itself.

    Everything of the topic before this one came before: offsets begin at 0 again.
    """
    engine = engine_after()
    stored = Known(0, offset, 0, 1, DAWN, b"", epoch=epoch, version=version_of(epoch, offset))

    engine.apply(fact(5)._replace(prior=engine.prior_of(fact(5), [stored])))

    assert engine.duplicates == duplicates


def test_what_is_here_is_replaced_whatever_others_have_below() -> None:
    """Another partition's revision 1 is stored, and its request to give up revision 0 is yet to come."""
    engine = engine_after(fact(0))
    engine.remembered.replace({})
    here = Known(0, 0, 0, 1, DAWN, fact(0).payload, epoch=1, version=version_of(1, 0))
    there = Known(3, 7, 1, 2, DAWN, b"", epoch=1, version=version_of(1, 7))
    newer = fact(1, 3, revision=2)

    engine.apply(newer._replace(prior=engine.prior_of(newer, [here, there])))

    assert count(engine) == 1


def test_who_has_a_higher_revision_tells_who_asks() -> None:
    """It came before the others were heard of, so nobody has told them."""
    engine = engine_after(fact(0), fact(1, 2, revision=2), asked(2, 1))

    assert [ask.revision for ask in engine.take_outbox().asks] == [2]


def test_who_has_the_revision_that_others_are_asked_for_keeps_it() -> None:
    """What is to be given up is below it; there is nobody to be told either."""
    engine = engine_after(fact(0), fact(1, 2, revision=1), asked(2, 1))

    assert (count(engine), engine.take_outbox().asks) == (1, [])


def test_a_lower_revision_that_comes_after_the_request_counts_nothing() -> None:
    """Nothing was here to be given up when the higher one was told of; it is noted for later lives."""
    engine = engine_after(asked(0, 2), fact(1, 2, revision=1), asked(2, 5), fact(3, 4, revision=4))

    assert (count(engine), engine.rows) == (0, 0)
    assert [(move.revision, move.offset) for move in engine.freeze().moves] == [(2, 0), (5, 2)]


@pytest.mark.parametrize(
    ("by", "marked_at", "asked_for", "left"),
    [(3, 2, 2, 1), (3, 2, 5, 1), (3, 9, 5, 0)],
    ids=["by a higher one than is asked for", "by a lower one than is asked for", "by a record that is yet to come"],
)
def test_what_was_replaced_before_is_not_taken_back_again(by: int, marked_at: int, asked_for: int, left: int) -> None:
    """
    Of what is not remembered, the store says whether it still counted when somebody else's revision came.

        here     revision 0 | replaced by 3 | asked to give up what is below 2, or below 5
    """
    engine = engine_after(fact(0))
    engine.remembered.replace({})
    stored = Known(0, 0, 0, 1, DAWN, fact(0).payload, epoch=1, superseded_by=by, version=version_of(1, marked_at))
    item = asked(7, asked_for)

    engine.apply(item._replace(prior=engine.prior_of(item, [stored])))

    assert count(engine) == left


def test_an_id_is_forgotten_only_when_stored_and_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both must be: the store has it, and enough newer ones are there."""
    monkeypatch.setattr(identity, "REMEMBERED", 2)
    engine = engine_after(*(handled(number, number) for number in range(5)))

    engine.acknowledged(0)
    after_one = len(engine.remembered.facts())
    engine.acknowledged(4)

    assert (after_one, len(engine.remembered.facts())) == (4, 2)


def test_ids_of_an_older_epoch_are_forgotten_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets begin anew when the topics are made anew: those of before are all stored, however high they were."""
    monkeypatch.setattr(identity, "REMEMBERED", 0)
    engine = engine_after(fact(0))
    old = Known(0, 10**6, 0, 1, DAWN, b"", epoch=EPOCH - 1)
    engine.remembered.replace({"of before": old, **engine.remembered.facts()})

    engine.acknowledged(0)

    assert engine.remembered.facts() == {}


def test_ids_of_more_than_half_an_hour_ago_are_forgotten() -> None:
    """
    The store is asked for anything older than 15 min anyway: memory would grow with the day for nothing.

        minute  0  1  ...           40
                h0 h1               h2        kept: h2
    """
    engine = engine_after(handled(0, 0), handled(1, 1), handled(2, 40))

    engine.acknowledged(2)

    assert list(engine.remembered.facts()) == [_event(handled(2, 40)).identity]
    assert engine.asks_for(handled(1, 1)) == _event(handled(1, 1)).identity


def test_a_plan_does_not_keep_the_ids_behind_it() -> None:
    """It begins hours after it was told; whether it came before is asked for whenever it begins."""
    plan = planned(0, 0.5, 600, 1_000)
    engine = engine_after(plan, handled(1, 1), handled(2, 40))

    engine.acknowledged(2)

    assert list(engine.remembered.facts()) == [_event(handled(2, 40)).identity]


def corrected(*last: Item) -> Run:
    """A contact of 08:58 that ended at 08:25 by its correction of 08:59; both stored, and what came after too."""
    run = Run(new_engine(event_clock=False, judge=Notes()))
    for item in (told(0, 58, 58), told(1, 59, 25, revision=1), *last):
        run.fold([item])
        run.finish()
    return run


def told(offset: int, minute: float, ended: float, **change: Any) -> Item:
    """The contact h0, told at a minute to have ended at another."""
    at = from_ms(DAWN + round(ended * MINUTE_MS))
    return fact(offset, 1 + change.get("revision", 0), at=at, started_at=at, **change)._replace(
        broker_ms=DAWN + round(minute * MINUTE_MS)
    )


def test_what_a_correction_replaced_is_no_new_fact_when_it_comes_again() -> None:
    """The correction is of more than half an hour ago, and what is sent again is not: one contact, not two."""
    run = corrected(told(2, 65, 58))

    assert {place[1] - DAWN // MINUTE_MS: pane.sums["handled"] for place, pane in run.panes().items()} == {25: 1}
    assert (run.engine.rows, run.engine.duplicates) == (2, 1)


def test_a_correction_that_moved_on_is_remembered_for_as_long() -> None:
    """Its next revision went to another partition: what came first is of a minute ago all the same."""
    run = corrected()
    source, name, kind = "acd", "h0", "contact_handled"
    ask = RefoldAsked(at=from_ms(DAWN + 60 * MINUTE_MS), moved=(source, name, kind), revision=2, why="moved")

    run.fold([Item(2, DAWN + 60 * MINUTE_MS, b"", b"", ask)])
    run.finish()
    run.fold([told(3, 65, 58)])
    run.finish()

    assert run.panes() == {}


def test_a_start_looks_up_what_is_from_before_it() -> None:
    """The last ids are those of the last half hour: a correction to an older time is not among them."""
    run = corrected()
    stored = replace(run.shelf.stored(), known=[], forgotten_until=DAWN + 29 * MINUTE_MS)
    engine = new_engine(event_clock=False, judge=Notes())

    engine.load(stored)

    assert engine.asks_for(told(2, 65, 58)) is not None
    assert engine.asks_for(told(2, 65, 64)) is None


def test_what_may_have_been_forgotten_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown id at or before the newest forgotten instant; not one after it."""
    monkeypatch.setattr(identity, "REMEMBERED", 2)
    engine = engine_after(*(handled(number, number) for number in range(5)))
    engine.acknowledged(4)

    asked_for = [engine.asks_for(handled(9, minute)) is not None for minute in (1, 2, 2.5)]

    assert asked_for == [True, True, False]


def _event(item: Item) -> FloorEvent:
    assert isinstance(item.record, ContactHandled)
    return item.record


def test_two_facts_never_share_an_identity() -> None:
    """What parts the source from the id in it may stand in the id alone: so it tells which is which."""
    event = fact(1, id="b\x1fc").record
    assert isinstance(event, ContactHandled)

    with pytest.raises(InvalidEvent, match="source"):
        decode(encode(event.model_copy(update={"source": f"{event.source}\x1fb", "id": "c"})))

    assert parted(event.identity) == (event.source, "b\x1fc", "contact_handled")
