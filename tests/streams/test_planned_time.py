"""Planned time in windows and shifts, in memory and in the small state, and in what is read for a minute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.alerts import ALL_NEWS, Judgement, RuleState, SubjectView, Window
from schemas.kpi_terms import Codes
from schemas.registry import Registry
from schemas.times import HOUR_MS, MINUTE_MS, from_ms
from streams.core.facts import AGENT_TIME
from streams.core.log import Item
from streams.core.partition import PartitionEngine
from streams.core.planned import Plans
from streams.core.subject import REACH_MS, fold_all
from streams.core.views import GroupAt, SubjectAt
from tests.streams.floors import DAWN
from tests.streams.judges import FIVE, Notes
from tests.streams.oracle import planned_pieces
from tests.streams.plans import BREAK, FLOOR, LUNCH, WORK, at_minute, entered, plan, ran
from tests.streams.runs import new_engine, restarted
from tests.streams.test_clockwork import ticked


class Planned(Notes):
    """Notes (subject, now, planned paid ms of a window), or another column of it."""

    def __init__(self, window: Window, column: str) -> None:
        super().__init__()
        self.window, self.column = window, column

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """Note it."""
        self.judged.append((view.subject, now_ms, view.sums(self.window).get(self.column, 0)))
        return Judgement()


def judged(window: Window, *items: Item, column: str = "plan:P") -> list[tuple[float, float]]:
    """(minute, minutes of a column in a window) of each judgement of a1."""
    notes = Planned(window, column)
    engine = new_engine(event_clock=False, judge=notes)
    for item in items:
        engine.apply(item)
    return [((now - DAWN) / MINUTE_MS, found / MINUTE_MS) for _, now, found in notes.judged]


def test_windows_at_a_whole_minute_hold_the_minute_that_ended() -> None:
    """Who is judged at 09:05:00 has five planned minutes in the window of five, not four and an empty one."""
    found = judged(FIVE, plan(0, 0, (WORK, 60, 70)), ticked(1, 77))

    assert [ms for minute, ms in found if minute > 60] == [1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 4, 3, 2, 1, 0]


def test_a_shift_is_judged_whole_when_it_ends() -> None:
    """At 17:00:00 the shift that ends then has its last minute, and not yet another one's."""
    found = judged(Window("shift"), plan(0, 0, (WORK, 60, 540)), ticked(1, 540))

    assert (found[-1], found[-480]) == ((540, 480), (61, 1))


def test_a_shift_begins_without_what_came_before_it() -> None:
    """Who worked early, was idle for an hour and is absent now is judged for the shift alone from its first minute."""
    early = entered(1, 20, "ready"), entered(2, 30, "offline")

    found = judged(Window("shift"), plan(0, 0, (WORK, 120, 480)), *early, ticked(3, 122), column="ready_ms")

    assert {ready for minute, ready in found if 30 < minute < 120} == {10}
    assert [(minute, ready) for minute, ready in found if minute > 120] == [(121, 0), (122, 0)]


def shift_of(engine: PartitionEngine) -> tuple[float, float]:
    """Start of the shift of a1 in minutes after dawn, and its planned minutes."""
    subject = engine.subjects["agent:a1"]
    return (subject.shift_start - DAWN) / MINUTE_MS, subject.shift_sums.get("plan:P", 0) / MINUTE_MS


@pytest.mark.parametrize(
    ("now", "start", "minutes"),
    [(899, -480, 0), (901, 900, 1), (1_000, 900, 100), (1_379.5, 900, 479), (1_381, 1_380, 0)],
)
def test_a_shift_over_midnight_is_one_shift(now: float, start: float, minutes: float) -> None:
    """23:00 to 07:00, told in the morning: nobody has to log in for it to begin and to end."""
    engine = new_engine(event_clock=False, judge=Notes())

    for item in (plan(0, 0, (WORK, 900, 1_380)), ticked(1, now)):
        engine.apply(item)

    assert shift_of(engine) == (start, minutes)


def test_today_is_remembered_when_weeks_are_planned() -> None:
    """Twenty shifts to come do not push out the one that is under way."""
    engine = new_engine(event_clock=False, judge=Notes())
    for day in range(20):
        engine.apply(plan(day, 0, (WORK, 60 + day * 1_440, 540 + day * 1_440), id=f"day {day}"))

    engine.apply(ticked(20, 100))

    assert shift_of(engine) == (60, 40)


def test_plans_are_forgotten_after_a_day() -> None:
    """Memory holds what is to come and what ended in the last 26 h, however long the agent is planned."""
    engine = new_engine(event_clock=False, judge=Notes())
    for day in range(30):
        engine.apply(plan(day, day * 1_440, (WORK, 60 + day * 1_440, 540 + day * 1_440), id=f"day {day}"))

    assert len(engine.subjects["agent:a1"].time.plans.shifts()) <= 3


def held_until(plans: Plans, minute: int) -> list[tuple[str, int, int, int]]:
    """The spans of planned time up to a minute."""
    return [(span.column, span.start, span.end, span.sign) for span in plans.until(at_minute(minute))]


def test_the_small_state_keeps_the_plans() -> None:
    """Dumped as JSON and loaded, everything is as it was: what holds, and what is forgotten."""
    run = ran(
        plan(0, 0, (WORK, 60, 90), (LUNCH, 90, 120)),
        plan(1, 2_000, (BREAK, 2_100, 2_130), (WORK, 2_130, 2_200), id="q"),
        ticked(2, 2_150),
    )
    plans = run.engine.subjects["agent:a1"].time.plans

    again = Plans.load(json.loads(json.dumps(plans.dump())))

    assert again.dump() == plans.dump()
    assert held_until(again, 3_000) == held_until(plans, 3_000)
    assert again.known_from == plans.known_from
    assert restarted(run).engine.subjects["agent:a1"].plan_due == at_minute(2_151)


def test_a_minute_needs_the_events_of_a_day_before_it() -> None:
    """The plan of a shift of 24 h is found for the grace after it, by what is read for that."""
    first = at_minute(60 + 1_440 + 1)
    long = plan(0, 0, (WORK, 60, 60 + 1_440), id="long").record
    after = plan(1, 0, (BREAK, 60 + 1_440, 60 + 1_500), id="after").record
    told: Sequence[Any] = [(0, long), (1, after)]

    read = [(offset, event) for offset, event in told if event.at >= from_ms(first - REACH_MS)]

    found, whole = (fold_all(events, first + HOUR_MS).minutes.awake[first // MINUTE_MS] for events in (read, told))
    assert found[AGENT_TIME].sums == whole[AGENT_TIME].sums == {"plan:Bg": MINUTE_MS, "plan:P": MINUTE_MS}


def test_a_judge_sees_what_the_registry_says_of_reason_codes() -> None:
    """Of an agent and of a group."""
    registry = Registry(FLOOR)
    run = ran(plan(0, 0, (WORK, 60, 90)))
    subject: Any = run.engine.subjects["agent:a1"]

    codes = Codes(frozenset({"training"}), frozenset({"lunch"}))
    assert SubjectAt(subject, registry, DAWN).codes == codes
    assert GroupAt(subject, registry, DAWN).codes == codes


def test_the_oracle_gives_each_instant_one_class() -> None:
    """The oracle itself: a shift of work with a lunch, by hand."""
    event: Any = plan(0, 0, (WORK, 60, 90), (LUNCH, 90, 120)).record

    found = [((a - DAWN) / MINUTE_MS, (b - DAWN) / MINUTE_MS, *rest) for a, b, *rest in planned_pieces([(0, event)])]

    assert found == [
        (60, 62, "We", True),
        (62, 88, "W", True),
        (88, 90, "Wg", True),
        (90, 92, "Bg", False),
        (92, 118, "B", False),
        (118, 120, "Be", False),
    ]
