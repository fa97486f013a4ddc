"""Only what changed is judged: that spares time, and changes nothing of what the rules find."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerting.judge import RuleJudge
from alerting.rules import Rule, RuleSet
from schemas.alerts import ALL_NEWS, Transition
from schemas.registry import Floor, Registry
from streams.core.subject import Subject
from tests.alerting.views import away_rule, rule
from tests.streams.floors import Fact, facts, in_log, item_of
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
