"""The rules that a floor starts with."""

from __future__ import annotations

import pytest

from alerting.fitness import QUALITY_KPIS, SPEED_KPIS
from alerting.load import load_rules
from alerting.starter import STARTER_FILE, starter_text
from schemas.alerts import Window

RULES = {one.id: one for one in load_rules(starter_text(), STARTER_FILE).rules}
SPEED = [id_ for id_, one in RULES.items() if one.kpi in SPEED_KPIS]


def test_covers_the_floor() -> None:
    """The pack has a rule on each figure that a floor looks at first."""
    kpis = {one.kpi for one in RULES.values()}

    assert {"service_level", "abandon_rate", "longest_wait_s", "aht_s", "avg_wrap_s"} <= kpis
    assert {"short_call_share", "time_in_state_s", "fatal", "quality"} <= kpis


@pytest.mark.parametrize("id_", SPEED)
def test_speed_has_its_quality(id_: str) -> None:
    """Every rule on speed has a paired quality rule about the same kind of subject: who is only timed hangs up."""
    pair = RULES[RULES[id_].pairs_with or ""]

    assert pair.kpi in QUALITY_KPIS
    assert pair.subject == RULES[id_].subject


def test_only_the_long_window_opens_a_case_on_short_calls() -> None:
    """Short calls of one day only alert; over 14 days, with 50 contacts and more, they open a coaching case."""
    day, days = RULES["short-calls-day"], RULES["short-calls-14d"]

    assert (day.opens, days.opens, days.severity) == ("nothing", "coaching", "act")
    assert (days.window, days.comparison, days.threshold, days.min_n) == (Window("days", days=14), ">=", 0.15, 50)


def test_nothing_fires_on_few() -> None:
    """Every rule on a ratio asks for more than one or two contacts."""
    ratios = [one for one in RULES.values() if not one.is_live and one.kpi != "fatal"]

    assert all(one.least_n >= 3 for one in ratios)
