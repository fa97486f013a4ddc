"""Rules judged on a subject: rolling, day and live windows, changed rules, days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.plan import is_plain, planned
from alerting.rules import RuleSet
from schemas.alerts import Judge, RecentContact, Window, alert_id
from schemas.kpis import KPIS, Kpi, parts, value
from schemas.registry import Floor, Queue, Registry, ServiceLevelGoal, Site
from schemas.times import from_ms
from tests.alerting.views import MINUTE, NINE, FakeView, OneSubject, away_rule, handle_time, rule


def test_transition_says_everything() -> None:
    """A firing alert carries value, n, threshold, version, span and the contacts behind it."""
    contact = RecentContact(NINE - MINUTE, "c1", "handled", talk_ms=120_000)
    view = FakeView(by_window=handle_time(120), span=(NINE - 60 * MINUTE, NINE), recent=[contact])
    floor = OneSubject([rule(opens="coaching", severity="act")], view)

    floor.at(NINE)

    told = floor.told[0]
    assert told.alert == alert_id("r1", "agent:a1", "60m", NINE)
    assert (told.sequence, told.state, told.reason, told.rule_version) == (1, "firing", "breached", 7)
    assert (told.value, told.n, told.threshold, told.opens, told.team) == (120.0, 10, 100, "coaching", "t1")
    assert (told.window_from, told.at) == (from_ms(NINE - 60 * MINUTE), from_ms(NINE))
    assert [(row.contact, row.value) for row in told.evidence] == [("c1", 120.0)]


def test_resolved_is_the_next_step_of_the_same_alert() -> None:
    """The end of an episode has the alert's id, sequence 2, and the start of the episode."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.view.by_window = handle_time(80)
    floor.at(NINE + 5_000)

    fired, resolved = floor.told
    assert (resolved.alert, resolved.sequence, resolved.reason) == (fired.alert, 2, "cleared")
    assert (resolved.value, resolved.started_at) == (80.0, fired.at)


def test_hysteresis() -> None:
    """
    A firing alert goes on until the clear threshold is reached.

    value   120       95     101    90
    state   firing    ...    ...    resolved
    """
    floor = OneSubject([rule(clear=90)])

    reasons = []
    for index, seconds in enumerate((120, 95, 101, 90)):
        floor.view.by_window = handle_time(seconds)
        reasons.append(floor.at(NINE + index * 5_000))

    assert reasons == [["breached"], [], [], ["cleared"]]


@pytest.mark.parametrize(("comparison", "fires"), [(">", False), (">=", True), ("<", False), ("<=", True)])
def test_equal_to_the_threshold(comparison: str, fires: bool) -> None:
    """A value equal to the threshold breaches `>=` and `<=` only."""
    floor = OneSubject([rule(comparison=comparison)], FakeView(by_window=handle_time(100)))

    assert floor.at(NINE) == (["breached"] if fires else [])


def test_share_compares_exactly() -> None:
    """15 of 100 is at least 0.15, as IEEE division has it."""
    short = rule(kpi="short_call_share", window="day", comparison=">=", threshold=0.15)
    floor = OneSubject([short], FakeView(by_window={"day": {"handled": 100, "short_calls": 15}}))

    assert floor.at(NINE) == ["breached"]


PLAIN = st.sampled_from([kpi for kpi in KPIS.values() if is_plain(kpi)])
COMPARISONS = st.sampled_from([">", ">=", "<", "<="])


@given(PLAIN, COMPARISONS, st.data())
def test_quick_look_agrees(kpi: Kpi, comparison: str, data: st.DataObject) -> None:
    """The quick look says that nothing is wrong exactly where the KPI's own value says so."""
    columns = sorted({*kpi.numerator, *kpi.denominator})
    sums = data.draw(st.dictionaries(st.sampled_from(columns), st.integers(0, 50)))
    worth, n = value(kpi, sums), parts(kpi, sums)[1]
    threshold = data.draw(st.sampled_from([worth if worth is not None else 0.5, 0.15]))
    threshold = min(threshold, 1) if kpi.unit == "share" else threshold
    given_rule = rule(kpi=kpi.id, subject="site", window="day", comparison=comparison, threshold=threshold)

    wrong = worth is not None and n >= given_rule.least_n and given_rule.breaches(worth)

    assert planned(given_rule).may_breach(sums) == wrong


def test_too_few() -> None:
    """Below the minimum n nothing fires, and what fires resolves with the reason `too_few`."""
    floor = OneSubject([rule(min_n=5)], FakeView(by_window=handle_time(120, handled=4)))

    assert floor.at(NINE) == []
    floor.view.by_window = handle_time(120, handled=5)
    assert floor.at(NINE + 5_000) == ["breached"]
    floor.view.by_window = handle_time(120, handled=4)
    assert floor.at(NINE + 10_000) == ["too_few"]
    assert (floor.told[-1].value, floor.told[-1].n) == (None, 4)


def test_day_ends_the_episode() -> None:
    """An episode of a day ends with the day; the next day starts its own."""
    fatal = rule(kpi="fatal", window="day", comparison=">=", threshold=1, pairs_with=None)
    floor = OneSubject([fatal], FakeView(by_window={"day": {"fatal": 1}}, span=(NINE - MINUTE, NINE)))
    floor.at(NINE)

    floor.view.span = (NINE + MINUTE, NINE + 2 * MINUTE)
    reasons = floor.at(NINE + 2 * MINUTE)

    assert reasons == ["day_over", "breached"]
    assert len({one.alert for one in floor.told}) == 2


def test_logged_off() -> None:
    """A rolling alert ends when the agent logs off, and none starts for an agent who is not there."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120), held=("ready", None, 0)))
    floor.at(NINE)

    floor.view.held = ("offline", None, NINE)

    assert floor.at(NINE + 5_000) == ["logged_off"]
    assert floor.at(NINE + 10_000) == []


def test_away_fires_at_its_instant() -> None:
    """
    Away since 9:00 is more than 20 minutes at 9:20 and one millisecond, and the judge says so beforehand.

    at      9:00          9:20      9:20:00.001   9:25
    state   due 9:20+1ms  due       firing        ready: resolved
    """
    floor = OneSubject([away_rule()], FakeView(held=("away", "lunch", NINE)))

    assert floor.at(NINE) == []
    assert floor.due_ms == NINE + 20 * MINUTE + 1
    assert floor.at(NINE + 20 * MINUTE) == []
    assert floor.at(NINE + 20 * MINUTE + 1) == ["breached"]
    assert floor.told[0].evidence[0].what == "away"
    floor.view.held = ("ready", None, NINE + 25 * MINUTE)
    assert floor.at(NINE + 25 * MINUTE) == ["state_left"]


def test_due_of_at_least() -> None:
    """`>=` comes true at the threshold itself."""
    floor = OneSubject([away_rule(comparison=">=", threshold=0.25)], FakeView(held=("away", None, NINE)))

    floor.at(NINE)

    assert floor.due_ms == NINE + 250
    assert floor.at(NINE + 250) == ["breached"]


def test_another_stay_is_another_episode() -> None:
    """An agent who came back and left again between two judgings ends the first episode."""
    floor = OneSubject([away_rule(clear=60)], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 21 * MINUTE)

    floor.view.held = ("away", None, NINE + 22 * MINUTE)

    assert floor.at(NINE + 25 * MINUTE) == ["state_left"]
    assert floor.due_ms == NINE + 42 * MINUTE + 1


def test_stays_that_were_told_late_are_told_apart() -> None:
    """
    Both passed the threshold before the first of them was judged: the second one is another episode all the same.

        9:00 away ......... 9:25 ready | told then: away since 9:01, at 9:27 that it was left, and away since 9:03
    """
    floor = OneSubject([away_rule()], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 21 * MINUTE)
    floor.view.held = ("ready", None, NINE + 25 * MINUTE)
    floor.at(NINE + 25 * MINUTE)

    floor.view.held = ("away", None, NINE + 1 * MINUTE)
    assert floor.at(NINE + 26 * MINUTE) == ["breached"]
    assert floor.at(NINE + 26 * MINUTE + 5_000) == []
    floor.view.held = ("away", None, NINE + 3 * MINUTE)

    assert floor.at(NINE + 27 * MINUTE) == ["state_left", "breached"]


def test_reason_and_logging_off() -> None:
    """A rule on one away reason leaves the others alone; logging off ends an away time as `logged_off`."""
    floor = OneSubject([away_rule(reason="coaching")], FakeView(held=("away", "lunch", NINE)))

    assert floor.at(NINE + 30 * MINUTE) == []
    floor.view.held = ("away", "coaching", NINE)
    assert floor.at(NINE + 31 * MINUTE) == ["breached"]
    floor.view.held = ("offline", None, NINE + 32 * MINUTE)
    assert floor.at(NINE + 32 * MINUTE) == ["logged_off"]


def longest_wait() -> OneSubject:
    """A queue with a rule on waits of more than two minutes, and two contacts waiting."""
    wait = rule(
        kpi="longest_wait_s", subject="queue", window="now", threshold=120, clear=60, pairs_with=None, id="wait"
    )
    return OneSubject([wait], FakeView("queue:sales", queue=[(NINE, "c1"), (NINE + MINUTE, "c2")]))


def test_longest_wait() -> None:
    """
    The oldest waiting contact makes the alert, with its exact start; it ends when nobody has waited for long.

    c1 waits from 9:00, c2 from 9:01; c1 leaves at 9:02:30, c2 at 9:03
    """
    floor = longest_wait()

    floor.at(NINE + MINUTE)
    assert floor.due_ms == NINE + 2 * MINUTE + 1
    assert floor.at(floor.due_ms) == ["breached"]
    assert [row.contact for row in floor.told[0].evidence] == ["c1", "c2"]
    floor.view.queue = [(NINE + MINUTE, "c2")]
    assert floor.at(NINE + 150_000) == []
    floor.view.queue = []
    assert floor.at(NINE + 3 * MINUTE) == ["cleared"]


@given(st.lists(st.integers(0, 40 * MINUTE), max_size=30))
def test_instants_do_not_matter_to_live_rules(instants: list[int]) -> None:
    """However often a live rule is judged, the episode starts at the instant at which it came true."""
    floor = OneSubject([away_rule(**{"for": "5m"})], FakeView(held=("away", None, NINE)))

    for offset in [*sorted(instants), 41 * MINUTE]:
        floor.at(NINE + offset)

    exact = NINE + 20 * MINUTE + 1
    assert [one.alert for one in floor.told] == [alert_id("r1", "agent:a1", "now", exact)]


def test_pending_is_due_after_for() -> None:
    """A pending rule asks to be judged when `for` is over."""
    floor = OneSubject([rule(**{"for": "3m"})], FakeView(by_window=handle_time(120)))

    assert floor.at(NINE) == []
    assert floor.due_ms == NINE + 3 * MINUTE
    assert floor.at(NINE + 3 * MINUTE) == ["breached"]
    assert floor.told[0].started_at == from_ms(NINE)


def test_shift_hours() -> None:
    """Outside of its hours, local to the site, a rule starts nothing; what fires goes on until it clears."""
    registry = Registry(Floor(sites=[Site(id="mnl", timezone="Asia/Manila")]))  # UTC+8: 9:00 UTC is 17:00
    hours = rule(shift_hours={"from": "17:30", "to": "18:00"})
    floor = OneSubject([hours], FakeView(site="mnl", by_window=handle_time(120)), registry=registry)

    assert floor.at(NINE) == []
    assert floor.at(NINE + 30 * MINUTE) == ["breached"]
    assert floor.at(NINE + 60 * MINUTE) == []
    floor.view.by_window = handle_time(80)
    assert floor.at(NINE + 61 * MINUTE) == ["cleared"]
    floor.view.by_window = handle_time(120)
    assert floor.at(NINE + 62 * MINUTE) == []


def test_hours_over_midnight_start_a_live_episode() -> None:
    """What was already true when the hours began starts with them, whenever it is judged."""
    night = away_rule(shift_hours={"from": "22:00", "to": "06:00"})
    floor = OneSubject([night], FakeView(held=("away", None, NINE)))
    ten = NINE + 13 * 60 * MINUTE

    assert floor.at(ten - 1) == []
    assert floor.at(ten + 3 * 60 * MINUTE) == ["breached"]
    assert floor.told[0].started_at == from_ms(ten)


def test_changed_rule_ends_its_episode() -> None:
    """A rule whose threshold changes closes its episode; the new one starts its own with another id."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([rule(threshold=110)])

    assert floor.at(NINE + 5_000) == ["rule_changed", "breached"]
    fired, closed, again = floor.told
    assert (closed.alert, closed.sequence, closed.threshold) == (fired.alert, 2, 100)
    assert again.alert != fired.alert


def test_changed_live_rule_does_not_bring_the_old_alert_back() -> None:
    """A live rule of another severity is judged anew from the change on, not from the start of the old episode."""
    floor = OneSubject([away_rule()], FakeView(held=("away", None, NINE)))
    floor.at(NINE + 30 * MINUTE)

    floor.applies([away_rule(severity="act")])
    reasons = floor.at(NINE + 31 * MINUTE)

    assert reasons == ["rule_changed", "breached"]
    assert floor.told[-1].started_at == from_ms(NINE + 31 * MINUTE)


def test_vanished_rule_ends_its_episode() -> None:
    """A rule that is no longer there closes its episode, and the transition still says what it was about."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([])

    assert floor.at(NINE + 5_000) == ["rule_changed"]
    assert (floor.told[-1].kpi, floor.told[-1].window, floor.told[-1].rule_version) == ("aht_s", "60m", 8)
    assert floor.at(NINE + 10_000) == []


def test_rewording_goes_on() -> None:
    """Another text, or another revision with the same rule, leaves the episode alone."""
    floor = OneSubject([rule()], FakeView(by_window=handle_time(120)))
    floor.at(NINE)

    floor.applies([rule(text="Look at it."), away_rule(id="another")])

    assert floor.at(NINE + 5_000) == []


DAY1 = date(2026, 3, 1)
SHORT_14D = rule(
    id="short", kpi="short_call_share", window="14d", comparison=">=", threshold=0.15, min_n=50, opens="coaching"
)


def close(floor: OneSubject, offset: int, handled: int, short: int) -> list[str]:
    """Close a day after the first with these sums of 14 days."""
    floor.view.by_window = {"14d": {"handled": handled, "short_calls": short}}
    day = DAY1 + timedelta(days=offset)
    done = floor.judge.close_day(floor.view, floor.states, day, NINE + offset * 1440 * MINUTE)
    floor.told += done.transitions
    return [one.reason for one in done.transitions]


def test_days_rule_keeps_one_episode() -> None:
    """
    A rule over days fires once and goes on from day to day, until a day's close finds it false.

    day      1     2      3      4      5
    share    16%   17%    15%    14%    16%
    """
    floor = OneSubject([SHORT_14D])

    reasons = [close(floor, offset, 100, short) for offset, short in enumerate((16, 17, 15, 14, 16))]

    assert reasons == [["breached"], [], [], ["cleared"], ["breached"]]
    assert [one.day for one in floor.told] == [date(2026, 3, day) for day in (1, 4, 5)]
    assert len({one.alert for one in floor.told}) == 2


def test_days_rule_is_judged_at_closes_only() -> None:
    """Between two closes a rule over days is not judged, and a day that was judged is not judged again."""
    floor = OneSubject([SHORT_14D])
    close(floor, 0, 100, 16)

    floor.view.by_window = {"14d": {"handled": 100, "short_calls": 1}}

    assert floor.at(NINE + MINUTE) == []
    assert close(floor, 0, 100, 1) == []
    assert close(floor, 1, 40, 20) == ["too_few"]


def test_changed_days_rule_closes_at_the_next_judging() -> None:
    """A rule over days that changed closes its episode without waiting for the end of the day."""
    floor = OneSubject([SHORT_14D])
    close(floor, 0, 100, 16)

    floor.applies([])

    assert floor.at(NINE + MINUTE) == ["rule_changed"]


def judges() -> tuple[Judge, Judge]:
    """Both hops over a rule on a queue's answers, one on its handle time and one on a team."""
    answers = rule(id="sl", kpi="service_level", subject="queue", window="30m", threshold=0.8, pairs_with=None)
    rules = RuleSet(rules=(answers, rule(id="q", subject="queue"), rule(id="t", subject="team", window="15m")))
    registry = Registry(Floor())
    return RuleJudge(rules, registry, 1), RuleJudge(rules, registry, 2)


def test_hops_share_the_rules() -> None:
    """The first hop judges a queue by its own events, the second by what its agents did, and the groups."""
    first, second = judges()

    assert first.windows("queue") == {Window("rolling", minutes=30)}
    assert second.windows("queue") == {Window("rolling", minutes=60)}
    assert not first.windows("team")
    assert second.windows("team") == {Window("rolling", minutes=15)}


def test_windows_without_now() -> None:
    """The windows of a kind are those with sums; `now` has none."""
    floor = OneSubject([rule(), away_rule(id="away"), SHORT_14D])

    assert floor.judge.windows("agent") == {Window("rolling", minutes=60), Window("days", days=14)}


@pytest.mark.parametrize(("threshold_s", "variant", "fires"), [(20, 2, True), (60, 2, False), (20, 1, True)])
def test_service_level_of_the_contract(threshold_s: int, variant: int, fires: bool) -> None:
    """A queue's service level is judged by its contract's variant and threshold where the rule names none."""
    goal = ServiceLevelGoal.model_validate({"variant": variant, "threshold_s": threshold_s})
    level = rule(kpi="service_level", subject="queue", window="30m", comparison="<", threshold=0.8, pairs_with=None)
    sums = {"answered": 20, "answered_waits:0": 10, "answered_waits:6": 10}  # ten within 5 s, ten within 45 s
    registry = Registry(Floor(queues=[Queue(id="sales", service_level=goal)]))
    floor = OneSubject([level], FakeView("queue:sales", by_window={"30m": sums}), registry=registry)

    assert floor.at(NINE) == (["breached"] if fires else [])
