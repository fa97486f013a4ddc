"""What an explanation lists adds up to the figure, to the last digit, and each part belongs to the right event."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings

from schemas.events import Activity, ContactHandled, FloorEvent, ShiftPlanned, StateChanged, subject_of
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, minute_of
from streams.core.explained import ENDED_BY_TTL, STILL_OPEN, Fact, facts_of, lasted, totals
from streams.core.facts import CellKey
from streams.core.panes import add_to
from streams.core.spans import TTL_MS
from streams.core.subject import fold_all
from tests.streams.floors import DAWN, facts, in_log
from tests.streams.floors import Fact as Told
from tests.streams.oracle import counting


def everything(_minute: int, _cell: CellKey) -> bool:
    return True


def state(minute: int, name: str, reason: str | None = None) -> tuple[int, StateChanged]:
    """A state of a1, that many minutes after dawn; its offset is the minute."""
    at = from_ms(DAWN + minute * MINUTE_MS)
    return minute, StateChanged(source="acd", id=f"s{minute}", at=at, agent="a1", state=name, reason=reason)  # type: ignore[arg-type]


def without_zeros(panes: dict[tuple[int, CellKey], dict[str, int]]) -> dict[tuple[int, CellKey], dict[str, int]]:
    held = {at: {column: value for column, value in pane.items() if value} for at, pane in panes.items()}
    return {at: pane for at, pane in held.items() if pane}


def sums(found: list[Fact]) -> dict[str, int]:
    total: dict[str, int] = {}
    for fact in found:
        add_to(total, fact.sums(everything))
    return total


@settings(max_examples=60, deadline=None)
@given(told=facts(20))
def test_the_parts_add_up_to_the_panes(told: list[Told]) -> None:
    """Minute by minute and cell by cell, for states, contacts and plans in whatever disorder they came."""
    log = in_log(told, event_clock=False)
    clock = max(sent.broker_ms for sent in log)
    by_subject: dict[str, list[tuple[int, FloorEvent]]] = {}
    for sent in counting(log):
        by_subject.setdefault(subject_of(sent.event), []).append((sent.offset, sent.event))

    for events in by_subject.values():
        parts, panes = list(facts_of(events, clock)), fold_all(events, clock)

        listed: dict[tuple[int, CellKey], dict[str, int]] = {}
        for delta in (delta for fact in parts for delta in fact.deltas):
            add_to(listed.setdefault((delta.minute, delta.cell), {}), delta.sums, delta.sign)
        folded = {(minute, cell): pane.sums for minute, cells in panes.minutes.items() for cell, pane in cells.items()}
        assert without_zeros(listed) == without_zeros(folded)
        assert sums(parts) == totals(panes, everything)


def test_time_belongs_to_the_state_that_was_left() -> None:
    """The change that ends a stretch adds only what it counts itself."""
    found = list(facts_of([state(0, "ready"), state(7, "away", "lunch"), state(9, "offline")], DAWN + HOUR_MS))

    stretches = [(f.event.id, f.end_ms - f.start_ms, f.sums(everything)) for f in found if f.kind == "state"]
    assert stretches == [
        ("s0", 7 * MINUTE_MS, {"ready_ms": 7 * MINUTE_MS}),
        ("s7", 2 * MINUTE_MS, {"away_ms": 2 * MINUTE_MS, "away:lunch": 2 * MINUTE_MS}),
        ("s9", 51 * MINUTE_MS, {}),
    ]
    assert [(f.event.id, f.sums(everything)) for f in found if f.kind == "event"] == [
        ("s7", {"aways": 1}),
        ("s9", {"logouts": 1}),
    ]


def test_what_time_ended_and_what_is_open_says_so() -> None:
    """12 h after nobody ended it; and before that, nothing of it counts."""
    (ended,) = facts_of([state(0, "ready")], DAWN + TTL_MS)
    (open_,) = facts_of([state(0, "ready")], DAWN + TTL_MS - 1)

    assert (ended.note, ended.sums(everything)) == (ENDED_BY_TTL, {"ready_ms": TTL_MS})
    assert (open_.note, open_.sums(everything)) == (STILL_OPEN, {})


def test_only_what_lies_in_the_scope_counts() -> None:
    """A stretch over the edge of the range counts with its part within."""
    found = facts_of([state(0, "ready"), state(10, "offline")], DAWN + HOUR_MS)
    first = minute_of(DAWN)

    (ready, _) = (fact for fact in found if fact.kind == "state")

    assert ready.sums(lambda minute, _cell: first + 4 <= minute < first + 60) == {"ready_ms": 6 * MINUTE_MS}


def test_planned_time_belongs_to_the_plan_that_holds() -> None:
    """Of two plans that overlap, the later in the log."""
    hour = timedelta(hours=1)
    at = from_ms(DAWN)
    plans = [
        ShiftPlanned(source="wfm", id=f"p{n}", at=at, agent="a1",
                     activities=[Activity(activity="work", starts_at=at, ends_at=at + (n + 1) * hour)])
        for n in range(2)
    ]  # fmt: skip

    found = list(facts_of(enumerate(plans), DAWN + 3 * HOUR_MS))

    assert {fact.event.id for fact in found} == {"p1"}
    assert sums(found)["plan:P"] == 2 * HOUR_MS


def test_a_contact_lasts_from_its_start() -> None:
    """So that one which began in a range and ended after it can be named."""
    handled = ContactHandled(
        source="acd", id="1", at=from_ms(DAWN), contact="c", agent="a1", started_at=from_ms(DAWN - 9), talk_s=1.0
    )

    assert lasted(handled) == (DAWN - 9, DAWN)
