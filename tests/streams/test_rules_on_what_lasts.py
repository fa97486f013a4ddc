"""Rules on state time see the state that lasts: up to the last whole minute, as planned time is counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.rules import Rule, RuleSet
from schemas.alerts import ALL_NEWS, Judgement, Look, RuleState, SubjectKind, SubjectView, Transition, Window
from schemas.controls import RulesApplied
from schemas.events import StateChanged
from schemas.panes import AWAY_PREFIX, PLAN_PREFIX, STATE_COLUMN
from schemas.registry import Registry
from schemas.times import DAY_MS, MINUTE_MS, from_ms, to_ms
from streams.core.log import Item, Revision
from streams.core.partition import PartitionEngine
from tests.alerting.views import rule
from tests.streams.floors import DAWN, STATES_AND_PLANS, Fact, facts, in_log, item_of
from tests.streams.judges import Notes
from tests.streams.oracle import Sent, counting, milliseconds, panes_of
from tests.streams.plans import FLOOR, LUNCH, WORK, at_minute, entered, plan
from tests.streams.runs import STEPS, Run, new_engine, restarted
from tests.streams.test_clockwork import ticked
from tests.streams.test_restart import handled, replayed, said_since, unbroken

REGISTRY = Registry(FLOOR)
ALONE: dict[str, Any] = {"pairs_with": None}
ADHERENCE = (
    rule(id="60m", kpi="adherence", window="60m", comparison="<", threshold=1, **ALONE),
    rule(id="shift", kpi="adherence", window="shift", comparison="<", threshold=1, **ALONE),
    rule(id="day", kpi="adherence", window="day", comparison="<", threshold=1, **ALONE),
    rule(id="above", kpi="adherence", window="60m", comparison=">", threshold=1, **ALONE),
)
"""Anything but exactly 1 fires."""
DAY = plan(0, -60, (WORK, 0, 240), (LUNCH, 240, 300), (WORK, 300, 540))
"""Told at 07:00: work from 08:00, lunch from 12:00 to 13:00, work to 17:00."""
AS_PLANNED = (
    entered(1, 0, "ready"),
    entered(2, 240, "away", "lunch"),
    entered(3, 300, "ready"),
    entered(5, 540, "offline"),
)


def judge_of(*rules: Rule, revision: int = 1) -> RuleJudge:
    """The judge of these rules."""
    return RuleJudge(RuleSet(revision=revision, rules=rules), REGISTRY, 1)


def away_for(window: str, seconds: float, **keys: Any) -> Rule:
    """A rule on so many seconds away in a window, or more."""
    return rule(id="away", kpi="away_s", window=window, comparison=">=", threshold=seconds, **ALONE, **keys)


def said(rules: Iterable[Rule], *items: Item) -> list[tuple[str, str, float, float | None]]:
    """(rule, reason, minutes after dawn, value) of what the rules say of a log."""
    engine = new_engine(event_clock=False, registry=REGISTRY, judge=judge_of(*rules))
    for item in items:
        engine.apply(item)
    return shown(transition for transition, _ in engine.out.transitions)


def shown(transitions: Iterable[Transition]) -> list[tuple[str, str, float, float | None]]:
    """(rule, reason, minutes after dawn, value) of each."""
    return [(one.rule, one.reason, (to_ms(one.at) - DAWN) / MINUTE_MS, one.value) for one in transitions]


def test_who_does_what_is_planned_adheres_all_day() -> None:
    """Four hours in one state, then lunch, then four hours: exactly 1 in the hour, the shift and the day."""
    #   planned  08 work ───────── 12 lunch ─ 13 work ───────── 17
    #   done     08 ready ──────── 12 away ── 13 ready ──────── 17 offline
    found = said(ADHERENCE, DAY, *AS_PLANNED[:3], ticked(4, 539), AS_PLANNED[3], ticked(6, 700))

    assert found == []


def test_states_that_change_within_a_minute_neither_exceed_nor_miss_the_plan() -> None:
    """Contacts and waiting in turn: what ended within the minute that runs counts when that is planned time too."""
    #   planned  08:00 work ──────────────────────────────────────────── 09:00
    #   done     08:00 ready ─ :20 on_contact ─ :41 wrap ─ 01:02 ready ─ ...
    states = ["ready", "on_contact", "wrap"]
    changes = [entered(1 + n, 0.35 * n, states[n % 3]) for n in range(150)]

    assert said(ADHERENCE, plan(0, -60, (WORK, 0, 60)), *changes) == []


def test_a_change_by_a_clock_that_is_ahead_exceeds_no_plan() -> None:
    """Ready until a lunch of 08:31:30, as is told at 08:30:00: nobody was ready for longer than was planned."""
    planned, ready = plan(0, -60, (WORK, 0, 60)), entered(1, 0, "ready")
    lunch = entered(2, 31.5, "away", "lunch", told=30)

    assert said(ADHERENCE, planned, ready, lunch, ticked(3, 31.4)) == []


def test_who_comes_late_by_seconds_is_judged_for_the_first_minute() -> None:
    """Not for its first five seconds, of which three were missed."""
    late = entered(1, 0.05, "ready")
    rules = [rule(kpi="adherence", window="shift", comparison="<", threshold=0.9, **ALONE)]

    assert said(rules, plan(0, -60, (WORK, 0, 60)), late, ticked(2, 30)) == []


def test_planned_time_that_is_not_worked_is_found_minute_by_minute() -> None:
    """Ready while lunch was planned, and ready still: below 80 % of the hour after 13 minutes of it."""
    #   planned  08 work ───────── 12 lunch ─ 13
    #   done     08 ready ──────────────── 12:13
    rules = [rule(id="60m", kpi="adherence", window="60m", comparison="<", threshold=0.8, **ALONE)]

    assert said(rules, DAY, AS_PLANNED[0], ticked(2, 255)) == [("60m", "breached", 253, 47 / 60)]


@pytest.mark.parametrize("window", ["60m", "shift", "day"])
def test_time_away_fires_while_it_lasts(window: str) -> None:
    """Away from 08:01 on, for an hour: 20 minutes have passed at 08:21."""
    found = said([away_for(window, 1_200)], entered(0, 0, "ready"), entered(1, 1, "away", "lunch"), ticked(2, 59))

    assert found == [("away", "breached", 21, 1_200)]


@pytest.mark.parametrize("window", ["shift", "day"])
def test_time_goes_on_when_nothing_of_it_is_in_memory(window: str) -> None:
    """Away since 08:00 and nothing else for three hours: the subject has no pane any more, and is judged."""
    found = said([away_for(window, 10_800)], entered(0, 0, "away"), ticked(1, 200))

    assert found == [("away", "breached", 180, 10_800)]


def test_time_goes_on_after_a_restart_too() -> None:
    """The same, with a restart at 10:00: nothing comes that would remind the engine of whom to judge."""
    run = Run(new_engine(event_clock=False, registry=REGISTRY, judge=judge_of(away_for("day", 10_800))))
    run.fold([entered(0, 0, "away"), ticked(1, 120)])
    run.finish()

    after = restarted(run)
    after.fold([ticked(2, 200)])
    after.finish()

    assert shown(one for one, _ in [*run.said, *after.said]) == [("away", "breached", 180, 10_800)]


def test_nobody_is_waited_for_when_nothing_lasts() -> None:
    """Who has been offline for longer than the windows makes no minute due, until the day is closed."""
    #   08:00 away ── 08:10 offline ──────── 09:50 nothing of it in memory ──── 00:15 the day is closed
    engine = new_engine(event_clock=False, registry=REGISTRY, judge=judge_of(away_for("day", 10_800)))

    for item in (entered(0, 0, "away"), entered(1, 10, "offline"), ticked(2, 120)):
        engine.apply(item)

    assert not engine.time.is_due(at_minute(700))


def test_what_lasts_leaves_a_window_like_what_ended() -> None:
    """Away from 08:00 to 12:00: the hour that is judged holds an hour of it, until it ends and leaves."""
    #   08 away ─────────────────── 12 ready ──────── 12:31
    #                        11:00 └── the hour ──┘ 50 min at 12:10
    rules = [away_for("60m", 3_600, clear=3_000)]

    found = said(rules, entered(0, 0, "away"), ticked(1, 200), entered(2, 240, "ready"), ticked(3, 271))

    assert found == [("away", "breached", 60, 3_600), ("away", "cleared", 250, 3_000)]


def test_a_shift_holds_what_lasts_since_it_began() -> None:
    """Away since 08:00, on shift from 09:00: an hour of the shift is over at 10:00."""
    #   08 away ──────────────────────────
    #            09 shift ──── 10 ────────
    found = said([away_for("shift", 3_600)], plan(0, -60, (WORK, 60, 540)), entered(1, 0, "away"), ticked(2, 130))

    assert found[-1] == ("away", "breached", 120, 3_600)


@pytest.mark.parametrize("window", ["shift", "day"])
def test_a_day_holds_what_lasts_since_it_began(window: str) -> None:
    """Away from 21:00 on: three hours of the day before, and then four of the new one; the shift is the day."""
    midnight = 16 * 60
    found = said([away_for(window, 14_400)], entered(0, midnight - 180, "away"), ticked(1, midnight + 250))

    assert found == [("away", "breached", midnight + 240, 14_400)]


def test_a_rule_over_days_holds_what_lasts_over_midnight() -> None:
    """Away from 22:00 on, and still when the day is judged at 00:15: two hours of that day."""
    midnight = 16 * 60
    found = said([away_for("1d", 7_200)], entered(0, midnight - 120, "away"), ticked(1, midnight + 16))

    assert found == [("away", "breached", midnight + 15, 7_200)]


@pytest.mark.parametrize(("hours", "fires"), [(12, [("away", "breached", 720, 43_200)]), (12.01, [])])
def test_a_state_gives_no_more_than_its_ttl(hours: float, fires: list[Any]) -> None:
    """Nobody ended it: twelve hours count, whatever the clock says."""
    found = said([away_for("day", hours * 3_600)], entered(0, 0, "away"), ticked(1, 780))

    assert found == fires


def test_a_state_that_is_found_to_last_again_gives_no_more_than_its_ttl() -> None:
    """Away since 10:00; ready since 13:00, which is taken back at 20:10: away until 22:00, and no longer."""
    ready = entered(2, 300, "ready")
    record: Any = ready.record
    taken_back = record.model_copy(update={"revision": 1, "void": True})
    told = entered(0, 0, "ready"), entered(1, 120, "away"), ready, item_of(Sent(3, at_minute(730), taken_back, 2))

    assert said([away_for("day", 43_201)], *told, ticked(4, 950)) == []


def test_what_has_passed_is_found_at_once() -> None:
    """Away since 08:00 is told at 08:12:02, ready since 08:00 at 08:10:02: both are judged within five seconds."""
    away, ready = entered(1, 0, "away", told=12 + 2 / 60), entered(1, 0, "ready", told=10 + 2 / 60)
    adheres = rule(id="adheres", kpi="adherence", window="60m", comparison=">=", threshold=1, **ALONE)

    of_state = said([away_for("60m", 600)], entered(0, -5, "ready"), away, ticked(2, 15))
    of_plan = said([adheres], plan(0, -60, (WORK, 0, 60)), ready, ticked(2, 15))

    assert of_state == [("away", "breached", 12 + 5 / 60, 720)]
    assert of_plan == [("adheres", "breached", 10 + 5 / 60, 1)]


@pytest.mark.parametrize("others", [[], [handled(2, 10.05)]])
def test_a_state_that_is_told_late_counts_from_when_it_began(others: list[Item]) -> None:
    """Away since 08:00, told at 08:10:02, with a contact beside it or without: 20 minutes have passed at 08:20."""
    told = entered(1, 0, "away", told=10 + 2 / 60)

    found = said([away_for("60m", 1_200)], entered(0, -5, "ready"), told, *others, ticked(3, 30))

    assert found == [("away", "breached", 20, 1_200)]


def test_an_end_that_is_told_late_takes_back_what_was_seen() -> None:
    """Away since 08:00, ready since 08:10, as is told at 08:22: the alert of 08:20 is over at once."""
    back = entered(1, 10, "ready", told=22)

    found = said([away_for("60m", 1_200)], entered(0, 0, "away"), back, ticked(2, 30))

    assert found == [("away", "breached", 20, 1_200), ("away", "cleared", 22 + 5 / 60, 600)]


def test_a_rule_that_is_applied_finds_who_is_away_already() -> None:
    """Away for three hours when a rule comes that asks for it: it holds at the next judging."""
    fresh = judge_of(away_for("day", 3_600), revision=2)
    applied = Item(
        1, at_minute(180.2), b"", b"", RulesApplied(at=from_ms(at_minute(180.2)), revision=2),
        revision=Revision(REGISTRY, fresh, fresh),
    )  # fmt: skip

    found = said([], entered(0, 0, "away"), applied, ticked(2, 185))

    assert found == [("away", "breached", 181, 181 * 60)]


@pytest.mark.parametrize("broken_at", [10.5, 100, 225, 260, 310])
def test_a_restart_in_the_middle_says_the_same(broken_at: float) -> None:
    """Whatever the state has given by then is in nothing that is stored, and counts again from its start."""
    rules = away_for("60m", 1_200), rule(id="few", kpi="ready_s", window="60m", comparison="<", threshold=60, **ALONE)
    first = [item for item in (DAY, *AS_PLANNED[:3]) if item.broker_ms <= at_minute(broken_at)]
    rest = [item for item in (DAY, *AS_PLANNED[:3]) if item not in first]
    run = Run(new_engine(event_clock=False, registry=REGISTRY, judge=judge_of(*rules)))
    run.fold([*first, ticked(len(first), broken_at)])
    run.finish()

    after = restarted(run)
    after.fold([*rest, ticked(9, 500)])
    after.finish()

    expected = said(rules, DAY, *AS_PLANNED[:3], ticked(9, 500))
    assert shown(one for one, _ in [*run.said, *after.said]) == expected
    assert ("away", "breached", 260, 1_200) in expected


TIMED = (
    away_for("15m", 300, **{"for": "2m"}),
    *ADHERENCE,
    rule(id="away-shift", kpi="away_s", window="shift", comparison=">=", threshold=7_200, **ALONE),
    rule(id="ready-day", kpi="ready_s", window="day", comparison=">=", threshold=10_000, **ALONE),
    rule(id="occupied", kpi="occupancy", window="60m", comparison=">", threshold=0.6, keep_firing_for="4m", **ALONE),
    rule(id="days", kpi="adherence", window="2d", comparison="<", threshold=0.5, **ALONE),
)


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    told=facts(10, kinds=STATES_AND_PLANS),
    steps=st.lists(st.sampled_from(STEPS), max_size=20),
    where=st.floats(0, 1),
    how=st.sampled_from(["nothing", "before_subjects"]),
)
def test_a_crash_changes_nothing_of_what_they_say(
    event_clock: bool, told: list[Fact], steps: list[str], where: float, how: str
) -> None:
    """Late, revised and taken back states and plans; a crash anywhere: the same transitions."""
    first: Any = entered(0, -1, "offline").record
    told = [Fact(first, 0, 1), *(fact for fact in told if fact.delay_ms >= 0)]  # time begins with a state
    items = [item_of(sent) for sent in in_log(told, event_clock=event_clock)]
    at = 1 + round(where * (len(items) - 1))

    broken, boundary = replayed(items, steps, at, how, event_clock=event_clock, judge=judge_of(*TIMED))

    whole = unbroken(items, event_clock=event_clock, judge=judge_of(*TIMED))
    assert said_since(broken, -1)[0] == said_since(whole, boundary)[0]


HOUR_AND_A_HALF, SITE_DAY = Window("rolling", minutes=90), Window("day")
Seen = tuple[str, int, int, dict[Window, dict[str, int]]]


class Witness(Notes):
    """Notes what is seen of agents in 90 minutes and in the day, and how much of the log was folded by then."""

    def __init__(self) -> None:
        super().__init__()
        self.engine: PartitionEngine | None = None
        self.seen: list[Seen] = []

    def looks(self, kind: SubjectKind) -> list[Look]:
        """Everything of both."""
        return [Look(window, prefixes=("",)) for window in (HOUR_AND_A_HALF, SITE_DAY)]

    def judge(self, view: SubjectView, states: dict[str, RuleState], now_ms: int, news: int = ALL_NEWS) -> Judgement:
        """Note it."""
        if view.subject.startswith("agent:") and self.engine is not None:
            looks = {look.window: view.sums(look.window, look) for look in self.looks("agent")}
            timed = {w: {c: v for c, v in sums.items() if is_timed(c) and v} for w, sums in looks.items()}
            self.seen.append((view.subject, now_ms, self.engine.boundary, timed))
        return Judgement()


def is_timed(column: str) -> bool:
    """True for the time of states and of plans."""
    return column in STATE_COLUMN.values() or column.startswith((AWAY_PREFIX, PLAN_PREFIX))


def would_hold(log: list[Sent], agent: str, now: int) -> dict[Window, dict[str, int]]:
    """What the panes of both windows would hold, had every state ended with the last whole minute."""
    passed = now // MINUTE_MS * MINUTE_MS
    changes = [s.event for s in counting(log) if isinstance(s.event, StateChanged) and s.event.agent == agent]
    if all(milliseconds(change.at) < passed for change in changes):
        end = StateChanged(source="test", id="end", at=from_ms(passed), agent=agent, state="offline")
        log = [*log, Sent(10**6, passed, end, 1)]
    running, day = (now - 1) // MINUTE_MS, (now - 1) // DAY_MS
    found: dict[Window, dict[str, int]] = {HOUR_AND_A_HALF: {}, SITE_DAY: {}}
    for (subject, minute, _, _), pane in panes_of(log, now).items():
        for column, ms in pane.sums.items():
            if subject != f"agent:{agent}" or not is_timed(column):
                continue
            if column.startswith(PLAN_PREFIX) and minute * MINUTE_MS >= passed:
                continue
            if running - 90 < minute <= running:
                found[HOUR_AND_A_HALF][column] = found[HOUR_AND_A_HALF].get(column, 0) + ms
            if minute * MINUTE_MS // DAY_MS == day:
                found[SITE_DAY][column] = found[SITE_DAY].get(column, 0) + ms
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=facts(12, steps=(0, 30_000), kinds=STATES_AND_PLANS), data=st.data())
def test_rules_see_what_panes_would_hold_if_states_ended_now(told: list[Fact], data: st.DataObject) -> None:
    """By the naive fold of the log so far, for whoever is judged at whatever instant."""
    log = in_log([fact for fact in told if abs(fact.delay_ms) <= 10 * MINUTE_MS], event_clock=False)
    witness = Witness()
    witness.engine = new_engine(event_clock=False, judge=witness)
    run = Run(witness.engine)
    run.fold(map(item_of, log))
    if not witness.seen:
        return

    for subject, now, boundary, seen in data.draw(st.lists(st.sampled_from(witness.seen), min_size=3, max_size=8)):
        assert seen == would_hold(log[:boundary], subject.removeprefix("agent:"), now)
