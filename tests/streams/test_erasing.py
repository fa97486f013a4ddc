"""After the record that erases somebody nothing of them is in the engine or comes out of it, whatever comes (P1)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.controls import RefoldAsked, RegistryChanged
from schemas.erasure import NOBODY, STRIPPED
from schemas.errors import InvalidEvent
from schemas.events import (
    ContactAnswered,
    ContactHandled,
    FloorEvent,
    QualityScored,
    ShiftPlanned,
    StateChanged,
    encode,
)
from schemas.registry import Alias, Erased, Floor, Membership, Person, Registry, Site, Team
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from streams.core.log import Frozen, Item, Outbox, Revision
from tests.streams.floors import DAWN, Fact, facts, in_log, item_of
from tests.streams.judges import Busy
from tests.streams.oracle import Sent
from tests.streams.runs import STEPS, Run, new_engine, restarted
from tests.streams.test_restart import away, crash, handled

GONE = "a1"
BEFORE = Floor(
    sites=[Site(id="main")],
    teams=[Team(id="t1")],
    people=[Person(id="a1", teams=[Membership(team="t1")]), Person(id="a2", teams=[Membership(team="t1")])],
)
AFTER = Floor(
    sites=[Site(id="main")],
    teams=[Team(id="t1")],
    people=[Person(id="a2", teams=[Membership(team="t1")])],
    erased=[Erased(id=GONE, at=from_ms(DAWN), aliases=[Alias(source="acd", id="17")])],
)


def erasing(offset: int, at_ms: int, floor: Floor = AFTER) -> Item:
    """The record from which on a1 is erased."""
    record = RegistryChanged(at=from_ms(at_ms), revision=2)
    revision = Revision(Registry(floor, 2), Busy(), Busy())
    return Item(offset, at_ms, encode(record), b"", record, revision=revision)


def shifted(item: Item, by: int) -> Item:
    """The same item later in the log."""
    return item._replace(offset=item.offset + by)


def new_run(*, event_clock: bool = False) -> Run:
    """A floor with two agents of one team, a1 not erased yet."""
    return Run(new_engine(event_clock=event_clock, registry=Registry(BEFORE, 1)))


def traces(value: Any) -> list[str]:
    """Everything in a value that names a1 or its vendor's id."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        named = (
            value in {GONE, f"agent:{GONE}", "acd:17", "agent:acd:17"} or f'"{GONE}"' in value or '"acd:17"' in value
        )
        return [value] if named else []
    if isinstance(value, dict):
        return [found for pair in value.items() for part in pair for found in traces(part)]
    if isinstance(value, Iterable):
        return [found for part in value for found in traces(part)]
    return []


def told(frozen: Frozen, outbox: Outbox) -> list[str]:
    """What names a1 in a flush and in what is sent, but the order to erase."""
    written = asdict(replace(frozen, erasure=None, transitions=[]))
    sent = asdict(replace(outbox, transitions=[], asks=[]))
    steps = [step.model_dump_json() for step, _ in [*frozen.transitions, *outbox.transitions]]
    return [one for part in (written, sent, steps, [encode(ask) for ask in outbox.asks]) for one in traces(part)]


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    what=facts(12),
    steps=st.lists(st.sampled_from(STEPS), max_size=30),
    where=st.floats(0, 1),
    restarts=st.booleans(),
    how=st.sampled_from(["nothing", "before_subjects"]),
)
def test_nothing_of_an_erased_person_is_left_or_comes_back(
    event_clock: bool, what: list[Fact], steps: list[str], where: float, restarts: bool, how: str
) -> None:
    """Whatever came before and comes after, in whatever order, with a flush or a crash at any point in between."""
    items = [item_of(sent) for sent in in_log(what, event_clock=event_clock)]
    at = round(where * len(items))
    order = erasing(at, items[max(at - 1, 0)].broker_ms)
    run = new_run(event_clock=event_clock)
    run.fold(items[:at], steps)

    run.fold([order])
    run.finish()
    run.fold([shifted(item, 1) for item in items[at:]], steps)
    if restarts:
        crash(run, how)
        run = restarted(run)
        run.fold([shifted(item, 1) for item in items[run.engine.boundary :]])
    outbox, frozen = run.engine.take_outbox(), run.engine.freeze()

    assert told(frozen, outbox) == []
    assert traces(run.engine.checkpoint().body) == []
    assert traces(list(run.engine.subjects)) == []
    assert traces([known.payload for known in run.engine.remembered.facts().values()]) == []
    refused = sum(item.record.subject == f"agent:{GONE}" for item in items[at:] if item.record)  # type: ignore[union-attr]
    assert run.engine.dead >= refused
    engine = run.engine
    assert engine.rows + engine.duplicates + engine.dead + engine.controls == engine.boundary + 1


def test_the_flush_that_hears_of_it_says_whom_and_where_their_events_stood() -> None:
    """What waited for the flush is never written: its places stand for it, and the counts stay those of the log."""
    run = new_run()
    run.fold([handled(0, 0), handled(1, 1)])

    run.fold([erasing(2, DAWN + 2 * MINUTE_MS)])
    frozen = run.engine.freeze()

    assert frozen.erasure is not None
    assert frozen.erasure.ids == {GONE, "acd:17"}
    assert frozen.erasure.places == ((1, 0), (1, 1))
    assert frozen.events == []
    assert (frozen.checkpoint.rows, frozen.checkpoint.dead) == (2, 0)
    assert run.engine.freeze().erasure is None


def test_a_later_event_is_a_dead_letter_without_its_bytes() -> None:
    """However old it is, and in whatever revision; its place in the log stays accounted for."""
    run = new_run()
    run.fold([erasing(0, DAWN), handled(1, 1), away(2, -600)])
    revised = ContactHandled(
        source="acd", id="x", revision=3, at=from_ms(DAWN), contact="c", agent=GONE, started_at=from_ms(DAWN), talk_s=1
    )

    run.fold([item_of(Sent(3, DAWN, revised, 3))])

    letters = run.engine.take_outbox().letters
    assert [(one.offset, one.reason, one.detail, one.key, one.value) for one in letters] == [
        (offset, "erased", STRIPPED, b"", b"") for offset in (1, 2, 3)
    ]
    assert (run.engine.rows, run.engine.dead) == (0, 3)


def test_a_letter_that_was_not_sent_yet_loses_its_bytes() -> None:
    """Bytes that are no event are looked through word by word; those of others stay as they came."""
    run = new_run()
    fault = InvalidEvent("invalid", "agent: too long")
    theirs = Item(0, DAWN, b"{broken a1,", b"", None, fault)
    others = Item(1, DAWN, b"{broken a12,", b"", None, fault)
    run.fold([theirs, others])

    run.fold([erasing(2, DAWN)])

    assert [(one.reason, one.value) for one in run.engine.take_outbox().letters] == [
        ("invalid", b""),
        ("invalid", b"{broken a12,"),
    ]


def test_what_a_queue_was_given_stays_without_the_name() -> None:
    """The event counts, as the same fact: sent again it is a duplicate, with other content a conflict."""
    answered = ContactAnswered(
        source="acd", id="q1", at=from_ms(DAWN), contact="c", queue="sales", agent=GONE, waited_s=3
    )
    scored = QualityScored(source="acd", id="s1", at=from_ms(DAWN), agent="a2", score=90, evaluator=GONE)
    run = new_run()
    run.fold([erasing(0, DAWN)])

    told: list[FloorEvent] = [answered, scored, answered]
    run.fold([item_of(Sent(number, DAWN, event, 7)) for number, event in enumerate(told, 1)])
    run.fold([item_of(Sent(4, DAWN, answered, 8))])

    rows = run.engine.freeze().events
    assert [json.loads(row.payload).get("agent") for row in rows] == [NOBODY, "a2"]
    assert json.loads(rows[1].payload)["evaluator"] == NOBODY
    assert [row.content for row in rows] == [7, 7]
    assert (run.engine.rows, run.engine.duplicates, run.engine.dead) == (2, 1, 1)
    assert traces([letter.value for letter in run.engine.take_outbox().letters]) == []


def test_a_queues_event_that_is_replaced_is_written_again_without_the_name() -> None:
    """The store may still have it with the name when it is looked up: the mark on it does not bring that back."""
    event = ContactAnswered(source="acd", id="q1", at=from_ms(DAWN), contact="c", queue="sales", agent=GONE, waited_s=3)
    void = event.model_copy(update={"revision": 1, "void": True})
    run = new_run()
    run.fold([item_of(Sent(0, DAWN, event, 1))])
    run.finish()
    named = run.shelf.look_up("acd\x1fq1\x1fcontact_answered")
    run.fold([erasing(1, DAWN)])
    run.engine.remembered.replace({})

    run.engine.apply(item_of(Sent(2, DAWN, void, 2))._replace(prior=named[0]))

    rows = run.engine.freeze().events
    assert [(row.revision, row.superseded_by) for row in rows] == [(1, 0), (0, 1)]
    assert traces([row.payload for row in rows]) == []


def test_what_was_not_sent_or_written_yet_of_an_alert_never_is() -> None:
    """A step that no flush has taken: neither is it told, nor does it open anything, nor is it a row."""
    run = new_run()
    run.fold([handled(0, 0), handled(1, 0.5), item_of(Sent(2, DAWN + 2 * MINUTE_MS, _of_another(DAWN + MINUTE_MS), 1))])
    assert {step.subject for step, _ in run.engine.out.transitions} == {f"agent:{GONE}"}
    untold = list(run.engine.out.transitions)
    run.engine.take_outbox()
    run.engine.out.transitions += untold

    run.fold([erasing(3, DAWN + 2 * MINUTE_MS)])

    assert run.engine.take_outbox().transitions == []
    assert run.engine.freeze().transitions == []


def test_nothing_of_their_facts_is_remembered() -> None:
    """Neither the payloads of their own events nor their name in those of others."""
    answered = ContactAnswered(
        source="acd", id="q1", at=from_ms(DAWN), contact="c", queue="sales", agent=GONE, waited_s=3
    )
    run = new_run()
    run.fold([handled(0, 0), item_of(Sent(1, DAWN, answered, 1))])
    run.finish()

    run.fold([erasing(2, DAWN)])

    known = run.engine.remembered.facts()
    assert list(known) == [answered.identity]
    assert traces([fact.payload for fact in known.values()]) == []


def test_an_open_alert_is_gone_and_nothing_more_is_said_of_it() -> None:
    """No step follows, neither by the rule nor by time alone: what was due of them is not due any more."""
    run = new_run()
    plan = ShiftPlanned.model_validate_json(
        json.dumps(
            {
                "source": "acd", "id": "p", "at": "2026-03-02T08:00:00Z", "agent": GONE,
                "activities": [
                    {"activity": "x", "starts_at": "2026-03-02T08:00:00Z", "ends_at": "2026-03-02T18:00:00Z"}
                ],
            }
        )
    )  # fmt: skip
    run.fold([item_of(Sent(0, DAWN, plan, 1)), away(1, 0), handled(2, 1), handled(3, 2), away(4, 3, "away")])
    run.fold([shifted(handled(5, 14), 0)])
    run.finish()
    assert {step.subject for step, _ in run.said} == {f"agent:{GONE}"}
    run.said.clear()

    run.fold([erasing(6, DAWN + 14 * MINUTE_MS)])
    run.fold([away(7, 30 * 60, "ready")._replace(record=_of_another(DAWN + 30 * HOUR_MS))])
    run.finish()

    assert [step.subject for step, _ in run.said] == []


def _of_another(at_ms: int) -> StateChanged:
    return StateChanged(source="acd", id="other", at=from_ms(at_ms), agent="a2", state="ready")


def test_the_groups_lose_their_share_of_the_resident_minutes() -> None:
    """Also after a restart, when the sums of the loaded minutes had not been made yet."""
    run = new_run()
    run.fold([handled(0, 0), handled(1, 1)])
    run.fold([item_of(Sent(2, DAWN + 2 * MINUTE_MS, _of_another(DAWN + 2 * MINUTE_MS), 1))])
    run.finish()
    again = restarted(run)
    assert again.engine.registry.revision == 1

    again.fold([erasing(3, DAWN + 3 * MINUTE_MS)])
    again.fold([item_of(Sent(4, DAWN + 5 * MINUTE_MS, _of_another(DAWN + 5 * MINUTE_MS), 2))])
    again.finish()

    emptied = {
        (group, minute)
        for contribution in again.given
        for group, minutes in contribution.sums.items()
        for minute, sums in minutes.items()
        if not any(sums.values())
    }
    assert {("team:t1", DAWN // MINUTE_MS), ("site:main", DAWN // MINUTE_MS + 1)} <= emptied


def test_what_a_worker_thought_dead_wrote_of_them_is_not_loaded() -> None:
    """Small state and panes of somebody erased may come into the store again before the sweep: nobody takes them."""
    run = new_run()
    run.fold([handled(0, 0), away(1, 1)])
    run.finish()
    bodies, panes = dict(run.shelf.bodies), dict(run.shelf.panes)
    run.fold([erasing(2, DAWN + 2 * MINUTE_MS)])
    run.finish()

    run.shelf.bodies |= bodies
    run.shelf.panes |= panes
    again = restarted(run)

    assert list(again.engine.subjects) == []


def test_a_refold_or_a_fact_that_moved_brings_nobody_back() -> None:
    """Owners are asked to fold a subject again, or to give up a fact: of somebody erased there is none."""
    run = new_run()
    run.fold([handled(0, 0)])
    run.finish()
    stored = run.shelf.look_up("acd\x1fh0\x1fcontact_handled")
    run.fold([erasing(1, DAWN)])
    run.finish()
    refold = RefoldAsked(
        at=from_ms(DAWN), subject=f"agent:{GONE}", from_at=from_ms(DAWN), to_at=from_ms(DAWN + HOUR_MS), why="test"
    )
    moved = RefoldAsked(at=from_ms(DAWN), moved=("acd", "h0", "contact_handled"), revision=1, why="test")
    to_a2 = ContactHandled(
        source="acd", id="h0", revision=2, at=from_ms(DAWN), contact="c", agent="a2", started_at=from_ms(DAWN), talk_s=1
    )

    run.engine.apply(Item(2, DAWN, encode(refold), b"", refold))
    run.engine.apply(Item(3, DAWN, encode(moved), b"", moved, prior=stored[0]))
    assert traces([known.payload for known in run.engine.remembered.facts().values()]) == []
    run.engine.apply(item_of(Sent(4, DAWN, to_a2, 9))._replace(prior=stored[0]))

    frozen = run.engine.freeze()
    assert list(run.engine.subjects) == ["agent:a2"]
    assert [(row.subject, row.superseded_by) for row in frozen.events] == [("agent:a2", 0)]
    assert frozen.late == {}


def test_a_fact_of_another_that_was_theirs_after_all_counts_no_more() -> None:
    """A correction says that the contact was that of the erased person: the other one does not keep it."""
    run = new_run()
    first = ContactHandled(
        source="acd", id="x", at=from_ms(DAWN), contact="c", agent="a2", started_at=from_ms(DAWN), talk_s=1
    )
    corrected = first.model_copy(update={"agent": GONE, "revision": 1})
    run.fold([item_of(Sent(0, DAWN, first, 1)), erasing(1, DAWN)])

    run.fold([item_of(Sent(2, DAWN, corrected, 2))])
    run.finish()

    assert all(not any(pane.sums.values()) for pane in run.shelf.panes.values())
    assert [row.superseded_by for row in run.shelf.rows.values()] == [1]
