"""Rules judged on a subject: rolling and day windows, thresholds, shift hours, hops."""

from __future__ import annotations

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
from tests.alerting.views import MINUTE, NINE, SHORT_14D, FakeView, OneSubject, away_rule, handle_time, rule


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


@pytest.mark.parametrize(("minute", "reasons"), [(29, []), (30, ["breached"]), (59, ["breached"]), (60, [])])
def test_shift_hours_begin_at_their_start_and_are_over_at_their_end(minute: int, reasons: list[str]) -> None:
    """From 9:30, inclusive, to 10:00, exclusive."""
    hours = rule(shift_hours={"from": "09:30", "to": "10:00"})
    floor = OneSubject([hours], FakeView(by_window=handle_time(120)))

    assert floor.at(NINE + minute * MINUTE) == reasons


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
