"""Only what changed is judged: that spares time, and changes nothing of what the rules find."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.rules import Rule, RuleSet
from schemas.alerts import ALL_NEWS, Transition
from schemas.events import Activity, ContactHandled, ContactRejected, ShiftPlanned
from schemas.registry import Floor, Registry
from schemas.times import MINUTE_MS, from_ms, to_ms
from streams.core.subject import Subject
from tests.alerting.views import away_rule, rule
from tests.streams.floors import DAWN, Fact, facts, in_log, item_of
from tests.streams.runs import STEPS, Run, new_engine

LATE = {"from": "09:30", "to": "17:00"}
QUEUE_NOW = {"subject": "queue", "window": "now", "pairs_with": None}
ALONE = {"pairs_with": None, "comparison": ">="}
RULES: tuple[Rule, ...] = (
    away_rule(id="away", threshold=600),
    away_rule(id="away-late", threshold=600, shift_hours=LATE),
    rule(id="waits", kpi="longest_wait_s", threshold=300, comparison=">", **QUEUE_NOW),
    rule(id="handled", kpi="handled", window="5m", threshold=1, **ALONE),
    rule(id="handled-late", kpi="handled", threshold=1, shift_hours=LATE, **ALONE),
    rule(id="lasting", kpi="handled", window="15m", threshold=1, keep_firing_for="10m", **{"for": "3m"}, **ALONE),
    rule(id="long", threshold=30, min_n=1),
    rule(id="idle-day", kpi="handled", window="day", comparison="<=", threshold=0, pairs_with=None),
    rule(id="idle-shift", kpi="handled", window="shift", comparison="<=", threshold=0, pairs_with=None),
    rule(id="adherence", kpi="adherence", window="shift", comparison="<", threshold=0.5, pairs_with=None),
    rule(id="adherence-5m", kpi="adherence", window="5m", comparison="<", threshold=0.9, pairs_with=None),
    rule(id="away-15m", kpi="away_s", window="15m", comparison=">", threshold=300, pairs_with=None),
    rule(id="away-shift", kpi="away_s", window="shift", threshold=5_400, **ALONE),
    rule(id="ready-day", kpi="ready_s", window="day", threshold=3_600, **ALONE),
    rule(id="occupancy", kpi="occupancy", window="60m", comparison="<", threshold=0.4, pairs_with=None),
    rule(id="offered", kpi="offered", subject="queue", window="15m", threshold=2, **ALONE),
)


def said(told: list[Fact], steps: list[str], *, event_clock: bool) -> list[tuple[Transition, int]]:
    """What the rules say of a log."""
    judge = RuleJudge(RuleSet(rules=RULES), Registry(Floor()), 1)
    run = Run(new_engine(event_clock=event_clock, judge=judge))
    run.fold(map(item_of, in_log(told, event_clock=event_clock)), steps)
    run.finish()
    return run.said


@pytest.mark.parametrize("event_clock", [False, True])
@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(told=facts(16), steps=st.lists(st.sampled_from(STEPS), max_size=30))
def test_judging_everything_at_every_turn_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, event_clock: bool, told: list[Fact], steps: list[str]
) -> None:
    """The reference judges whoever is active each minute, and all of his rules."""
    found = said(told, steps, event_clock=event_clock)

    with monkeypatch.context() as changed:
        changed.setattr(Subject, "news", property(lambda _: ALL_NEWS, lambda *_: None), raising=False)
        expected = said(told, steps, event_clock=event_clock)

    assert found == expected


def test_what_comes_late_is_judged_with_what_is_fresh() -> None:
    """A plan that is told 100 minutes late makes nobody due; a contact of the same five seconds does, and it counts."""
    #   08:00:00  handled: one in the day, and in the shift that is the day
    #   10:38:00  rejected: fresh
    #   10:38:00  the plan of 08:58 to 09:01 is told: the shift since then holds nothing
    #   10:38:05  judged
    fresh = DAWN + 158 * MINUTE_MS
    begins, ends = DAWN + 58 * MINUTE_MS, DAWN + 61 * MINUTE_MS
    work = Activity(activity="work", starts_at=from_ms(begins), ends_at=from_ms(ends))
    a1: dict[str, Any] = {"source": "acd", "agent": "a1"}
    handled = ContactHandled(
        **a1, id="h", at=from_ms(DAWN), contact="c1", channel="voice", started_at=from_ms(DAWN), talk_s=5
    )
    told = [
        Fact(handled, 0, 1),
        Fact(ContactRejected(**a1, id="r", at=from_ms(fresh), contact="c2", channel="voice", rang_s=4), 0, 1),
        Fact(ShiftPlanned(**a1, id="p", at=from_ms(begins), activities=[work]), fresh - begins, 1),
        Fact(ContactRejected(**a1, id="l", at=from_ms(fresh + 30_000), contact="c3", channel="voice", rang_s=4), 0, 1),
    ]

    found = [
        (step.rule, to_ms(step.at) - fresh) for step, _ in said(told, [], event_clock=True) if to_ms(step.at) > fresh
    ]

    assert ("idle-shift", 5_000) in found
