"""The summary of a demo: what was found, what was missed, and when that is good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from floorpulse.demo.summary import Comparison, Figures, Summary, sort_planted
from sources.readers.simulator.roster import Planted

SHORT = Planted("short_calls", "agent:a5", "short-calls-day", 0, 1, "hangs up within seconds")
FALLING = Planted("falling_queue", "queue:claims", "service-level-30m", 0, 1, "twice as many calls")
GOOD = Summary(
    sent=60_177,
    figures=Figures(
        events=60_177,
        dead_letters=0,
        panes=12_000,
        windows=700,
        alerts={"long-away": 1, "short-calls-day": 4},
        cases={"coaching": 2},
        fired={("agent:a5", "short-calls-day")},
    ),
    comparison=Comparison(panes=12_000, events=60_177, differences=0),
    found=(SHORT,),
    missed=(),
    phases=(("start", 18.0), ("send", 12.25)),
)


def test_a_problem_is_found_by_its_own_rule_on_its_own_subject() -> None:
    """Another rule on the subject, or the rule on another subject, is no finding."""
    fired = {("agent:a5", "short-calls-day"), ("queue:claims", "abandon-rate-30m"), ("queue:sales", FALLING.rule)}

    found, missed = sort_planted([SHORT, FALLING], fired)

    assert found == (SHORT,)
    assert missed == (FALLING,)


@pytest.mark.parametrize(
    ("summary", "good"),
    [
        (GOOD, True),
        (replace(GOOD, missed=(FALLING,)), False),
        (replace(GOOD, comparison=Comparison(12_000, 60_177, 1)), False),
    ],
)
def test_a_demo_is_good_when_all_is_found_and_proved(summary: Summary, good: bool) -> None:
    """One miss or one difference is enough to fail."""
    assert summary.is_good is good


def test_the_summary_says_every_figure() -> None:
    """Events, windows, alerts by rule, cases, planted problems, differences, time."""
    assert GOOD.lines() == [
        "events    60,177 sent, 60,177 stored, 0 dead letters",
        "windows   700 rolling windows over 12,000 minute panes",
        "alerts    5: short-calls-day 4, long-away 1",
        "cases     2: coaching 2",
        "planted   1 problem, 1 found, 0 missed",
        f"          found: {SHORT}",
        "reconcile 0 differences in 12,000 panes out of 60,177 events",
        "time      30.2 s (start 18.0, send 12.2)",
    ]


def test_what_was_missed_stands_out() -> None:
    """Each missed problem is named."""
    summary = replace(GOOD, found=(), missed=(FALLING,))

    assert f"          MISSED: {FALLING}" in summary.lines()


def test_nothing_fired_is_a_plain_zero() -> None:
    """No rule is listed behind it."""
    quiet = replace(GOOD, figures=replace(GOOD.figures, alerts={}, cases={}))

    assert quiet.lines()[2:4] == ["alerts    0", "cases     0"]
