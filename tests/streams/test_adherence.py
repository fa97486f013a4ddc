"""Planned time compared with what was done: adherence and conformance, recomputed after every edit."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.times import DAY_MS, MINUTE_MS
from streams.core import planned
from streams.core.log import Item
from tests.streams.floors import DAWN, STATES_AND_PLANS, Fact, facts, in_log, item_of
from tests.streams.judges import Notes
from tests.streams.oracle import panes_of
from tests.streams.plans import (
    BREAK,
    LUNCH,
    WORK,
    at_minute,
    entered,
    figure,
    instant,
    minutes_by_class,
    plan,
    ran,
    total,
)
from tests.streams.runs import STEPS, Run, new_engine, restarted
from tests.streams.test_clockwork import ticked
from tests.streams.test_engine_against_oracle import clock_of


def test_scheduled_nine_to_ten_worked_quarter_past_to_quarter_past() -> None:
    """The golden example: adherence 75 %, conformance 100 %; work outside of the shift is not held against it."""
    #   09:00 planned ─────────── 10:00
    #         09:15 worked ─────────── 10:15
    run = ran(plan(0, 0, (WORK, 60, 120)), entered(1, 75, "ready"), entered(2, 135, "offline"), ticked(3, 200))

    assert figure("adherence", run) == 0.75
    assert figure("conformance", run) == 1.0


@pytest.mark.parametrize(
    ("state", "reason", "adherence"),
    [
        ("away", "lunch", 1.0),
        ("away", "break", 1.0),
        ("away", "nobody-knows", 1.0),
        ("away", "training", 0.0),
        ("ready", None, 0.0),
        ("on_contact", None, 0.0),
        ("offline", None, 0.0),
    ],
)
def test_only_the_category_counts(state: str, reason: str | None, adherence: float) -> None:
    """Lunch was planned: any time away that is not productive adheres; work, and being offline, do not."""
    run = ran(plan(0, 0, (LUNCH, 60, 90)), entered(1, 60, state, reason), entered(2, 90, "offline"), ticked(3, 91))

    assert figure("adherence", run) == adherence


@pytest.mark.parametrize("state", ["ready", "ringing", "on_contact", "hold", "wrap"])
def test_planned_work_is_any_state_of_work(state: str) -> None:
    """Waiting for contacts is work as planned."""
    run = ran(plan(0, 0, (WORK, 60, 90)), entered(1, 60, state), entered(2, 90, "offline"), ticked(3, 91))

    assert figure("adherence", run) == 1.0


@pytest.mark.parametrize(
    ("begins", "lunch", "back", "ends", "graced"),
    [
        (60, 90, 120, 150, 1.0),
        (62, 91, 121, 148, 1.0),
        (60, 88, 122, 150, 1.0),
        (63, 90, 120, 150, 89 / 90),
        (60, 93, 120, 150, 89 / 90),
        (60, 90, 123, 147, 88 / 90),
    ],
)
def test_two_minutes_of_grace_at_each_change(
    begins: float, lunch: float, back: float, ends: float, graced: float
) -> None:
    """Planned 09:00 work, 09:30 lunch, 10:00 work until 10:30: up to 2 min off is as planned, only the rest is not."""
    shift = plan(0, 0, (WORK, 60, 90), (LUNCH, 90, 120), (WORK, 120, 150))

    run = ran(
        shift,
        entered(1, begins, "ready"),
        entered(2, lunch, "away", "lunch"),
        entered(3, back, "ready"),
        entered(4, ends, "offline"),
        ticked(5, 200),
    )

    assert figure("adherence_graced", run) == pytest.approx(graced, abs=1e-12)


def test_offline_at_a_change_of_activity_has_no_grace() -> None:
    """Grace forgives coming back late from lunch, not being gone: offline is neither of the two activities."""
    run = ran(
        plan(0, 0, (WORK, 60, 90), (LUNCH, 90, 120)),
        entered(1, 60, "ready"),
        entered(2, 89, "offline"),
        entered(3, 91, "away", "lunch"),
        entered(4, 120, "offline"),
        ticked(5, 200),
    )

    assert figure("adherence_graced", run) == pytest.approx(58 / 60, abs=1e-12)


def test_every_instant_of_a_short_activity_has_one_class() -> None:
    """The ends of the shift go before the changes inside it, and what is near both is counted once."""
    #   60 W ── 63 B ── 64 W ── 67        all within 2 min of something
    run = ran(plan(0, 0, (WORK, 60, 63), (BREAK, 63, 64), (WORK, 64, 67)), ticked(1, 100))

    assert minutes_by_class(run) == {"Bg": 1, "P": 7, "We": 4, "Wg": 2}


def test_planned_time_is_counted_as_it_passes() -> None:
    """At 09:30 half an hour of the shift has come; what is planned for later, or next week, has not."""
    run = ran(plan(0, 0, (WORK, 60, 120)), plan(1, 0, (WORK, 10_000, 10_480), id="next"), ticked(2, 90.5))

    assert minutes_by_class(run) == {"P": 30, "W": 28, "We": 2}


def test_who_never_came_has_planned_time_and_an_adherence_of_zero() -> None:
    """Absence is not the same as no data."""
    run = ran(plan(0, 0, (WORK, 60, 540)), ticked(1, 600))

    assert figure("adherence", run) == 0.0
    assert total(run, 60, 540)["plan:P"] == 480 * MINUTE_MS


def test_who_has_no_plan_has_no_adherence() -> None:
    """Nothing planned, nothing to divide by; and nothing is remembered for it."""
    run = ran(entered(0, 0, "ready"), entered(1, 30, "offline"))

    assert figure("adherence", run) is None
    assert not run.engine.subjects["agent:a1"].time.plans


def test_a_plan_may_be_told_weeks_ahead() -> None:
    """It is no event from the future; beyond what raw events are kept it is dead-lettered."""
    weeks = 34 * 24 * 60.0
    engine = new_engine(event_clock=False, judge=Notes())

    engine.apply(plan(0, 0, (WORK, weeks, weeks + 480)))
    engine.apply(plan(1, 0, (WORK, weeks + 2_880, weeks + 3_000), id="too far"))

    assert (engine.rows, [letter.reason for letter in engine.take_outbox().letters]) == (1, ["future"])
    assert "agent:a1" not in engine.time.active
    assert not engine.subjects["agent:a1"].panes.minutes


def test_under_the_event_clock_a_plan_brings_no_time() -> None:
    """Told first and for later, it makes no later event history; time begins with what happened, or was missed."""
    run = ran(
        plan(0, 0, (WORK, 10, 40)),
        plan(1, 0, (WORK, 300, 360), id="later"),
        entered(2, 20, "ready"),
        entered(3, 30, "offline"),
        event_clock=True,
    )

    assert run.engine.clock == at_minute(30)
    assert minutes_by_class(run) == {"P": 20, "W": 18, "W/work": 10, "We": 2}


def test_under_the_event_clock_what_was_planned_before_the_first_event_has_passed() -> None:
    """Who comes twenty minutes after dawn has missed the ten minutes of shift before."""
    run = ran(plan(0, 0, (WORK, 10, 40)), entered(1, 20, "ready"), event_clock=True)

    assert minutes_by_class(run) == {"P": 10, "W": 8, "We": 2}
    assert [given.mark - DAWN // MINUTE_MS for given in run.given if given.sums] == list(range(10, 20))


def test_a_plan_that_is_told_during_its_shift_counts_every_minute_once() -> None:
    """Those that have passed at once, the one under way when it has passed."""
    run = ran(plan(0, 90.5, (WORK, 60, 120)))
    at_once = minutes_by_class(run)["P"]

    run.fold([ticked(1, 130)])
    run.finish()

    assert (at_once, minutes_by_class(run)["P"]) == (30, 60)


def test_plans_without_a_gap_are_one_shift() -> None:
    """A morning that is told afterwards takes the grace from where the day seemed to begin, whoever told the rest."""
    #   50 ─ told last ─ 61 ─ 61.5 ────────── 120
    run = ran(
        plan(0, 0, (WORK, 61, 61.5), id="short"),
        plan(1, 0, (WORK, 61.5, 120), id="rest"),
        plan(2, 130, (WORK, 50, 61), id="morning"),
    )

    assert minutes_by_class(run) == {"P": 70, "W": 66, "We": 4}


def test_of_plans_that_overlap_the_later_one_holds() -> None:
    """Whatever came later in the log holds from its start to its end, gaps in it included."""
    #   60 work                                        180
    #            90 break  100 (nothing) 110 break 120
    run = ran(plan(0, 0, (WORK, 60, 180)), plan(1, 1, (BREAK, 90, 100), (BREAK, 110, 120), id="q"), ticked(2, 300))

    assert minutes_by_class(run) == {"B": 12, "Be": 4, "Bg": 4, "P": 110, "W": 82, "We": 4, "Wg": 4}


def test_of_activities_that_overlap_the_later_one_holds() -> None:
    """A shift of work with a lunch upon it is work, lunch, work, in whatever order they stand."""
    either = ran(plan(0, 0, (WORK, 60, 180), (LUNCH, 90, 120)), ticked(1, 300))
    other = ran(plan(0, 0, (LUNCH, 90, 120), (WORK, 60, 180), at=instant(60)), ticked(1, 300))

    assert minutes_by_class(either) == {"B": 26, "Bg": 4, "P": 90, "W": 82, "We": 4, "Wg": 4}
    assert minutes_by_class(other) == minutes_by_class(either)


def test_a_plan_ends_after_a_day() -> None:
    """What a plan says of before its start, or of more than 24 h later, does not hold."""
    run = ran(plan(0, 0, (WORK, 30, 60 + 1_500), at=instant(60)), ticked(1, 2_000))

    assert total(run)["plan:P"] == DAY_MS


LATER = (WORK, 60, 90), (LUNCH, 90, 120), (WORK, 120, 180)
WORKED = entered(1, 60, "ready"), entered(2, 90, "away", "lunch"), entered(3, 120, "ready"), entered(4, 180, "offline")


@pytest.mark.parametrize("told", [121.5, 185, 300, 1_000, 3_000])
def test_an_edited_schedule_is_recomputed(told: float) -> None:
    """Lunch moved to where it was taken: seen at once, minutes or days afterwards, by the minutes in memory or not."""
    run = ran(plan(0, 0, (WORK, 60, 120), (LUNCH, 120, 150), (WORK, 150, 180)), *WORKED[: 3 if told < 180 else 4])
    before = total(run)

    run.fold([plan(5, told, *LATER, revision=1), *(WORKED[3:] if told < 180 else ()), ticked(6, max(told, 190))])
    run.finish()

    assert before.get("plan:B/away/lunch", 0) == 0
    assert figure("adherence", run) == 1.0
    assert minutes_by_class(run)["B/away/lunch"] == 26


def shift_of_calls() -> list[Item]:
    """08:00 to 16:00, a call each twenty minutes, lunch from 12:00 to 12:30: another state each ten minutes."""
    worked = [
        entered(10 + m, m, "ready" if m % 20 else "on_contact") for m in range(0, 480, 10) if m not in {240, 250, 260}
    ]
    return [*worked, entered(250, 240, "away", "lunch"), entered(490, 480, "offline")]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("told", [245.5, 425.5, 1_500])
@pytest.mark.parametrize("edit", ["told", "moved", "void"])
def test_the_day_knows_what_was_done_however_late_a_plan_is_told(told: float, edit: str, *, is_restarted: bool) -> None:
    """
    Who did all of what was planned has an adherence of 1 in the windows of rules too: in the day and in the shift.

        08:00 on contact, ready, on contact ...    12:00 lunch    12:30 ready ...    told: work, lunch, work
    """
    right = (WORK, 0, 240), (LUNCH, 240, 270), (WORK, 270, 480)
    first = [] if edit == "told" else [plan(1, -60, (WORK, 0, 480))]
    last = plan(2, told, *right, revision=int(edit != "told"), void=edit == "void")
    told_in_order = sorted([*first, *shift_of_calls(), last, ticked(900, 1_560)], key=lambda item: item.broker_ms)
    items = [item._replace(offset=offset) for offset, item in enumerate(told_in_order)]
    before = told_in_order.index(last)

    run = ran(*items[:before])
    run = restarted(run) if is_restarted else run
    run.fold(items[before:])
    run.finish()

    day = run.engine.subjects["agent:a1"].days["2026-03-02"]
    of_plans = {column: ms for column, ms in day.items() if column.startswith("plan:") and ms}
    assert of_plans == {column: ms for column, ms in total(run).items() if column.startswith("plan:") and ms}
    assert figure("adherence", run) == (None if edit == "void" else 1.0)


def test_an_edit_of_a_forgotten_shift_is_counted_once() -> None:
    """Its minutes are folded again from the raw events; the totals of that day stay as they were."""
    run = ran(plan(0, 0, (WORK, 60, 180)), ticked(1, 2_999))

    run.fold([plan(2, 3_000, (WORK, 60, 150), revision=1)])
    run.finish()

    assert minutes_by_class(run)["P"] == 90
    assert run.engine.subjects["agent:a1"].days["2026-03-02"]["plan:P"] == 120 * MINUTE_MS


@pytest.mark.parametrize("told", [100, 400, 4_000])
def test_a_plan_that_is_taken_back_counts_nowhere(told: float) -> None:
    """Not for the shift that is under way, nor for one that is long forgotten."""
    run = ran(plan(0, 0, (WORK, 60, 180)), entered(1, 60, "ready"), entered(2, 90, "away", "lunch"))

    run.fold([ticked(3, told - 1), plan(4, told, (WORK, 60, 180), revision=1, void=True)])
    run.finish()

    assert minutes_by_class(run) == {}


def test_a_plan_that_goes_to_another_agent_leaves_the_first() -> None:
    """The shift was swapped after it had begun."""
    run = ran(plan(0, 0, (WORK, 60, 180)), ticked(1, 100))

    run.fold([plan(2, 101, (WORK, 60, 180), revision=1, agent="a2"), ticked(3, 181)])
    run.finish()

    of_second = sum(p.sums.get("plan:P", 0) for (who, *_), p in run.panes().items() if who == "agent:a2")
    assert minutes_by_class(run) == {}
    assert of_second == 120 * MINUTE_MS


def test_a_late_state_counts_in_planned_time_too() -> None:
    """The agent was away in between, as came out six hours later."""
    run = ran(plan(0, 0, (WORK, 60, 120)), entered(1, 60, "ready"), entered(2, 120, "offline"))

    run.fold([entered(3, 80, "away", "break", told=480), entered(4, 90, "ready", told=481)])
    run.finish()

    assert minutes_by_class(run)["W/away/break"] == 10
    assert figure("adherence", run) == pytest.approx(50 / 60, abs=1e-12)


@pytest.mark.parametrize("event_clock", [False, True])
@pytest.mark.parametrize("kept_ms", [planned.KEPT_MS, 93 * MINUTE_MS])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    told=facts(14, kinds=STATES_AND_PLANS),
    steps=st.lists(st.sampled_from(STEPS), max_size=40),
    where=st.floats(0, 1),
)
def test_planned_time_equals_the_raw_events(
    monkeypatch: pytest.MonkeyPatch, event_clock: bool, kept_ms: int, told: list[Fact], steps: list[str], where: float
) -> None:
    """Plans told ahead, late, twice, revised, moved, taken back; states in disorder; plans forgotten; a restart."""
    monkeypatch.setattr(planned, "KEPT_MS", kept_ms)
    log = in_log(told, event_clock=event_clock)
    items = [item_of(sent) for sent in log]
    at = 1 + round(where * (len(items) - 1))
    run = Run(new_engine(event_clock=event_clock))

    run.fold(items[:at], steps)
    run.finish()
    run = restarted(run)
    run.fold(items[at:], steps)
    run.finish()

    assert run.panes() == panes_of(log, clock_of(log, event_clock=event_clock))
